"""Two successes under one reference (two tabs, a late transfer): the second goes back, once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from kit.money import Money
from services.payments.domain.attempts import Attempt
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from tests.operations.fakes import Operation, Step, by_transaction, reply
from tests.operations.stories import (
    DECLINED,
    NOBODY_PAYS,
    PRICE,
    alerts,
    bought,
    failed,
    look_up,
    money_goes_back,
    paid,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, by_phone

SECOND = "tx-second-tab"
FirstKnown = Callable[[Suite, Attempt], Awaitable[None]]


def knows(first: Step, *others: str, **changes: str) -> Step:
    """Answer `first` by reference, and a success about each of the other transactions."""
    return by_transaction({each: paid(**changes) for each in others}, first)


def with_others(*others: str) -> Step:
    """Answer with the first success, and name the others under the same reference."""
    return knows(paid(further_transaction_ids=others), *others)


async def by_hint(suite: Suite, attempt: Attempt) -> None:
    """Let a callback name the second transaction."""
    suite.gateways.always(Operation.LOOK_UP, knows(paid(), SECOND))
    key = f"event {len(suite.gateways.calls)}"
    await suite.deliver(attempt, key=key, gateway_transaction_id=SECOND)
    assert await suite.handle_events() == 1


async def by_further_ids(suite: Suite, attempt: Attempt) -> None:
    """Let the gateway name the second transaction beside the first."""
    suite.gateways.always(Operation.LOOK_UP, with_others(SECOND))
    await check_attempt(suite.deps, attempt)


async def by_sweep(suite: Suite, attempt: Attempt) -> None:
    """Let nobody tell: the worker asks again by itself some time after the success."""
    suite.gateways.always(Operation.LOOK_UP, with_others(SECOND))
    await suite.check_next(attempt.payment_id)


WAYS = pytest.mark.parametrize("way", [by_hint, by_further_ids, by_sweep])


@WAYS
@pytest.mark.parametrize("times", [1, 3])
async def test_a_second_success_is_kept_once_and_returned_once(
    suite: Suite, way: FirstKnown, times: int
) -> None:
    payment = await bought(suite)
    membership = await suite.membership()
    attempt = await suite.newest_attempt(payment.id)
    for _ in range(times):
        await way(suite, await suite.newest_attempt(payment.id))
    assert await uses(suite, payment) == ["kept", "surplus"]
    await money_goes_back(suite)
    (sent,) = suite.gateways.made(Operation.REFUND)
    assert (sent.transaction_id, sent.amount) == (SECOND, PRICE)
    after = await suite.payment(payment.id)
    assert (after.status, after.refunded_minor) == (PaymentStatus.COMPLETED, 0)
    assert after.gateway_transaction_id == f"tx-{attempt.reference}"
    assert await suite.membership() == membership
    assert await suite.balance("liability:surplus") == 0


async def test_both_successes_may_be_found_by_the_same_first_look(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await look_up(suite, attempt)
    suite.gateways.always(Operation.LOOK_UP, with_others(SECOND, "tx-third-tab"))
    with capture_logs() as logs:
        await check_attempt(suite.deps, attempt)
    assert await uses(suite, payment) == ["kept", "surplus", "surplus"]
    assert alerts(logs) == ["surplus_found", "surplus_found"]
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")] * 2


async def test_whichever_success_is_reported_first_one_is_kept(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    first = f"tx-{attempt.reference}"
    steps = [paid(gateway_transaction_id=each) for each in (SECOND, first)]
    await look_up(suite, attempt, *steps)
    captures = await suite.captures(payment.id)
    assert {(each.gateway_transaction_id, str(each.use)) for each in captures} == {
        (SECOND, "kept"),
        (first, "surplus"),
    }


async def test_a_paid_page_is_swept_for_three_days_and_then_left_alone(suite: Suite) -> None:
    payment = await bought(suite)
    suite.gateways.always(Operation.LOOK_UP, paid())
    began, looked = suite.clock.now(), []
    while (await suite.newest_attempt(payment.id)).next_check_at is not None:
        await suite.check_next(payment.id)
        looked.append(suite.clock.now() - began)
    assert looked == [
        timedelta(minutes=1),
        timedelta(minutes=15),
        timedelta(hours=2),
        timedelta(hours=24),
        timedelta(days=3),
    ]
    assert await uses(suite, payment) == ["kept"]


async def test_a_sweep_that_gets_no_answer_does_not_end_the_sweeping(suite: Suite) -> None:
    payment = await bought(suite)
    for answer in (Answer.UNKNOWN, Answer.NOT_FOUND, Answer.FAILED):
        suite.gateways.script("eversend", Operation.LOOK_UP, reply(answer))
        await suite.check_next(payment.id)
    await by_sweep(suite, await suite.newest_attempt(payment.id))
    assert await uses(suite, payment) == ["kept", "surplus"]


async def test_a_prompt_can_be_approved_once_and_is_not_swept(suite: Suite) -> None:
    payment = await bought(suite, by_phone())
    assert (await suite.newest_attempt(payment.id)).next_check_at is None


async def test_a_second_success_that_the_gateway_does_not_tell_about_yet_is_asked_for_again(
    suite: Suite,
) -> None:
    payment = await bought(suite)
    attempt = await suite.newest_attempt(payment.id)
    silent = by_transaction({SECOND: reply(Answer.UNKNOWN)}, paid())
    suite.gateways.always(Operation.LOOK_UP, silent)
    event_id = await suite.deliver(attempt, key=SECOND, gateway_transaction_id=SECOND)
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "received"
    suite.gateways.always(Operation.LOOK_UP, knows(paid(), SECOND))
    suite.clock.advance(60)
    assert await suite.handle_events() == 1
    assert (await suite.event_row(event_id))["status"] == "processed"
    assert await uses(suite, payment) == ["kept", "surplus"]


FORGED: dict[str, Step] = {
    "pending": reply(Answer.PENDING),
    "declined": DECLINED,
    "unknown to the gateway": NOBODY_PAYS,
    "no answer": reply(Answer.UNKNOWN),
    "another transaction": paid(gateway_transaction_id="tx-of-somebody-else"),
    "another reference": paid(reference="cpsomebodyelse"),
    "no reference": paid(reference=""),
}


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("status", ["open", "completed", "failed"])
async def test_a_forged_hint_neither_grants_nor_returns_nor_holds_anything(
    suite: Suite, said: Step, status: str
) -> None:
    stories: dict[str, Callable[[], Awaitable[Payment]]] = {
        "open": suite.create,
        "completed": lambda: bought(suite),
        "failed": lambda: failed(suite),
    }
    payment = await stories[status]()
    captured = await suite.captures(payment.id)
    attempt = await suite.newest_attempt(payment.id)
    by_reference = paid() if status == "completed" else NOBODY_PAYS
    suite.gateways.always(Operation.LOOK_UP, by_transaction({"tx-forged": said}, by_reference))
    await suite.deliver(attempt, key="forged", gateway_transaction_id="tx-forged")
    await suite.handle_events()
    after = await suite.payment(payment.id)
    assert (after.status, after.review_reason) == (payment.status, None)
    assert await suite.captures(payment.id) == captured
    assert await suite.refunds(payment.id) == []


async def test_a_hint_at_money_that_bought_another_payment_changes_neither(suite: Suite) -> None:
    theirs = await bought(suite, by_card(user_id="member-2", idempotency_key="key-2"))
    their_transaction = theirs.gateway_transaction_id
    for payment in (
        await bought(suite),
        await suite.create(by_card(tier="starter", idempotency_key="k3")),
    ):
        attempt = await suite.newest_attempt(payment.id)
        suite.gateways.always(Operation.LOOK_UP, knows(paid(), their_transaction))
        await suite.deliver(
            attempt, key=f"of {payment.id}", gateway_transaction_id=their_transaction
        )
        await suite.handle_events()
        assert (await suite.payment(payment.id)).review_reason is None
        assert await uses(suite, payment) == ["kept"]
    assert await uses(suite, theirs) == ["kept"]
    assert (await suite.membership("member-2")).tier == "pro"


async def test_a_hint_at_money_of_another_open_payment_leaves_it_to_that_payment(
    suite: Suite,
) -> None:
    theirs = await suite.create(by_card(user_id="member-2", idempotency_key="key-2"))
    their_reference = theirs.gateway_reference
    their_transaction = f"tx-{their_reference}"
    mine = await bought(suite)
    attempt = await suite.newest_attempt(mine.id)
    forged = knows(paid(), their_transaction, reference=their_reference)
    suite.gateways.always(Operation.LOOK_UP, forged)
    await suite.deliver(attempt, key="forged", gateway_transaction_id=their_transaction)
    await suite.handle_events()
    assert (await suite.payment(mine.id)).review_reason is None
    assert (await suite.membership("member-2")).tier == FREE_TIER
    await look_up(suite, await suite.newest_attempt(theirs.id), paid())
    assert (await suite.payment(theirs.id)).status is PaymentStatus.COMPLETED
    assert await uses(suite, theirs) == ["kept"]


async def test_a_second_success_of_another_amount_goes_back_as_it_came(suite: Suite) -> None:
    payment = await bought(suite)
    attempt = await suite.newest_attempt(payment.id)
    odd = Money("UGX", 12_345)
    second = by_transaction({SECOND: paid(amount=odd)}, paid(further_transaction_ids=(SECOND,)))
    suite.gateways.always(Operation.LOOK_UP, second)
    await check_attempt(suite.deps, attempt)
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(odd, "succeeded")]
    assert (await suite.payment(payment.id)).review_reason is None


async def test_the_fitting_one_of_two_successes_grants_and_the_other_waits_for_staff(
    suite: Suite,
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    little = paid(amount=Money("UGX", 100), further_transaction_ids=(SECOND,))
    suite.gateways.always(Operation.LOOK_UP, by_transaction({SECOND: paid()}, little))
    await check_attempt(suite.deps, attempt)
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await uses(suite, payment) == ["held", "kept"]


async def test_hints_and_sweeps_at_once_return_a_second_success_once(suite: Suite) -> None:
    payment = await bought(suite)
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.always(Operation.LOOK_UP, with_others(SECOND))
    for number in range(4):
        await suite.deliver(attempt, key=f"event {number}", gateway_transaction_id=SECOND)
    await asyncio.gather(
        *(suite.process().handle_events() for _ in range(2)),
        *(check_attempt(suite.deps, attempt, hint=SECOND) for _ in range(6)),
    )
    assert await uses(suite, payment) == ["kept", "surplus"]
    assert len(await surplus_of(suite, payment)) == 1
