"""What the operations need from outside, as Protocols: storage, gateways and wake-ups."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.audit import AuditEntry
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.events import Delivery, GatewayEvent, Handling
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment, PaymentMethod
from services.payments.domain.pricing import PriceBook
from services.payments.domain.states import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments to list; None means any. `before`: keyset of the last one already seen."""

    user_id: str | None = None
    status: PaymentStatus | None = None
    gateway: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    before: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Whose due rows to claim: those of the gateway `only`, or of every gateway but `never`."""

    only: str | None = None
    never: tuple[str, ...] = ()


EVERYTHING = Share()


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

    async def release_interrupted(self, sender: str, before: datetime, now: datetime) -> int:
        """Make what an earlier run of `sender` left in the air due now; return how many."""
        ...

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[Attempt]:
        """Lease attempts whose check is due and that are of the share."""
        ...


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


class Storage(Protocol):
    """Opens units of work."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work that commits when its block ends and rolls back when it raises.

        Raises `ServiceError` (UNAVAILABLE) when the database is away, and `CommitUnknownError`
        when the connection broke during the commit.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that a gateway can charge. `countries` empty: any. `options`: may be asked for."""

    method: PaymentMethod
    currency: str
    countries: frozenset[str]
    flow: Flow
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDescription:
    """What one gateway can do."""

    name: str
    capabilities: Sequence[Capability]
    can_cancel: bool


class Gateways(Protocol):
    """The gateways, each behind its adapter. None of these raises for a failed call."""

    async def describe(self) -> Mapping[str, GatewayDescription]:
        """Return what the reachable gateways can do, by name."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Every configured gateway, reachable or not."""
        ...

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        """Create a charge."""
        ...

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up by our own stored reference."""
        ...

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        """Close an attempt; SUCCEEDED only when the gateway acknowledged it."""
        ...


class Wakeups(Protocol):
    """Tells other processes, after a commit, that something is there. Losing one loses nothing."""

    def payment_changed(self, payment_id: UUID) -> None:
        """Wake everybody who watches a payment."""
        ...

    def event_recorded(self) -> None:
        """Wake a worker for a stored callback."""
        ...

    def attempt_due(self) -> None:
        """Wake a worker for an attempt that is due now."""
        ...


class PaymentFeed(Protocol):
    """Wakes streams when their payment changes, in whichever process it changed."""

    def changes(self, payment_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """Yield at once and then whenever the payment may have changed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take, in seconds.

    `charge`: one call that creates a charge. `look_up`: one call that asks or closes. `takeover`:
    after that, work that a stopped process left behind is continued by another; longer than a
    charge can take.
    """

    charge: float = 20.0
    look_up: float = 10.0
    takeover: float = 30.0


DEFAULT_TIMING = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Which gateways to prefer for a method, best first."""

    preferences: Mapping[PaymentMethod, Sequence[str]] = field(default_factory=dict)
