"""The people of a story: a member and their client, staff, payers, and the passing of time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from kit.errors import ErrorCode, ServiceError
from kit.money import Money
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.remote import SocketPost
from proofs.crash.moved_clock import MovedClock
from proofs.crash.queues import Queues
from services.payments.domain.events import Delivery
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Customer,
    Payment,
    PaymentMethod,
)
from services.payments.domain.refunds import Refund
from services.payments.operations.cancel_payment import CancelPaymentCommand, cancel_payment
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.read_payments import list_payments
from services.payments.operations.record_gateway_event import record_gateway_event
from services.payments.operations.refund_payment import (
    RefundPaymentCommand,
    RetryRefundCommand,
    list_refunds,
    refund_payment,
    retry_refund,
)
from services.payments.operations.resolve_review import (
    ResolveReviewCommand,
    ReviewDecision,
    resolve_review,
)
from services.payments.operations.retry_payment import RetryPaymentCommand, retry_payment
from services.payments.operations.submit_action import SubmitActionCommand, submit_action
from services.payments.operations.verify_payment import verify_payment
from services.payments.ports import PaymentFilter

ResultT = TypeVar("ResultT", Payment, Refund)
ReadT = TypeVar("ReadT")

MEMBER = "member-1"
_CUSTOMER = Customer(
    email="amina@example.com",
    name="Amina Okello",
    phone_number="+256772123456",
    country_code="UG",
)
_TRIES = 6
# Longer than a take-over, so that what a stopped process left behind is decided.
_TRY_AGAIN_SECONDS = 35.0
_AGAIN = frozenset({ErrorCode.ABORTED, ErrorCode.UNAVAILABLE})


class GaveUpError(Exception):
    """A client was told to try again more often than any client does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Everybody outside, in one process.

    Every request has a key that follows from what is asked, so that a story can be told again by
    another process, as a client's repetition after a failure.
    """

    deps: Dependencies
    clock: MovedClock
    queues: Queues
    post: SocketPost

    async def create(self, method: PaymentMethod) -> None:
        """Buy a month of "pro"."""
        command = CreatePaymentCommand(
            user_id=MEMBER,
            tier="pro",
            billing_cycle=BillingCycle.MONTHLY,
            payment_method=method,
            currency="UGX",
            customer=_CUSTOMER,
            return_url="https://creators.example/return",
            idempotency_key=f"create-{method}",
        )
        await self._insist(command.idempotency_key, lambda: create_payment(self.deps, command))

    async def retry(self, method: PaymentMethod) -> None:
        """Try again by another method."""
        payment = await self._payment()
        command = RetryPaymentCommand(
            payment_id=payment.id, idempotency_key=f"retry-{method}", payment_method=method
        )
        await self._insist(
            command.idempotency_key, lambda: retry_payment(self.deps, payment, command)
        )

    async def submit_otp(self) -> None:
        """Enter the one-time password."""
        payment = await self._payment()
        command = SubmitActionCommand(payment_id=payment.id, otp="123456", idempotency_key="otp")
        await self._insist("otp", lambda: submit_action(self.deps, payment, command))

    async def cancel(self) -> None:
        """Withdraw the payment."""
        payment = await self._payment()
        command = CancelPaymentCommand(payment_id=payment.id, idempotency_key="cancel")
        await self._insist("", lambda: cancel_payment(self.deps, payment, command))

    async def verify(self) -> None:
        """Come back from the gateway's page."""
        payment = await self._payment()
        await self._insist("", lambda: verify_payment(self.deps, payment))

    async def refund(self) -> None:
        """Have staff send everything back."""
        payment = await self._payment()
        command = RefundPaymentCommand(
            payment_id=payment.id, amount=None, reason="asked for", idempotency_key="refund"
        )
        await self._insist("refund", lambda: refund_payment(self.deps, payment, command))
        await self.queues.work_off()

    async def refund_in_two_parts(self) -> None:
        """Have staff send one half back, then the other."""
        payment = await self._payment()
        half = Money(payment.amount.currency, payment.amount.minor // 2)
        for number in (1, 2):
            command = RefundPaymentCommand(
                payment_id=payment.id,
                amount=half,
                reason="asked for",
                idempotency_key=f"half-{number}",
            )
            ask = partial(refund_payment, self.deps, payment, command)
            await self._insist(command.idempotency_key, ask)
        await self.queues.work_off()

    async def retry_refund(self) -> None:
        """Have staff try a failed refund again."""
        payment = await self._payment()
        refunds = await self._read(lambda: list_refunds(self.deps, payment))
        command = RetryRefundCommand(refund_id=refunds[0].id, idempotency_key="refund-again")
        await self._insist("refund-again", lambda: retry_refund(self.deps, command))
        await self.queues.work_off()

    async def resolve_review(self, decision: ReviewDecision) -> None:
        """Have staff decide about money that is held."""
        payment = await self._payment()
        command = ResolveReviewCommand(
            payment_id=payment.id,
            decision=decision,
            reason="decided by staff",
            idempotency_key="review",
        )
        await self._insist("review", lambda: resolve_review(self.deps, payment, command))
        await self.queues.work_off()

    async def call_back(self) -> None:
        """Have the gateway call back, again and again until we acknowledge, and the worker act."""
        payment = await self._payment()
        delivery = Delivery(
            gateway=payment.gateway,
            event_key=f"charge-{payment.gateway_reference}",
            event_type="charge.completed",
            reference=payment.gateway_reference,
            gateway_transaction_id="",
            raw_body=b"{}",
            headers={},
            received_at=self.clock.now(),
        )
        await self._read(lambda: record_gateway_event(self.deps, delivery))
        await self.queues.work_off()

    async def pay(self) -> None:
        """Have every payer pay whatever they can."""
        await self.post.tell(m.PayersPay())

    async def decline(self) -> None:
        """Have every payer decline whatever they can."""
        await self.post.tell(m.PayersDecline())

    async def wait(self, seconds: float) -> None:
        """Let the time pass, and the worker do what is due then."""
        self.clock.advance(seconds)
        await self.post.tell(m.TimePasses())
        await self.queues.work_off()

    async def look(self) -> None:
        """Open the list of one's payments and follow the newest one's link."""
        await self._see(await self._payment())

    async def _payment(self) -> Payment:
        """Read the member's newest payment. Raises `LookupError` when there is none."""
        found = await self._read(lambda: list_payments(self.deps, PaymentFilter(user_id=MEMBER), 1))
        if not found:
            raise LookupError("the member has no payment")
        return found[0]

    async def _read(self, ask: Callable[[], Awaitable[ReadT]]) -> ReadT:
        """Read, or hand something over, until there is an answer.

        Raises `GaveUpError` when there never is one.
        """
        for _ in range(_TRIES):
            try:
                return await ask()
            except ServiceError:
                await self.wait(_TRY_AGAIN_SECONDS)
        raise GaveUpError("nothing can be read")

    async def _insist(self, key: str, ask: Callable[[], Awaitable[ResultT]]) -> None:
        """Ask with the same key until there is an answer or a refusal, as every client does.

        Raises `GaveUpError` when neither comes.
        """
        for _ in range(_TRIES):
            try:
                answer = await ask()
            except ServiceError as error:
                if error.code not in _AGAIN:
                    return
                await self.wait(_TRY_AGAIN_SECONDS)
                continue
            if key:
                await self.post.tell(m.Answered(key, encode_answer(answer).decode()))
            if isinstance(answer, Payment):
                await self._see(answer)
            return
        raise GaveUpError(f"no answer to {key!r}")

    async def _see(self, payment: Payment) -> None:
        if payment.next_action.kind is ActionKind.REDIRECT:
            await self.post.tell(m.PageShown(payment.next_action.value))
