"""When the next row of a queue is due, for whoever would otherwise look in vain every second."""

from collections.abc import Iterator
from datetime import datetime
from math import inf
from typing import Any
from uuid import UUID

from proofs.simulation.clock import seconds_of
from proofs.simulation.storage.database import Database, Table
from proofs.simulation.storage.leases import shared
from services.payments.ports import Share


class Dues:
    """Answers in virtual seconds, and computes again only after a commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: tuple[Table[UUID, Any], ...] = (
            database.attempts,
            database.events,
            database.refund_attempts,
        )
        self._known_at = -1
        self._first = inf
        # By table and gateway.
        self._earliest: dict[tuple[str, str], datetime] = {}
        self._answers: dict[tuple[str, Share], float] = {}

    def first_at(self, sought: tuple[str, Share]) -> float:
        """Return from which second on a worker can claim a row of a table and share."""
        self._refresh()
        known = self._answers.get(sought)
        if known is None:
            table, share = sought
            known = self._answers[sought] = _seconds(
                due
                for (name, gateway), due in self._earliest.items()
                if name == table and shared(gateway, share)
            )
        return known

    def first(self) -> float:
        """Return from which second on a worker can claim anything at all."""
        self._refresh()
        return self._first

    def _refresh(self) -> None:
        if self._known_at == self._database.commits:
            return
        self._known_at = self._database.commits
        self._answers.clear()
        earliest = self._earliest
        earliest.clear()
        for table in self._queues:
            for row in table.rows.values():
                due = row.due_at
                if due is not None:
                    key = (table.name, row.gateway)
                    earliest[key] = min(due, earliest.get(key, due))
        self._first = _seconds(iter(earliest.values()))


def _seconds(dues: Iterator[datetime]) -> float:
    first = min(dues, default=None)
    return inf if first is None else seconds_of(first)
