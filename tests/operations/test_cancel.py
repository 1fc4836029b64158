"""Withdrawing a payment: only the gateway's acknowledgement cancels, and money wins over it."""

import asyncio
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from kit.errors import ServiceError
from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, Payment
from services.payments.domain.refunds import RefundPurpose
from services.payments.domain.states import PaymentStatus
from services.payments.mapping import payment_message
from services.payments.operations.idempotency import encode_answer
from tests.operations.fakes import Call, Gate, Operation, Step, meanwhile, reply
from tests.operations.suite import Suite, by_card, by_phone, refusal

NOBODY_PAID = reply(Answer.NOT_FOUND)
AT_ONCE = 10


async def refused(suite: Suite, payment: Payment, key: str = "cancel-1") -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await suite.cancel(payment, key)
    return raised.value


async def open_payment(suite: Suite, *look_ups: Step) -> Payment:
    """Open a payment by card; `look_ups`: what the gateway says whenever it is asked."""
    suite.gateways.script("eversend", Operation.LOOK_UP, *look_ups)
    return await suite.create()


async def test_an_acknowledged_closing_cancels_the_payment(suite: Suite) -> None:
    payment = await suite.cancel(await open_payment(suite, NOBODY_PAID))
    assert (payment.status, payment.next_action) == (PaymentStatus.CANCELLED, NO_ACTION)
    assert payment == await suite.payment(payment.id)
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.CANCELLED
    assert [call.operation for call in suite.gateways.calls] == ["create", "cancel", "look_up"]
    assert await suite.moves(payment.id) == ["processing", "cancelled"]
    assert await suite.facts(payment.id) == ["payment.cancelled"]


CLOSINGS = [
    (Answer.FAILED, "FAILED_PRECONDITION", "ATTEMPT_NOT_CLOSED"),
    (Answer.NOT_CREATED, "FAILED_PRECONDITION", "ATTEMPT_NOT_CLOSED"),
    (Answer.PENDING, "UNAVAILABLE", "GATEWAY_NOT_REACHABLE"),
    (Answer.REQUIRES_ACTION, "UNAVAILABLE", "GATEWAY_NOT_REACHABLE"),
    (Answer.NOT_FOUND, "UNAVAILABLE", "GATEWAY_NOT_REACHABLE"),
    (Answer.NOT_SENT, "UNAVAILABLE", "GATEWAY_NOT_REACHABLE"),
    (Answer.UNKNOWN, "UNAVAILABLE", "GATEWAY_NOT_REACHABLE"),
]


@pytest.mark.parametrize(("closing", "code", "reason"), CLOSINGS)
async def test_without_acknowledgement_the_payment_stays_open(
    suite: Suite, closing: Answer, code: str, reason: str
) -> None:
    payment = await open_payment(suite)
    suite.gateways.script("eversend", Operation.CANCEL, reply(closing))
    error = await refused(suite, payment)
    assert (error.code, error.reason) == (code, reason)
    assert await suite.payment(payment.id) == payment
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.LIVE
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAID)
    assert (await suite.cancel(payment)).status is PaymentStatus.CANCELLED


async def test_a_page_on_which_a_try_had_failed_is_cancelled_once_it_is_closed(
    suite: Suite,
) -> None:
    last_try_failed = reply(Answer.PENDING, failure_code="card_declined")
    payment = await suite.cancel(await open_payment(suite, last_try_failed))
    assert payment.status is PaymentStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class AfterClosing:
    """What the gateway says once the link is closed, and what becomes of the payment."""

    name: str
    step: Step
    reason: str
    status: PaymentStatus


AFTER_CLOSING = [
    AfterClosing(
        "paid", reply(Answer.SUCCEEDED), "PAYMENT_NOT_CANCELLABLE", PaymentStatus.COMPLETED
    ),
    AfterClosing(
        "underpaid",
        reply(Answer.SUCCEEDED, amount=Money("UGX", 1)),
        "PAYMENT_NOT_CANCELLABLE",
        PaymentStatus.PROCESSING,
    ),
    AfterClosing(
        "is paying", reply(Answer.PENDING), "ATTEMPT_NOT_CLOSED", PaymentStatus.PROCESSING
    ),
    AfterClosing(
        "has to act", reply(Answer.REQUIRES_ACTION), "ATTEMPT_NOT_CLOSED", PaymentStatus.PROCESSING
    ),
    AfterClosing(
        "no answer", reply(Answer.UNKNOWN), "GATEWAY_NOT_REACHABLE", PaymentStatus.PROCESSING
    ),
    AfterClosing(
        "not sent", reply(Answer.NOT_SENT), "GATEWAY_NOT_REACHABLE", PaymentStatus.PROCESSING
    ),
    AfterClosing("declined", reply(Answer.FAILED), "PAYMENT_NOT_CANCELLABLE", PaymentStatus.FAILED),
]


@pytest.mark.parametrize("after", AFTER_CLOSING, ids=lambda after: after.name)
async def test_what_the_gateway_says_after_the_closing_wins_over_the_withdrawal(
    suite: Suite, after: AfterClosing
) -> None:
    suite.gateways.always(Operation.LOOK_UP, after.step)
    payment = await suite.create()
    assert (await refused(suite, payment)).reason == after.reason
    assert (await suite.payment(payment.id)).status is after.status
    assert "payment.cancelled" not in await suite.facts(payment.id)


async def test_money_that_is_found_while_cancelling_completes_the_payment(suite: Suite) -> None:
    payment = await open_payment(suite, reply(Answer.SUCCEEDED))
    error = await refused(suite, payment)
    assert error.metadata == {"status": "completed"}
    assert (await suite.membership()).tier == "pro"
    assert await suite.effects(payment.id) == ["tier_granted"]


async def paid_by_callback(suite: Suite, payment: Payment) -> None:
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(await suite.newest_attempt(payment.id))
    assert await suite.handle_events() == 1


@pytest.mark.parametrize("operation", [Operation.CANCEL, Operation.LOOK_UP])
async def test_money_that_is_verified_while_a_withdrawal_is_under_way_wins(
    suite: Suite, operation: Operation
) -> None:
    payment = await suite.create()

    async def pay(_call: Call) -> None:
        await paid_by_callback(suite, payment)

    answers = {Operation.CANCEL: reply(Answer.SUCCEEDED), Operation.LOOK_UP: NOBODY_PAID}
    suite.gateways.script("eversend", operation, meanwhile(pay, answers[operation]))
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAID)
    assert (await refused(suite, payment)).reason == "PAYMENT_NOT_CANCELLABLE"
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]


async def test_money_that_arrives_after_the_cancellation_goes_back(suite: Suite) -> None:
    payment = await suite.cancel(await open_payment(suite, NOBODY_PAID))
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    with capture_logs() as logs:
        await suite.check_next(payment.id)
    late = await suite.payment(payment.id)
    assert late.status is PaymentStatus.CANCELLED
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.SUCCEEDED
    (capture,) = await suite.captures(payment.id)
    assert (capture.use, capture.excess) == (CaptureUse.SURPLUS, payment.amount)
    (refund,) = await suite.refunds(payment.id)
    assert (refund.amount, refund.purpose) == (payment.amount, RefundPurpose.SURPLUS)
    assert await suite.effects(payment.id) == ["surplus_found"]
    assert [line["event"] for line in logs if line.get("alert")] == ["surplus_found"]
    assert encode_answer(await suite.cancel(payment)) == encode_answer(payment)


async def test_a_payment_that_is_being_sent_is_not_cancelled_yet(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    creation = asyncio.create_task(suite.create())
    await gate.reached()
    (row,) = await suite.witness.rows("SELECT id FROM creators_membership")
    error = await refused(suite, await suite.payment(row["id"]))
    assert (error.code, error.reason) == ("ABORTED", "REQUEST_IN_PROGRESS")
    gate.open()
    assert (await creation).status is PaymentStatus.PROCESSING
    assert not suite.gateways.made(Operation.CANCEL)


async def test_a_prompt_whose_outcome_is_unknown_is_not_cancelled(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create(by_phone())
    assert (await refused(suite, payment)).reason == "ATTEMPT_NOT_CLOSED"
    assert await suite.payment(payment.id) == payment
    assert not suite.gateways.made(Operation.CANCEL)


@pytest.mark.parametrize(
    ("found", "status"), [(Answer.SUCCEEDED, "completed"), (Answer.FAILED, "failed")]
)
async def test_a_payment_that_is_over_is_not_cancelled(
    suite: Suite, found: Answer, status: str
) -> None:
    suite.gateways.always(Operation.LOOK_UP, reply(found))
    payment = await suite.create()
    await suite.check_next(payment.id)
    error = await refused(suite, payment)
    assert (error.reason, error.metadata) == ("PAYMENT_NOT_CANCELLABLE", {"status": status})


async def test_a_payment_that_is_held_for_review_is_not_cancelled(suite: Suite) -> None:
    payment = await open_payment(suite, reply(Answer.SUCCEEDED, amount=Money("UGX", 1)))
    await suite.check_next(payment.id)
    calls = len(suite.gateways.calls)
    assert (await refused(suite, payment)).reason == "PAYMENT_NOT_CANCELLABLE"
    assert len(suite.gateways.calls) == calls


async def test_a_repeated_cancellation_gets_the_first_answer_and_asks_nobody(
    suite: Suite,
) -> None:
    payment = await open_payment(suite, NOBODY_PAID)
    first = await suite.cancel(payment)
    calls = len(suite.gateways.calls)
    suite.clock.advance(3600)
    assert encode_answer(await suite.cancel(payment)) == encode_answer(first)
    assert encode_answer(await suite.cancel(payment, "another key")) == encode_answer(first)
    assert len(suite.gateways.calls) == calls


async def test_the_key_of_a_cancellation_is_refused_for_another_payment(suite: Suite) -> None:
    one = await open_payment(suite, NOBODY_PAID)
    other = await suite.create(by_card(idempotency_key="key-2", tier="studio"))
    await suite.cancel(one, "cancel-1")
    error = await refused(suite, other, "cancel-1")
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
    assert await suite.payment(other.id) == other


@pytest.mark.parametrize("keys", [1, AT_ONCE], ids=["one key", "many keys"])
async def test_cancellations_that_run_at_once_cancel_once(suite: Suite, keys: int) -> None:
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAID)
    payment = await suite.create()
    outcomes = await asyncio.gather(
        *(suite.cancel(payment, f"cancel-{number % keys}") for number in range(AT_ONCE)),
        return_exceptions=True,
    )
    assert {refusal(each) for each in outcomes} <= {"", "REQUEST_IN_PROGRESS"}
    cancelled = await suite.cancel(payment)
    assert cancelled.status is PaymentStatus.CANCELLED
    answers = [payment_message(each) for each in outcomes if isinstance(each, Payment)]
    assert all(each == payment_message(cancelled) for each in answers)
    assert await suite.moves(payment.id) == ["processing", "cancelled"]
    assert await suite.facts(payment.id) == ["payment.cancelled"]


async def test_after_a_cancellation_the_member_can_buy_again(suite: Suite) -> None:
    one = await suite.cancel(await open_payment(suite, NOBODY_PAID))
    again = await suite.create(by_card(idempotency_key="key-2"))
    assert again.id != one.id
    assert again.status is PaymentStatus.PROCESSING


async def test_a_caller_that_hangs_up_does_not_stop_its_cancellation(suite: Suite) -> None:
    gate = Gate()
    payment = await open_payment(suite, NOBODY_PAID)
    suite.gateways.script("eversend", Operation.CANCEL, gate.before(reply(Answer.SUCCEEDED)))
    cancellation = asyncio.create_task(suite.cancel(payment))
    await gate.reached()
    cancellation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancellation
    gate.open()
    await suite.deps.tasks.drain(10)
    assert (await suite.payment(payment.id)).status is PaymentStatus.CANCELLED
