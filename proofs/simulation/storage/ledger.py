"""The twin of the journal's tables: balanced entries, each source entered once."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from kit.money import Money
from proofs.simulation.storage.database import ConstraintViolationError
from proofs.simulation.storage.unit import Unit
from services.payments.domain.ledger import JournalEntry


class TwinLedger:
    """Implements the port `Ledger`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.ledger

    async def post(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries; one whose source was entered before is left out."""
        await self._unit.step("ledger.post " + " ".join(entry.kind for entry in entries))
        for entry in entries:
            if any(sums(entry).values()):
                raise ConstraintViolationError(f"the entry of {entry.source} does not balance")
            await self._unit.hold(self._table, entry.source)
            if self._unit.get(self._table, entry.source) is None:
                self._unit.put(self._table, entry.source, entry)

    async def of_payment(self, payment_id: UUID) -> Sequence[JournalEntry]:
        """Read the entries about a payment, oldest first."""
        await self._unit.step("ledger.of_payment")
        rows = self._unit.rows(self._table)
        return [entry for _, entry in rows if entry.payment_id == payment_id]

    async def balances(self, account: str) -> Sequence[Money]:
        """Read what an account holds, one amount per currency."""
        await self._unit.step("ledger.balances")
        held: Counter[str] = Counter()
        for _, entry in self._unit.rows(self._table):
            for line in entry.lines:
                if line.account == account:
                    held[line.amount.currency] += line.amount.minor
        return [Money(currency, minor) for currency, minor in sorted(held.items())]


def sums(entry: JournalEntry) -> Counter[str]:
    """Return what the lines of an entry add up to, by currency."""
    totals: Counter[str] = Counter()
    for line in entry.lines:
        totals[line.amount.currency] += line.amount.minor
    return totals
