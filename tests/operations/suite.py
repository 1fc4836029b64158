"""The payments operations as one thing that tests can drive, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from kit.errors import ServiceError
from kit.money import Money
from kit.tasks import OwnedTasks
from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.captures import Capture
from services.payments.domain.events import Delivery, GatewayEvent
from services.payments.domain.ledger import JournalEntry
from services.payments.domain.membership import Membership
from services.payments.domain.payment import BillingCycle, Customer, Payment, PaymentMethod
from services.payments.domain.refunds import Refund, RefundAttempt
from services.payments.operations.apply_gateway_event import (
    apply_gateway_event,
    check_due_attempt,
)
from services.payments.operations.attribute_event import AttributeEventCommand, attribute_event
from services.payments.operations.cancel_payment import CancelPaymentCommand, cancel_payment
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.record_gateway_event import record_gateway_event
from services.payments.operations.refund_payment import (
    RefundPaymentCommand,
    RetryRefundCommand,
    refund_payment,
    retry_refund,
)
from services.payments.operations.resolve_review import (
    ResolveReviewCommand,
    ReviewDecision,
    resolve_review,
)
from services.payments.operations.retry_payment import RetryPaymentCommand, retry_payment
from services.payments.operations.send_refund import work_on_refund
from services.payments.operations.submit_action import SubmitActionCommand, submit_action
from tests.operations.fakes import ManualClock, RecordingWakeups, ScriptedGateways, SeededIds
from tests.operations.witness import Witness

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

    async def retry(self, payment: Payment, key: str = "retry-1", **changes: Any) -> Payment:
        """Try a payment again; `changes`: another way to pay."""
        command = RetryPaymentCommand(payment_id=payment.id, idempotency_key=key, **changes)
        return await retry_payment(self.deps, await self.payment(payment.id), command)

    async def submit(self, payment: Payment, otp: str = "123456", key: str = "otp-1") -> Payment:
        """Enter a one-time password."""
        command = SubmitActionCommand(payment_id=payment.id, otp=otp, idempotency_key=key)
        return await submit_action(self.deps, await self.payment(payment.id), command)

    async def refund(
        self, payment: Payment, amount: Money | None = None, key: str = "refund-1"
    ) -> Refund:
        """Ask for money to go back; all that is left unless an amount is given."""
        command = RefundPaymentCommand(
            payment_id=payment.id, amount=amount, reason="asked by the member", idempotency_key=key
        )
        return await refund_payment(self.deps, await self.payment(payment.id), command)

    async def retry_refund(self, refund: Refund, key: str = "retry-refund-1") -> Refund:
        command = RetryRefundCommand(refund_id=refund.id, idempotency_key=key)
        return await retry_refund(self.deps, command)

    async def resolve(
        self, payment: Payment, decision: ReviewDecision, key: str = "resolve-1"
    ) -> Payment:
        """Decide about the money that is held on a payment."""
        command = ResolveReviewCommand(
            payment_id=payment.id, decision=decision, reason="agreed by phone", idempotency_key=key
        )
        return await resolve_review(self.deps, await self.payment(payment.id), command)

    async def attribute(
        self, event_id: UUID, payment: Payment, key: str = "attribute-1"
    ) -> GatewayEvent:
        """Give a callback to a payment."""
        command = AttributeEventCommand(
            event_id=event_id, payment_id=payment.id, idempotency_key=key
        )
        return await attribute_event(self.deps, await self.payment(payment.id), command)

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

    async def captures(self, payment_id: UUID) -> Sequence[Capture]:
        async with self.deps.storage.work() as work:
            return await work.captures.of_payment(payment_id)

    async def refunds(self, payment_id: UUID) -> Sequence[Refund]:
        async with self.deps.storage.work() as work:
            return await work.refunds.of_payment(payment_id)

    async def refund_attempts(self, refund_id: UUID) -> Sequence[RefundAttempt]:
        async with self.deps.storage.work() as work:
            return await work.refund_attempts.of_refund(refund_id)

    async def journal(self, payment_id: UUID) -> Sequence[JournalEntry]:
        async with self.deps.storage.work() as work:
            return await work.ledger.of_payment(payment_id)

    async def balance(self, account: str, currency: str = "UGX") -> int:
        """Return what an account holds in minor units: debits less credits."""
        async with self.deps.storage.work() as work:
            held = await work.ledger.balances(account)
        return sum(each.minor for each in held if each.currency == currency)

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

    async def due_refunds(self) -> Sequence[RefundAttempt]:
        """Claim the attempts of refunds that are due, as a worker does."""
        lease = timedelta(seconds=LEASE_SECONDS)
        async with self.deps.storage.work() as work:
            return await work.refund_attempts.claim_due(self.clock.now(), lease, 50)

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

    async def work_on_refunds(self) -> int:
        """Do what attempts of refunds are due for; return how many were."""
        due = await self.due_refunds()
        for attempt in due:
            await work_on_refund(self.deps, attempt)
        return len(due)

    async def work_on_next_refund(self, refund_id: UUID) -> None:
        """Let the time pass until the refund's newest attempt is due, and do what is due."""
        due = (await self.refund_attempts(refund_id))[-1].next_check_at
        assert due is not None
        self.clock.move_to(due)
        assert await self.work_on_refunds()

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
    assert isinstance(outcome, Payment | Refund | GatewayEvent), outcome
    return ""
