"""The payments operations as one thing that tests can drive, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from kit.errors import ServiceError
from kit.tasks import OwnedTasks
from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.events import Delivery, GatewayEvent
from services.payments.domain.membership import Membership
from services.payments.domain.payment import BillingCycle, Customer, Payment, PaymentMethod
from services.payments.operations.apply_gateway_event import (
    apply_gateway_event,
    check_due_attempt,
)
from services.payments.operations.cancel_payment import CancelPaymentCommand, cancel_payment
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.record_gateway_event import record_gateway_event
from tests.operations.fakes import (
    ManualClock,
    RecordingWakeups,
    ScriptedGateways,
    SeededIds,
    Witness,
)

LEASE_SECONDS = 60
_CARD = CreatePaymentCommand(
    user_id="member-1",
    tier="pro",
    billing_cycle=BillingCycle.MONTHLY,
    payment_method=PaymentMethod.CARD,
    currency="UGX",
    customer=Customer(
        email="amina@example.com",
        name="Amina Okello",
        phone_number="+256772123456",
        country_code="UG",
    ),
    return_url="https://creators.example/return",
    idempotency_key="key-1",
)


def by_card(**changes: Any) -> CreatePaymentCommand:
    """Return the request of a month of "pro" by card: on a hosted page at either gateway."""
    return replace(_CARD, **changes)


def by_phone(**changes: Any) -> CreatePaymentCommand:
    """Return the request by mobile money: a prompt at Eversend, a hosted page at Flutterwave."""
    return replace(_CARD, payment_method=PaymentMethod.MOBILE_MONEY, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One process with its operations, and everything outside that a test decides about."""

    deps: Dependencies
    clock: ManualClock
    gateways: ScriptedGateways
    wakeups: RecordingWakeups
    witness: Witness

    def process(self, **changes: Any) -> "Suite":
        """Return another process on the same database, for example with another storage."""
        return replace(self, deps=replace(self.deps, tasks=OwnedTasks(), **changes))

    async def die(self) -> None:
        """End this process's work where it stands, as a kill does."""
        await self.deps.tasks.drain(0)

    def future_reference(self) -> str:
        """Return the reference that the next attempt will have."""
        assert isinstance(self.deps.ids, SeededIds)
        return self.deps.ids.future_reference()

    async def create(self, command: CreatePaymentCommand = _CARD) -> Payment:
        return await create_payment(self.deps, command)

    async def cancel(self, payment: Payment, key: str = "cancel-1") -> Payment:
        command = CancelPaymentCommand(payment_id=payment.id, idempotency_key=key)
        return await cancel_payment(self.deps, await self.payment(payment.id), command)

    async def payment(self, payment_id: UUID) -> Payment:
        async with self.deps.storage.work() as work:
            found = await work.payments.get(payment_id)
        assert found is not None
        return found

    async def attempts(self, payment_id: UUID) -> Sequence[Attempt]:
        async with self.deps.storage.work() as work:
            return await work.attempts.of_payment(payment_id)

    async def newest_attempt(self, payment_id: UUID) -> Attempt:
        return (await self.attempts(payment_id))[-1]

    async def history(self, payment_id: UUID) -> Sequence[AuditEntry]:
        async with self.deps.storage.work() as work:
            return await work.audit.of_payment(payment_id)

    async def effects(self, payment_id: UUID) -> list[str]:
        """Return what the payment caused, oldest first."""
        history = await self.history(payment_id)
        return [entry.action for entry in history if entry.kind is AuditKind.EFFECT]

    async def moves(self, payment_id: UUID) -> list[str]:
        """Return the statuses that the payment moved to, oldest first."""
        history = await self.history(payment_id)
        return [str(entry.to_status) for entry in history if entry.kind is AuditKind.MOVE]

    async def membership(self, user_id: str = "member-1") -> Membership:
        async with self.deps.storage.work() as work:
            return await work.memberships.get(user_id)

    async def facts(self, payment_id: UUID) -> list[str]:
        """Return the topics of the outbox about a payment, oldest first."""
        query = "SELECT topic FROM outbox WHERE payment_id = $1 ORDER BY id"
        return [row["topic"] for row in await self.witness.rows(query, payment_id)]

    async def deliver(self, attempt: Attempt, key: str = "event-1", **changes: Any) -> UUID:
        """Have the receiver hand over a callback about an attempt; return the stored event's id."""
        delivery = Delivery(
            gateway=attempt.gateway,
            event_key=key,
            event_type="charge.completed",
            reference=attempt.reference,
            gateway_transaction_id="",
            raw_body=b"{}",
            headers={},
            received_at=self.clock.now(),
        )
        event_id, _ = await record_gateway_event(self.deps, replace(delivery, **changes))
        return event_id

    async def due_events(self) -> Sequence[GatewayEvent]:
        """Claim the callbacks that are due, as a worker does."""
        lease = timedelta(seconds=LEASE_SECONDS)
        async with self.deps.storage.work() as work:
            return await work.events.claim_due(self.clock.now(), lease, 50)

    async def due_attempts(self) -> Sequence[Attempt]:
        """Claim the attempts that are due, as a worker does."""
        lease = timedelta(seconds=LEASE_SECONDS)
        async with self.deps.storage.work() as work:
            return await work.attempts.claim_due(self.clock.now(), lease, 50)

    async def handle_events(self) -> int:
        """Handle the callbacks that are due; return how many."""
        due = await self.due_events()
        for event in due:
            await apply_gateway_event(self.deps, event)
        return len(due)

    async def check_attempts(self) -> int:
        """Do what attempts are due for; return how many were."""
        due = await self.due_attempts()
        for attempt in due:
            await check_due_attempt(self.deps, attempt)
        return len(due)

    async def check_next(self, payment_id: UUID) -> None:
        """Let the time pass until the payment's newest attempt is due, and do what is due."""
        due = (await self.newest_attempt(payment_id)).next_check_at
        assert due is not None
        self.clock.move_to(due)
        assert await self.check_attempts()

    async def event_row(self, event_id: UUID) -> dict[str, Any]:
        """Read a stored callback."""
        (row,) = await self.witness.rows("SELECT * FROM webhook_events WHERE id = $1", event_id)
        return dict(row)


def refusal(outcome: object) -> str:
    """Return the reason of an error that a caller sees, or "" for an answer."""
    if isinstance(outcome, ServiceError):
        return outcome.reason
    assert isinstance(outcome, Payment), outcome
    return ""
