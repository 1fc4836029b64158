"""Refunds that fail or whose outcome is unknown: what may have left is never sent again."""

import asyncio

import pytest
from structlog.testing import capture_logs

from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import Answer
from services.payments.domain.refunds import RefundAttempt, RefundStatus
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.send_refund import work_on_refund
from tests.operations.fakes import Call, Operation, Step, meanwhile, refund_reply
from tests.operations.refund_steps import (
    ACCEPTED,
    DONE,
    FAILED,
    LOST,
    NOT_THERE,
    QUIET,
    all_sent_once,
    creations,
    looked_up,
    newest,
    read,
    sent,
    ugx,
)
from tests.operations.stories import PRICE, alerts, bought, money_goes_back, refused
from tests.operations.suite import Suite, refusal

OUTCOMES = {
    Answer.SUCCEEDED: ("succeeded", RefundStatus.SUCCEEDED),
    Answer.PENDING: ("accepted", RefundStatus.PROCESSING),
    Answer.REQUIRES_ACTION: ("accepted", RefundStatus.PROCESSING),
    Answer.FAILED: ("failed", RefundStatus.FAILED),
    Answer.NOT_FOUND: ("unknown", RefundStatus.PROCESSING),
    Answer.NOT_SENT: ("recorded", RefundStatus.PENDING),
    Answer.NOT_CREATED: ("failed", RefundStatus.FAILED),
    Answer.UNKNOWN: ("unknown", RefundStatus.PROCESSING),
}
NO_NEWS = [Answer.NOT_FOUND, Answer.NOT_SENT, Answer.NOT_CREATED, Answer.UNKNOWN]


@pytest.mark.parametrize("answer", Answer)
async def test_what_a_refund_is_after_its_sending_was_answered(
    suite: Suite, answer: Answer
) -> None:
    refund = await sent(suite, refund_reply(answer))
    attempt = await newest(suite, refund)
    assert (str(attempt.outcome), refund.status) == OUTCOMES[answer]
    failed = refund.status is RefundStatus.FAILED
    assert (refund.failure is not None) is failed
    assert (attempt.next_check_at is None) is (answer in (Answer.SUCCEEDED, Answer.NOT_CREATED))


@pytest.mark.parametrize("answer", [*NO_NEWS, Answer.PENDING, Answer.REQUIRES_ACTION])
@pytest.mark.parametrize("after", [ACCEPTED, LOST], ids=["accepted", "unknown"])
async def test_a_look_up_without_an_end_is_repeated_and_nothing_is_sent_again(
    suite: Suite, after: Step, answer: Answer
) -> None:
    refund = await sent(suite, after)
    refund = await looked_up(suite, refund, refund_reply(answer), refund_reply(answer))
    assert refund.status is RefundStatus.PROCESSING
    assert (await newest(suite, refund)).next_check_at is not None
    assert len(creations(suite)) == 1
    await all_sent_once(suite, refund)
    assert len(creations(suite)) == 1


async def test_what_never_left_is_sent_again_under_the_same_reference(suite: Suite) -> None:
    refund = await sent(suite, refund_reply(Answer.NOT_SENT))
    for _ in range(8):
        suite.gateways.script("eversend", Operation.REFUND, refund_reply(Answer.NOT_SENT))
        await suite.work_on_next_refund(refund.id)
    assert len(await suite.refund_attempts(refund.id)) == 1
    await all_sent_once(suite, refund)
    assert len(set(creations(suite))) == 1
    assert suite.gateways.made(Operation.LOOK_UP_REFUND) == []


async def test_a_refund_that_was_not_created_waits_for_staff_and_is_alerted_once(
    suite: Suite,
) -> None:
    with capture_logs() as logs:
        refund = await sent(
            suite, refund_reply(Answer.NOT_CREATED, failure_code="refund_not_supported")
        )
    assert alerts(logs) == ["refund_failed"]
    assert refund.failure is not None
    assert refund.failure.code == "refund_not_supported"
    assert (await suite.payment(refund.payment_id)).status is PaymentStatus.COMPLETED
    assert (await suite.membership()).tier == "pro"
    suite.clock.advance(86_400)
    assert await suite.work_on_refunds() == 0


async def test_a_failed_refund_that_staff_try_again_goes_out_under_a_new_reference(
    suite: Suite,
) -> None:
    refund = await sent(suite, ACCEPTED)
    await looked_up(suite, refund, FAILED)
    again = await suite.retry_refund(refund)
    assert (again.status, again.failure) == (RefundStatus.PENDING, None)
    assert encode_answer(await suite.retry_refund(refund)) == encode_answer(again)
    await all_sent_once(suite, refund)
    first, second = creations(suite)
    assert first != second
    assert [str(each.outcome) for each in await suite.refund_attempts(refund.id)] == [
        "failed",
        "succeeded",
    ]


@pytest.mark.parametrize("answer", [ACCEPTED, LOST, DONE], ids=["accepted", "unknown", "done"])
async def test_only_a_failed_refund_is_tried_again(suite: Suite, answer: Step) -> None:
    refund = await sent(suite, answer)
    assert await refused(suite.retry_refund(refund)) == "REFUND_NOT_FAILED"
    assert len(await suite.refund_attempts(refund.id)) == 1


async def test_ten_who_try_a_failed_refund_again_at_once_make_one_attempt(suite: Suite) -> None:
    refund = await sent(suite, FAILED)
    results = await asyncio.gather(
        *(suite.retry_refund(refund, key=f"key {number}") for number in range(10)),
        return_exceptions=True,
    )
    assert sorted(refusal(each) for each in results) == [""] + ["REFUND_NOT_FAILED"] * 9
    await all_sent_once(suite, refund)
    assert len(creations(suite)) == 2


async def test_a_failed_refund_whose_money_went_back_otherwise_is_not_tried_again(
    suite: Suite,
) -> None:
    refund = await sent(suite, FAILED)
    await suite.refund(await suite.payment(refund.payment_id), ugx(1), key="part")
    assert await refused(suite.retry_refund(refund)) == "REFUND_TOO_LARGE"


async def test_not_found_proves_nothing_before_the_quiet_time_and_three_spaced_looks(
    suite: Suite,
) -> None:
    refund = await sent(suite, LOST)
    began, looks = suite.clock.now(), 0
    while (await read(suite, refund)).status is RefundStatus.PROCESSING:
        assert suite.clock.now() - began < QUIET
        await looked_up(suite, refund, NOT_THERE)
        looks += 1
        if suite.clock.now() - began < QUIET:
            assert (await read(suite, refund)).status is RefundStatus.PROCESSING
    refund = await read(suite, refund)
    assert suite.clock.now() - began >= QUIET
    assert looks > 3
    assert refund.failure is not None
    assert refund.failure.code == "refund_not_found"
    assert len(creations(suite)) == 1


async def test_looks_close_together_count_once(suite: Suite) -> None:
    refund = await sent(suite, LOST)
    suite.clock.advance(2 * QUIET.total_seconds())
    due = (await newest(suite, refund)).next_check_at
    assert due is not None
    for _ in range(4):
        suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, NOT_THERE)
        await work_on_refund(suite.deps, await newest(suite, refund))
    assert (await read(suite, refund)).status is RefundStatus.PROCESSING
    for _ in range(2):
        suite.clock.advance(60)
        suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, NOT_THERE)
        await work_on_refund(suite.deps, await newest(suite, refund))
    assert (await read(suite, refund)).status is RefundStatus.FAILED


async def test_an_accepted_refund_that_is_not_found_stays_accepted(suite: Suite) -> None:
    refund = await sent(suite, ACCEPTED)
    for _ in range(15):
        refund = await looked_up(suite, refund, NOT_THERE)
    assert refund.status is RefundStatus.PROCESSING


async def test_a_refund_that_failed_and_is_done_after_all_is_done(suite: Suite) -> None:
    refund = await sent(suite, FAILED)
    refund = await looked_up(suite, refund, FAILED, DONE)
    assert (refund.status, refund.failure) == (RefundStatus.SUCCEEDED, None)
    assert (await suite.payment(refund.payment_id)).status is PaymentStatus.REFUNDED
    assert len(creations(suite)) == 1


async def late_success(suite: Suite, first: RefundAttempt) -> None:
    """Let the first attempt, which had failed, turn out to be done."""
    suite.gateways.script(first.gateway, Operation.LOOK_UP_REFUND, DONE)
    stored = (await suite.refund_attempts(first.refund_id))[0]
    await work_on_refund(suite.deps, stored)


async def test_an_attempt_that_has_not_left_is_withdrawn_when_the_first_is_done_after_all(
    suite: Suite,
) -> None:
    refund = await sent(suite, FAILED)
    await suite.retry_refund(refund)
    first, _ = await suite.refund_attempts(refund.id)
    await late_success(suite, first)
    _, second = await suite.refund_attempts(refund.id)
    assert second.failure is not None
    assert (str(second.outcome), second.failure.code) == ("failed", "refund_superseded")
    await suite.work_on_refunds()
    assert len(creations(suite)) == 1
    assert (await read(suite, refund)).status is RefundStatus.SUCCEEDED


async def test_an_attempt_that_was_claimed_already_does_not_leave_any_more(suite: Suite) -> None:
    refund = await sent(suite, FAILED)
    await suite.retry_refund(refund)
    first, _ = await suite.refund_attempts(refund.id)
    (claimed,) = await suite.due_refunds()
    await late_success(suite, first)
    with pytest.raises(StaleWriteError):
        await work_on_refund(suite.deps, claimed)
    assert len(creations(suite)) == 1


@pytest.mark.parametrize("answer", [ACCEPTED, LOST], ids=["accepted", "unknown"])
async def test_money_that_went_back_twice_is_alerted_and_counted_once_for_the_payment(
    suite: Suite, answer: Step
) -> None:
    refund = await sent(suite, FAILED)
    await suite.retry_refund(refund)
    first, _ = await suite.refund_attempts(refund.id)
    suite.gateways.script("eversend", Operation.REFUND, answer)
    await suite.work_on_refunds()
    with capture_logs() as logs:
        await late_success(suite, first)
        assert (await read(suite, refund)).status is RefundStatus.SUCCEEDED
        await money_goes_back(suite)
    assert alerts(logs) == ["refund_doubled"]
    payment = await suite.payment(refund.payment_id)
    assert (payment.status, payment.refunded) == (PaymentStatus.REFUNDED, PRICE)
    assert await suite.balance("clearing:eversend") == -PRICE.minor


async def test_a_second_refund_in_place_of_a_failed_one_that_is_done_after_all_is_alerted(
    suite: Suite,
) -> None:
    refund = await sent(suite, FAILED)
    second = await suite.refund(await suite.payment(refund.payment_id), key="instead")
    suite.gateways.script("eversend", Operation.REFUND, DONE)
    await suite.work_on_next_refund(second.id)
    with capture_logs() as logs:
        refund = await looked_up(suite, refund, DONE)
    assert refund.status is RefundStatus.SUCCEEDED
    assert alerts(logs) == ["refund_doubled"]
    payment = await suite.payment(refund.payment_id)
    assert (payment.status, payment.refunded) == (PaymentStatus.REFUNDED, PRICE)


async def test_a_late_failure_never_undoes_what_is_done(suite: Suite) -> None:
    refund = await sent(suite, DONE)
    for answer in Answer:
        suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, refund_reply(answer))
        await work_on_refund(suite.deps, await newest(suite, refund))
    assert await read(suite, refund) == refund
    assert (await suite.payment(refund.payment_id)).refunded == PRICE


async def test_a_callback_about_a_refund_has_it_looked_up_at_once_and_is_not_believed(
    suite: Suite,
) -> None:
    refund = await sent(suite, ACCEPTED)
    charge = (await suite.attempts(refund.payment_id))[0]
    await suite.deliver(charge, event_type="refund.completed")
    assert await suite.handle_events() == 1
    assert (await read(suite, refund)).status is RefundStatus.PROCESSING
    suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, DONE)
    assert await suite.work_on_refunds() == 1
    assert (await read(suite, refund)).status is RefundStatus.SUCCEEDED


async def test_a_callback_under_the_reference_of_a_refund_finds_it(suite: Suite) -> None:
    refund = await sent(suite, ACCEPTED)
    charge = (await suite.attempts(refund.payment_id))[0]
    event_id = await suite.deliver(
        charge, reference=(await newest(suite, refund)).reference, event_type="payout.completed"
    )
    await suite.handle_events()
    assert (await suite.event_row(event_id))["payment_id"] == refund.payment_id
    suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, DONE)
    assert await suite.work_on_refunds() == 1
    assert (await read(suite, refund)).status is RefundStatus.SUCCEEDED


async def test_a_refund_that_is_asked_for_while_another_leaves_waits_for_its_turn(
    suite: Suite,
) -> None:
    payment = await bought(suite)
    await suite.refund(payment, ugx(30_000))

    async def ask_for_more(_call: Call) -> None:
        assert await refused(suite.refund(payment, ugx(5_001), key="more")) == "REFUND_TOO_LARGE"
        await suite.refund(payment, ugx(5_000), key="rest")

    suite.gateways.script("eversend", Operation.REFUND, meanwhile(ask_for_more, DONE))
    await suite.work_on_refunds()
    assert (await suite.payment(payment.id)).refunded == ugx(30_000)
    await money_goes_back(suite)
    assert (await suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert [call.amount.minor for call in suite.gateways.made(Operation.REFUND)] == [30_000, 5_000]
