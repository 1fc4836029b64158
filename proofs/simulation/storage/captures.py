"""The twin of the captures' table: once per transaction of a gateway."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from proofs.simulation.storage.database import ConstraintViolationError
from proofs.simulation.storage.unit import Unit
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.ports import After


class TwinCaptures:
    """Implements the port `Captures`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.captures

    async def add(self, capture: Capture) -> bool:
        """Store a capture; False when the gateway's transaction is on record already."""
        await self._unit.step(f"captures.add {capture.use} {capture.amount}")
        wanted = (capture.gateway, capture.gateway_transaction_id)
        stored = await self._unit.conflicting(
            self._table, capture.id, lambda row: (row.gateway, row.gateway_transaction_id) == wanted
        )
        if stored is not None:
            return False
        await self._require_one_kept(capture)
        self._unit.put(self._table, capture.id, capture)
        return True

    async def of_payment(self, payment_id: UUID) -> Sequence[Capture]:
        """Read a payment's captures, oldest first."""
        await self._unit.step("captures.of_payment")
        rows = self._unit.rows(self._table)
        return sorted((row for _, row in rows if row.payment_id == payment_id), key=_age)

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Capture | None:
        """Find the capture of a gateway's transaction."""
        await self._unit.step("captures.by_transaction_id")
        wanted = (gateway, transaction_id)
        rows = self._unit.rows(self._table)
        return next(
            (row for _, row in rows if (row.gateway, row.gateway_transaction_id) == wanted), None
        )

    async def save(self, capture: Capture) -> None:
        """Store what a capture counts for from now on."""
        await self._unit.step(f"captures.save {capture.use}")
        await self._unit.hold(self._table, capture.id)
        stored = self._unit.get(self._table, capture.id)
        if stored is None:
            return
        if capture.use is not stored.use and stored.use is not CaptureUse.HELD:
            raise ConstraintViolationError("only held money is decided, and once")
        if capture.amount != stored.amount and stored.use is not CaptureUse.HELD:
            raise ConstraintViolationError("what was captured never changes")
        await self._require_one_kept(capture)
        decided = replace(
            stored,
            amount=capture.amount,
            fee=capture.fee,
            use=capture.use,
            excess=capture.excess,
            held_because=capture.held_because,
        )
        self._unit.put(self._table, capture.id, decided)

    async def held(self, after: After | None, limit: int) -> Sequence[Capture]:
        """Read captures that wait for a decision, oldest first."""
        await self._unit.step("captures.held")
        waiting = sorted(self._waiting(), key=_age)
        return [row for row in waiting if after is None or _age(row) > (after.at, after.id)][:limit]

    async def count_held(self) -> int:
        """Count the captures that wait for a decision."""
        await self._unit.step("captures.count_held")
        return len(self._waiting())

    async def _require_one_kept(self, capture: Capture) -> None:
        if capture.use is not CaptureUse.KEPT:
            return
        await self._unit.require_unique(
            self._table,
            capture.id,
            lambda row: row.use is CaptureUse.KEPT and row.payment_id == capture.payment_id,
        )

    def _waiting(self) -> list[Capture]:
        return [row for _, row in self._unit.rows(self._table) if row.use is CaptureUse.HELD]


def _age(capture: Capture) -> tuple[datetime, UUID]:
    return capture.captured_at, capture.id
