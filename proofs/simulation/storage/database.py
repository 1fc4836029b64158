"""The tables of the twin: what is committed, and which unit of work holds which row."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from proofs.simulation.storage.rows import AttemptRow, EventRow, Fact, RefundAttemptRow
from services.payments.domain.audit import AuditEntry
from services.payments.domain.captures import Capture
from services.payments.domain.ledger import JournalEntry
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.pricing import PriceBook
from services.payments.domain.refunds import Refund
from services.payments.ports import IdempotencyRecord, IdempotencyScope

if TYPE_CHECKING:
    from proofs.simulation.storage.unit import Unit

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


class ConstraintViolationError(Exception):
    """A row that the database's own guards refuse: a defect of whoever wrote it."""


@dataclass(slots=True, eq=False)
class Table(Generic[KeyT, RowT]):
    """One table. `rows`: what is committed. `holders`: who holds which row until it ends."""

    name: str
    rows: dict[KeyT, RowT] = field(default_factory=dict)
    holders: dict[KeyT, "Unit"] = field(default_factory=dict)


class Database:
    """All tables.

    `commits`: how often something was stored. `on_commit`: called with a unit of work just before
    its changes are stored. `open_units`: in the order in which they were opened.
    """

    def __init__(self, prices: PriceBook) -> None:
        self.payments = Table[UUID, Payment]("payments")
        self.attempts = Table[UUID, AttemptRow]("attempts")
        self.events = Table[UUID, EventRow]("events")
        self.audit = Table[int, AuditEntry]("audit")
        self.memberships = Table[str, Membership]("memberships")
        self.keys = Table[IdempotencyScope, IdempotencyRecord]("keys")
        self.outbox = Table[int, Fact]("outbox")
        self.captures = Table[UUID, Capture]("captures")
        self.refunds = Table[UUID, Refund]("refunds")
        self.refund_attempts = Table[UUID, RefundAttemptRow]("refund_attempts")
        self.ledger = Table[str, JournalEntry]("ledger")
        # Holds a member also while there is no row of theirs to hold.
        self.members = Table[str, None]("members")
        self.prices = prices
        self.on_commit: Callable[[Unit], None] = _ignore
        self.commits = 0
        self.open_units: dict[Unit, None] = {}
        self._serial = 0

    def next_serial(self) -> int:
        """Return the next number of a generated key; like a sequence, it is never given back."""
        self._serial += 1
        return self._serial


def _ignore(_unit: Any) -> None:
    pass
