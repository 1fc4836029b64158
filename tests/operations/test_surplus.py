"""Money that arrives late buys once what was asked for; what nobody needs goes back, once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment, PaymentMethod
from services.payments.domain.refunds import RefundPurpose, RefundStatus
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from tests.operations.fakes import Operation, Step, refund_reply, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    alerts,
    arrived,
    bought,
    cancelled,
    expired,
    failed,
    fully_refunded,
    look_up,
    money_goes_back,
    newest_refund,
    paid,
    settle,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, by_phone

Story = Callable[[Suite], Awaitable[Payment]]
Asking = Callable[[Suite, Attempt, Step], Awaitable[None]]
TIMES = 3


async def by_check(suite: Suite, attempt: Attempt, step: Step) -> None:
    await look_up(suite, attempt, step)


async def by_callback(suite: Suite, attempt: Attempt, step: Step) -> None:
    suite.gateways.script(attempt.gateway, Operation.LOOK_UP, step)
    key = f"event {len(suite.gateways.calls)}"
    await suite.deliver(attempt, key=key)
    assert await suite.handle_events() == 1


EVERY_WAY = pytest.mark.parametrize("ask", [by_check, by_callback])


async def first_attempt(suite: Suite, payment: Payment) -> Attempt:
    return (await suite.attempts(payment.id))[0]


async def fell_back(suite: Suite) -> Payment:
    """Let the reply of the first gateway be lost, and the second one open its page."""
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    return await suite.create()


async def retried(suite: Suite) -> Payment:
    return await suite.retry(await failed(suite))


async def switched(suite: Suite) -> Payment:
    """Let the member leave the page for a prompt on the phone."""
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    return await suite.retry(payment, payment_method=PaymentMethod.MOBILE_MONEY)


async def given_up_for_lost(suite: Suite) -> Payment:
    """Let a prompt be unknown until it counts as never sent."""
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create(by_phone())
    while (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        await suite.check_next(payment.id)
    return await suite.payment(payment.id)


COMPLETABLE = {
    "failed": failed,
    "expired": expired,
    "given up for lost": given_up_for_lost,
    "fell back": fell_back,
    "retried": retried,
    "switched to the phone": switched,
}


@EVERY_WAY
@pytest.mark.parametrize("story", COMPLETABLE.values(), ids=COMPLETABLE)
async def test_late_money_completes_what_is_not_paid_yet_and_is_kept_once(
    suite: Suite, story: Story, ask: Asking
) -> None:
    payment = await story(suite)
    late = await first_attempt(suite, payment)
    for _ in range(TIMES):
        await ask(suite, late, paid())
    payment = await suite.payment(payment.id)
    assert (payment.status, payment.failure) == (PaymentStatus.COMPLETED, None)
    assert payment.gateway_reference == late.reference
    assert await uses(suite, payment) == ["kept"]
    assert await surplus_of(suite, payment) == []
    assert (await suite.membership()).payment_id == payment.id


SECOND_ATTEMPTS = {"fell back": fell_back, "retried": retried, "switched": switched}


@EVERY_WAY
@pytest.mark.parametrize("story", SECOND_ATTEMPTS.values(), ids=SECOND_ATTEMPTS)
async def test_money_on_both_attempts_is_kept_once_and_goes_back_once(
    suite: Suite, story: Story, ask: Asking
) -> None:
    payment = await story(suite)
    old, new = await suite.attempts(payment.id)
    await ask(suite, new, paid())
    membership = await suite.membership()
    for _ in range(TIMES):
        await ask(suite, old, paid())
        await ask(suite, new, paid())
    assert await uses(suite, payment) == ["kept", "surplus"]
    assert await surplus_of(suite, payment) == [(PRICE, "pending")]
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")]
    assert len(suite.gateways.made(Operation.REFUND)) == 1
    after = await suite.payment(payment.id)
    assert (after.status, after.refunded_minor) == (PaymentStatus.COMPLETED, 0)
    assert await suite.membership() == membership
    assert await suite.balance("liability:surplus") == 0
    assert await suite.balance("revenue:memberships") == -PRICE.minor


@pytest.mark.parametrize("story", SECOND_ATTEMPTS.values(), ids=SECOND_ATTEMPTS)
async def test_late_money_that_wins_makes_that_of_the_live_attempt_surplus(
    suite: Suite, story: Story
) -> None:
    payment = await story(suite)
    old, new = await suite.attempts(payment.id)
    await look_up(suite, old, paid())
    await look_up(suite, new, paid())
    captures = await suite.captures(payment.id)
    assert {(each.attempt_id, str(each.use)) for each in captures} == {
        (old.id, "kept"),
        (new.id, "surplus"),
    }
    await money_goes_back(suite)
    (sent,) = suite.gateways.made(Operation.REFUND)
    assert (sent.gateway, sent.transaction_id) == (new.gateway, f"tx-{new.reference}")


@EVERY_WAY
@pytest.mark.parametrize(
    "amount", [PRICE, Money("UGX", 1), Money("UGX", 99_000), Money("KES", 500)], ids=str
)
async def test_whatever_arrives_after_a_cancellation_goes_straight_back(
    suite: Suite, amount: Money, ask: Asking
) -> None:
    payment = await cancelled(suite)
    with capture_logs() as logs:
        for _ in range(TIMES):
            await ask(suite, await first_attempt(suite, payment), paid(amount=amount))
    assert alerts(logs) == ["surplus_found"]
    await money_goes_back(suite)
    after = await suite.payment(payment.id)
    assert (after.status, after.review_reason) == (PaymentStatus.CANCELLED, None)
    assert await surplus_of(suite, payment) == [(amount, "succeeded")]
    assert (await suite.membership()).payment_id is None
    assert await suite.balance("liability:surplus", amount.currency) == 0
    assert await suite.balance("clearing:eversend", amount.currency) == 0


async def test_money_on_another_attempt_after_all_of_it_went_back_goes_back_too(
    suite: Suite,
) -> None:
    payment = await fell_back(suite)
    old, _ = await suite.attempts(payment.id)
    await arrived(suite, payment)
    await suite.refund(payment)
    await money_goes_back(suite)
    await look_up(suite, old, paid())
    await money_goes_back(suite)
    assert (await suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert await uses(suite, payment) == ["kept", "surplus"]
    assert (await suite.membership()).payment_id is None
    for account in ("clearing:eversend", "clearing:flutterwave", "revenue:memberships"):
        assert await suite.balance(account) == 0


@EVERY_WAY
@pytest.mark.parametrize("story", [failed, expired], ids=["failed", "expired"])
async def test_late_money_goes_back_when_the_same_was_bought_with_another_payment(
    suite: Suite, story: Story, ask: Asking
) -> None:
    payment = await story(suite)
    await bought(suite, by_card(idempotency_key="key-2"))
    membership = await suite.membership()
    for _ in range(TIMES):
        await ask(suite, await first_attempt(suite, payment), paid())
    await money_goes_back(suite)
    assert (await suite.payment(payment.id)).status is payment.status
    assert await suite.membership() == membership
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")]


async def test_late_money_still_buys_when_what_was_bought_meanwhile_went_back(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    other = await bought(suite, by_card(idempotency_key="key-2"))
    await suite.refund(other)
    await money_goes_back(suite)
    assert (await suite.membership()).payment_id is None
    late = await arrived(suite, payment)
    assert late.status is PaymentStatus.COMPLETED
    assert (await suite.membership()).payment_id == payment.id


async def test_more_than_the_price_sends_the_excess_back_and_leaves_the_rest_refundable(
    suite: Suite,
) -> None:
    payment = await suite.create()
    await arrived(suite, payment, amount=Money("UGX", 40_000), fee=Money("UGX", 700))
    assert await surplus_of(suite, payment) == [(Money("UGX", 5_000), "pending")]
    refund = await suite.refund(payment)
    assert (refund.amount, refund.purpose) == (PRICE, RefundPurpose.REQUESTED)
    await money_goes_back(suite)
    assert (await suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert await suite.balance("clearing:eversend") == -700
    assert await suite.balance("expense:gateway_fees") == 700
    assert await suite.balance("revenue:memberships") == 0


async def test_a_refund_of_surplus_that_fails_waits_for_staff_and_goes_back_in_the_end(
    suite: Suite,
) -> None:
    payment = await cancelled(suite)
    await arrived(suite, payment)
    refund = await newest_refund(suite, payment)
    refusal = refund_reply(Answer.NOT_CREATED, failure_code="refund_not_supported")
    suite.gateways.script("eversend", Operation.REFUND, refusal)
    with capture_logs() as logs:
        await suite.work_on_refunds()
    assert alerts(logs) == ["refund_failed"]
    assert (await newest_refund(suite, payment)).status is RefundStatus.FAILED
    assert await suite.balance("liability:surplus") == -PRICE.minor
    await suite.retry_refund(refund)
    await money_goes_back(suite)
    assert await suite.balance("liability:surplus") == 0


async def test_a_refunded_payment_does_not_grant_again_when_its_money_is_reported_again(
    suite: Suite,
) -> None:
    payment = await fully_refunded(suite)
    attempt = await first_attempt(suite, payment)
    for _ in range(TIMES):
        await by_callback(suite, attempt, paid())
    await settle(suite)
    assert (await suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert await uses(suite, payment) == ["kept"]
    assert (await suite.membership()).payment_id is None
    assert len(suite.gateways.made(Operation.REFUND)) == 1


async def test_one_success_that_many_ask_about_at_once_counts_once(suite: Suite) -> None:
    payment = await failed(suite)
    late = await first_attempt(suite, payment)
    suite.gateways.always(Operation.LOOK_UP, paid())
    for number in range(8):
        await suite.deliver(late, key=f"event {number}")
    events = await suite.due_events()
    await asyncio.gather(
        *(check_attempt(suite.deps, late) for _ in range(8)),
        *(suite.process().handle_events() for _ in events),
    )
    assert await uses(suite, payment) == ["kept"]
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED


async def test_both_attempts_paid_at_once_keep_one_and_return_the_other(suite: Suite) -> None:
    payment = await retried(suite)
    old, new = await suite.attempts(payment.id)
    suite.gateways.always(Operation.LOOK_UP, paid())
    await asyncio.gather(
        *(check_attempt(suite.deps, each) for each in (old, new) for _ in range(4))
    )
    assert sorted(await uses(suite, payment)) == ["kept", "surplus"]
    assert len(await surplus_of(suite, payment)) == 1


async def test_two_payments_for_the_same_thing_paid_at_once_keep_one(suite: Suite) -> None:
    first = await failed(suite)
    second = await suite.create(by_card(idempotency_key="key-2"))
    old, new = await first_attempt(suite, first), await first_attempt(suite, second)
    suite.gateways.always(Operation.LOOK_UP, paid())
    await asyncio.gather(
        *(check_attempt(suite.deps, each) for each in (old, new) for _ in range(4))
    )
    assert sorted(await uses(suite, first) + await uses(suite, second)) == ["kept", "surplus"]
    statuses = {(await suite.payment(each.id)).status for each in (first, second)}
    assert PaymentStatus.COMPLETED in statuses
    assert statuses < {PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.CANCELLED}
    outcomes = [(await first_attempt(suite, each)).outcome for each in (first, second)]
    assert outcomes == [AttemptOutcome.SUCCEEDED] * 2
