"""What the operations need of the store of reconciliations: books, runs, breaks, settlements."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.payments.domain.reconciliation import (
    BookedCapture,
    BookedRefund,
    Books,
    Break,
    BreakStatus,
    Period,
    Run,
    RunResult,
    Settlement,
    StoredBreak,
    Transaction,
)
from services.payments.ports.money import After


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakFilter:
    """Which breaks to list; None means any. `before`: keyset of the last one already seen."""

    gateway: str | None = None
    status: BreakStatus | None = None
    before: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBreak:
    """A break that a run found, and how it stands now. `id`: for one that is not on record yet."""

    id: UUID
    found: Break
    status: BreakStatus
    at: datetime


class Reconciliation(Protocol):
    """Our books as a statement sees them, and what comparing them found."""

    async def named(self, gateway: str, rows: Collection[Transaction]) -> Books:
        """Read what of our books some rows of a statement name."""
        ...

    async def captures_between(
        self, gateway: str, period: Period, after: After | None, limit: int
    ) -> Sequence[BookedCapture]:
        """Read what we captured in a period, oldest first."""
        ...

    async def refunds_between(
        self, gateway: str, period: Period, after: After | None, limit: int
    ) -> Sequence[BookedRefund]:
        """Read the attempts to send money back that left in a period, oldest first."""
        ...

    async def is_attributed(self, gateway: str, reference: str, payment_id: UUID) -> bool:
        """Whether a callback under a reference that is not ours was given to a payment."""
        ...

    async def begin(self, run: Run) -> None:
        """Store that a run began."""
        ...

    async def end(self, result: RunResult, at: datetime) -> None:
        """Store what a run found."""
        ...

    async def record(self, run: Run, found: FoundBreak) -> bool:
        """Store a break once for its gateway, kind and subject; True when it is new or open again.

        One that is on record already has its status and summary changed.
        """
        ...

    async def heal_gone(self, run: Run, followed: Sequence[UUID], at: datetime) -> None:
        """Mark as healed what was open and this run did not find again.

        Only breaks dated in its period, and the `followed` ones, which it read again elsewhere.
        """
        ...

    async def undecided(self, gateway: str, limit: int) -> Sequence[After]:
        """Read when the gateway recorded what it has still to decide, with the breaks' ids.

        Open breaks about refunds and chargebacks, and the chargebacks of disputed payments; the
        oldest first.
        """
        ...

    async def add_settlement(
        self, settlement_id: UUID, gateway: str, settlement: Settlement, at: datetime
    ) -> bool:
        """Store a settlement with its lines; False when it is on record already."""
        ...

    async def page(self, wanted: BreakFilter, limit: int) -> Sequence[StoredBreak]:
        """Read breaks, newest first, at most `limit`."""
        ...
