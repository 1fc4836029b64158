"""What the operations need of the store of payments, attempts, events and memberships."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditEntry
from services.payments.domain.events import Delivery, GatewayEvent, Handling
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.pricing import PriceBook
from services.payments.domain.states import PaymentStatus
from services.payments.ports.money import After, Captures, Ledger, RefundAttempts, Refunds
from services.payments.ports.reconciliation import Reconciliation
from services.payments.ports.sharing import EVERYTHING, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments to list; None means any. `before`: keyset of the last one already seen."""

    user_id: str | None = None
    status: PaymentStatus | None = None
    gateway: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    before: tuple[datetime, UUID] | None = None


class Payments(Protocol):
    """The stored payments."""

    async def add(self, payment: Payment) -> bool:
        """Store a new payment; False when the member has an open one for the same thing."""
        ...

    async def get(self, payment_id: UUID) -> Payment | None:
        """Read a payment."""
        ...

    async def lock(self, payment_id: UUID) -> Payment:
        """Read a payment and keep others from changing it until this unit of work ends."""
        ...

    async def save(self, payment: Payment, previous: Payment) -> None:
        """Store the next version of `previous`. Raises `StaleWriteError` when outrun."""
        ...

    async def open_for(self, user_id: str, tier: str, billing_cycle: str) -> Payment | None:
        """Read the member's open payment for a tier and billing cycle."""
        ...

    async def bought_after(self, user_id: str, since: datetime, other_than: UUID) -> bool:
        """Whether the member began another payment after `since` and its money was kept."""
        ...

    async def page(self, wanted: PaymentFilter, limit: int) -> Sequence[Payment]:
        """Read payments, newest first, at most `limit`."""
        ...


class Attempts(Protocol):
    """The stored attempts."""

    async def add(self, attempt: Attempt) -> None:
        """Store a new attempt, before the first byte of it leaves."""
        ...

    async def of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts, oldest first."""
        ...

    async def lock_of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts and keep workers from claiming them in this unit of work."""
        ...

    async def by_reference(self, gateway: str, reference: str) -> Attempt | None:
        """Find the attempt that carries our reference at a gateway."""
        ...

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Attempt | None:
        """Find the attempt that a gateway knows by its own identifier."""
        ...

    async def save(self, attempt: Attempt) -> None:
        """Store an attempt. Raises `StaleWriteError` when its lease went to another worker."""
        ...

    async def hasten(self, payment_id: UUID, now: datetime) -> None:
        """Make the checks of a payment's unsettled attempts due now."""
        ...

    async def release_interrupted(self, sender: str, before: datetime, now: datetime) -> int:
        """Make what an earlier run of `sender` left in the air due now; return how many."""
        ...

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[Attempt]:
        """Lease attempts whose check is due and that are of the share."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which callbacks are meant; None or empty means any. `before`: keyset of the last one seen."""

    ids: tuple[UUID, ...] = ()
    gateway: str | None = None
    status: str | None = None
    event_type: str | None = None
    payment_id: UUID | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    before: tuple[datetime, UUID] | None = None


class GatewayEvents(Protocol):
    """The stored callbacks."""

    async def add(self, event_id: UUID, delivery: Delivery, request_id: str) -> tuple[UUID, bool]:
        """Store a delivery; return the stored event's id and whether it is new."""
        ...

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[GatewayEvent]:
        """Lease unhandled events that are due and of the share."""
        ...

    async def mark(
        self,
        event: GatewayEvent,
        handling: Handling,
        at: datetime,
    ) -> None:
        """Record how far an event was handled. Raises `StaleWriteError` when the lease is lost."""
        ...

    async def lock(self, event_id: UUID) -> GatewayEvent | None:
        """Read an event and keep others from handling it until this unit of work ends."""
        ...

    async def page(self, wanted: EventFilter, limit: int) -> Sequence[GatewayEvent]:
        """Read events, newest first, at most `limit`."""
        ...

    async def handle_again(self, wanted: EventFilter, now: datetime) -> int:
        """Make events due now; return how many. Those that are due already count too."""
        ...

    async def count(self, wanted: EventFilter) -> int:
        """Count events."""
        ...

    async def unattributed(self, after: After | None, limit: int) -> Sequence[GatewayEvent]:
        """Read events that match no payment, oldest first."""
        ...

    async def count_unattributed(self) -> int:
        """Count the events that match no payment."""
        ...


class AuditTrail(Protocol):
    """The append-only history."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add lines of history."""
        ...

    async def of_payment(self, payment_id: UUID) -> Sequence[AuditEntry]:
        """Read a payment's history, oldest first."""
        ...


class Memberships(Protocol):
    """What members have."""

    async def get(self, user_id: str) -> Membership:
        """Read a membership; a member who never paid has the free tier."""
        ...

    async def lock(self, user_id: str) -> Membership:
        """Read a membership and keep others from changing it until this unit of work ends."""
        ...

    async def save(self, membership: Membership, at: datetime) -> None:
        """Store what the member has from now on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyScope:
    """What a key is unique in."""

    caller: str
    user_id: str
    method: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """A key that was used.

    `fingerprint`: of the validated request. `owner`: the run that works on it. `payment_id`: the
    payment it is about. `response`: absent while it works. `lease_until`: when the run counts as
    stopped.
    """

    scope: IdempotencyScope
    fingerprint: bytes
    owner: UUID
    lease_until: datetime
    payment_id: UUID
    response: bytes | None = None


class IdempotencyKeys(Protocol):
    """The used idempotency keys."""

    async def get(self, scope: IdempotencyScope) -> IdempotencyRecord | None:
        """Read a key."""
        ...

    async def add(self, record: IdempotencyRecord, at: datetime) -> bool:
        """Store a key; False when it is already there."""
        ...

    async def finish(self, scope: IdempotencyScope, payment_id: UUID, response: bytes) -> None:
        """Store the answer of a key."""
        ...

    async def forget(self, scope: IdempotencyScope) -> None:
        """Remove a key whose request was refused, so that it may be used again."""
        ...


class Outbox(Protocol):
    """Facts for other systems, stored with the change that they tell of."""

    async def add(self, topic: str, payment: Payment, at: datetime) -> None:
        """Store a fact about a payment, for example "payment.completed"."""
        ...


class Prices(Protocol):
    """The price book."""

    async def current(self) -> PriceBook:
        """Read the newest version."""
        ...


class Work(Protocol):
    """One open unit of work: everything in it is stored together or not at all."""

    payments: Payments
    attempts: Attempts
    events: GatewayEvents
    audit: AuditTrail
    memberships: Memberships
    keys: IdempotencyKeys
    outbox: Outbox
    prices: Prices
    captures: Captures
    refunds: Refunds
    refund_attempts: RefundAttempts
    ledger: Ledger
    reconciliation: Reconciliation


class Storage(Protocol):
    """Opens units of work."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work that commits when its block ends and rolls back when it raises.

        Raises `ServiceError` (UNAVAILABLE) when the database is away, and `CommitUnknownError`
        when the connection broke during the commit.
        """
        ...
