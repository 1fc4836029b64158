"""Everything that moved money, collections and payouts alike, by id, by reference and in order."""

import heapq
from collections.abc import Sequence
from operator import attrgetter

from gateway_sandboxes.eversend.ledger import Ledger
from gateway_sandboxes.eversend.payouts import Payouts
from gateway_sandboxes.eversend.records import Row


class Statement:
    """A read-only view of the ledger and the payouts."""

    def __init__(self, ledger: Ledger, payouts: Payouts) -> None:
        self._ledger = ledger
        self._payouts = payouts

    def rows(self) -> list[Row]:
        """Return every row, oldest first."""
        return _in_order(self._ledger.transactions(), self._payouts.payouts())

    def row(self, transaction_id: str) -> Row | None:
        """Return the row with this id."""
        return self._ledger.transaction(transaction_id) or self._payouts.payout(transaction_id)

    def under_reference(self, reference: str) -> list[Row]:
        """Return the rows under a reference, oldest first."""
        return _in_order(
            self._ledger.under_reference(reference), self._payouts.under_reference(reference)
        )

    def references(self) -> list[str]:
        """Return every reference, oldest first."""
        return list(dict.fromkeys(row.reference for row in self.rows()))


def _in_order(*kinds: Sequence[Row]) -> list[Row]:
    return list(heapq.merge(*kinds, key=attrgetter("id")))
