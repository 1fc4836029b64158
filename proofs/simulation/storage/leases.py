"""Claiming due rows under a lease, as every queue's table does it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, Self, TypeVar
from uuid import UUID

from proofs.simulation.storage.database import Table
from proofs.simulation.storage.unit import Unit
from services.payments.ports import Share


class Claimable(Protocol):
    """A row of a queue."""

    @property
    def due_at(self) -> datetime | None:
        """When it may be claimed; None for never."""
        ...

    @property
    def gateway(self) -> str:
        """Whose share it is."""
        ...

    def leased(self, until: datetime) -> Self:
        """Return the row with the next lease."""
        ...


RowT = TypeVar("RowT", bound=Claimable)


def claim(
    unit: Unit, table: Table[UUID, RowT], share: Share, now: datetime, until: datetime
) -> Iterator[RowT]:
    """Lease due rows of a share, longest due first, skipping those that somebody holds."""
    unit.seeks(table, share)
    due = [
        (due_at, key, row)
        for key, row in unit.rows(table)
        if (due_at := row.due_at) is not None
        and due_at <= now
        and shared(row.gateway, share)
        and not unit.held_by_another(table, key)
    ]
    due.sort(key=lambda each: each[0])
    for _, key, row in due:
        leased = row.leased(until)
        unit.put(table, key, leased)
        yield leased


def shared(gateway: str, share: Share) -> bool:
    """Whether a gateway's rows are of a share."""
    return gateway == share.only if share.only is not None else gateway not in share.never
