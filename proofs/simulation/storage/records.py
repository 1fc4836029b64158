"""The twins of what is only ever added to or read: the audit trail, the outbox, the price book."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from proofs.simulation.storage.rows import Fact
from proofs.simulation.storage.unit import Unit
from services.payments.domain.audit import AuditEntry
from services.payments.domain.payment import Payment
from services.payments.domain.pricing import PriceBook


class TwinAudit:
    """Implements the port `AuditTrail`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.audit

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add lines of history."""
        await self._unit.step("audit.append " + " ".join(entry.action for entry in entries))
        for entry in entries:
            self._unit.put(self._table, self._unit.database.next_serial(), entry)

    async def of_payment(self, payment_id: UUID) -> Sequence[AuditEntry]:
        """Read a payment's history, oldest first."""
        await self._unit.step("audit.of_payment")
        found = [
            (key, entry)
            for key, entry in self._unit.rows(self._table)
            if entry.payment_id == payment_id
        ]
        found.sort(key=lambda each: each[0])
        return [entry for _, entry in found]


class TwinOutbox:
    """Implements the port `Outbox`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.outbox

    async def add(self, topic: str, payment: Payment, at: datetime) -> None:
        """Store a fact about a payment."""
        await self._unit.step(f"outbox.add {topic}")
        fact = Fact(topic=topic, payment=payment, at=at)
        self._unit.put(self._table, self._unit.database.next_serial(), fact)


class TwinPrices:
    """Implements the port `Prices`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def current(self) -> PriceBook:
        """Read the newest version."""
        await self._unit.step("prices.current")
        return self._unit.database.prices
