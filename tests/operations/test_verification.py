"""What is believed about money: what the gateway says under our reference, and only if it fits."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from kit.errors import ServiceError
from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.verify_payment import verify_payment
from tests.operations.fakes import Operation, Step, reply
from tests.operations.suite import Suite, by_card

PRICE = Money("UGX", 35_000)


async def by_poll(suite: Suite, payment: Payment) -> None:
    await suite.check_next(payment.id)


async def by_callback(suite: Suite, payment: Payment) -> None:
    key = f"event {len(suite.gateways.calls)} of {payment.id}"
    await suite.deliver(await suite.newest_attempt(payment.id), key=key)
    assert await suite.handle_events() == 1


async def by_request(suite: Suite, payment: Payment) -> None:
    await verify_payment(suite.deps, await suite.payment(payment.id))


Way = Callable[[Suite, Payment], Awaitable[None]]
EVERY_WAY = pytest.mark.parametrize("ask", [by_poll, by_callback, by_request])


def paid(**changes: Any) -> Step:
    return reply(Answer.SUCCEEDED, **changes)


async def found(suite: Suite, payment: Payment, *steps: Step, ask: Way = by_poll) -> Payment:
    """Have the gateway say something about the newest attempt; return the payment afterwards."""
    suite.gateways.script((await suite.payment(payment.id)).gateway, Operation.LOOK_UP, *steps)
    for _ in steps:
        await ask(suite, payment)
    return await suite.payment(payment.id)


def alerts(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in logs if line.get("alert") is True]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Money that does not fit, and the words with which it is held."""

    name: str
    step: Step
    reason: str


MISFITS = [
    Misfit("under", paid(amount=Money("UGX", 34_999)), "underpaid"),
    Misfit("currency", paid(amount=Money("KES", 3_500_000)), "KES instead of UGX"),
    Misfit("reference", paid(reference="cpsomebodyelse"), "another reference"),
    Misfit("no reference", paid(reference=""), "another reference"),
    Misfit("no amount", paid(amount=None), "no amount"),
]


@EVERY_WAY
async def test_the_exact_amount_completes_and_grants_once(suite: Suite, ask: Way) -> None:
    payment = await found(suite, await suite.create(), paid(), ask=ask)
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.completed_at == suite.clock.now()
    assert (await suite.membership()).tier == "pro"
    (attempt,) = await suite.attempts(payment.id)
    assert (attempt.outcome, attempt.surplus) == (AttemptOutcome.SUCCEEDED, None)
    assert attempt.next_check_at is None
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]


@EVERY_WAY
async def test_more_than_the_price_grants_once_and_keeps_the_excess_as_surplus(
    suite: Suite, ask: Way
) -> None:
    payment = await suite.create()
    with capture_logs() as logs:
        payment = await found(suite, payment, paid(amount=Money("UGX", 35_001)), ask=ask)
    assert payment.status is PaymentStatus.COMPLETED
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.surplus == Money("UGX", 1)
    assert sorted(await suite.effects(payment.id)) == ["surplus_found", "tier_granted"]
    assert alerts(logs) == ["surplus_found"]


@EVERY_WAY
@pytest.mark.parametrize("misfit", MISFITS, ids=lambda misfit: misfit.name)
async def test_money_that_does_not_fit_is_held_and_grants_nothing(
    suite: Suite, misfit: Misfit, ask: Way
) -> None:
    payment = await suite.create()
    with capture_logs() as logs:
        payment = await found(suite, payment, misfit.step, ask=ask)
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.review_reason is not None
    assert misfit.reason in payment.review_reason
    assert payment.next_action.kind is ActionKind.NONE
    assert (await suite.membership()).tier == FREE_TIER
    assert await suite.effects(payment.id) == ["held_for_review"]
    assert await suite.facts(payment.id) == []
    assert alerts(logs) == ["held_for_review"]


async def test_money_that_does_not_fit_is_alerted_about_once(suite: Suite) -> None:
    under = MISFITS[0].step
    payment = await suite.create()
    with capture_logs() as logs:
        await found(suite, payment, under, under, under)
    assert alerts(logs) == ["held_for_review"]
    assert await suite.effects(payment.id) == ["held_for_review"]


async def test_a_payment_that_is_held_completes_when_the_money_fits_after_all(
    suite: Suite,
) -> None:
    payment = await found(suite, await suite.create(), MISFITS[0].step, paid())
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.review_reason is None
    assert await suite.effects(payment.id) == ["held_for_review", "tier_granted"]


async def test_a_second_success_of_a_completed_payment_is_surplus(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    completed = await found(suite, await suite.create(), paid())
    held = await suite.membership()
    lost, _ = await suite.attempts(completed.id)
    suite.gateways.script("eversend", Operation.LOOK_UP, paid())
    with capture_logs() as logs:
        await check_attempt(suite.deps, lost)
    payment = await suite.payment(completed.id)
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.gateway == "flutterwave"
    assert await suite.membership() == held
    lost, _ = await suite.attempts(payment.id)
    assert (lost.outcome, lost.surplus) == (AttemptOutcome.SUCCEEDED, PRICE)
    assert await suite.effects(payment.id) == ["tier_granted", "surplus_found"]
    assert alerts(logs) == ["surplus_found"]


async def test_a_late_success_completes_a_payment_that_had_failed(suite: Suite) -> None:
    failed = await found(suite, await suite.create(), reply(Answer.FAILED))
    assert failed.status is PaymentStatus.FAILED
    payment = await found(suite, failed, paid())
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.failure is None
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.failed", "payment.completed"]


async def test_a_late_success_is_surplus_when_the_same_was_bought_meanwhile(suite: Suite) -> None:
    failed = await found(suite, await suite.create(), reply(Answer.FAILED))
    again = await suite.create(by_card(idempotency_key="key-2"))
    bought = await found(suite, again, paid(), ask=by_callback)
    held = await suite.membership()
    late = await found(suite, failed, paid(amount=Money("UGX", 35_500)), ask=by_callback)
    assert late.status is PaymentStatus.FAILED
    assert await suite.membership() == held
    assert held.payment_id == bought.id
    (attempt,) = await suite.attempts(late.id)
    assert (attempt.outcome, attempt.surplus) == (
        AttemptOutcome.SUCCEEDED,
        Money("UGX", 35_500),
    )
    assert await suite.effects(late.id) == ["surplus_found"]


async def test_money_of_an_open_payment_is_surplus_when_the_failed_one_before_it_completed(
    suite: Suite,
) -> None:
    failed = await found(suite, await suite.create(), reply(Answer.FAILED))
    second = await suite.create(by_card(idempotency_key="key-2"))
    assert (await found(suite, failed, paid(), ask=by_callback)).status is PaymentStatus.COMPLETED
    held = await suite.membership()
    second = await found(suite, second, paid(), ask=by_callback)
    assert (second.status, second.next_action.kind) == (PaymentStatus.CANCELLED, ActionKind.NONE)
    assert await suite.membership() == held
    assert (await suite.newest_attempt(second.id)).surplus == PRICE
    assert await suite.effects(second.id) == ["surplus_found"]


async def test_a_late_success_counts_when_something_else_was_bought_meanwhile(
    suite: Suite,
) -> None:
    failed = await found(suite, await suite.create(), reply(Answer.FAILED))
    other = await suite.create(by_card(idempotency_key="key-2", tier="starter"))
    assert (await found(suite, other, paid(), ask=by_callback)).status is PaymentStatus.COMPLETED
    late = await found(suite, failed, paid(), ask=by_callback)
    assert late.status is PaymentStatus.COMPLETED
    assert (await suite.membership()).tier == "pro"


async def test_a_late_failure_never_moves_a_completed_payment(suite: Suite) -> None:
    completed = await found(suite, await suite.create(), paid())
    (attempt,) = await suite.attempts(completed.id)
    for answer in Answer:
        suite.gateways.script("eversend", Operation.LOOK_UP, reply(answer))
        await check_attempt(suite.deps, attempt)
    payment = await suite.payment(completed.id)
    assert payment == replace(completed, verification_count=1 + len(Answer))
    assert await suite.attempts(payment.id) == [attempt]
    assert await suite.effects(payment.id) == ["tier_granted"]


@EVERY_WAY
@pytest.mark.parametrize("acknowledgement", Answer)
async def test_a_declined_page_fails_only_once_the_gateway_acknowledged_closing_it(
    suite: Suite, acknowledgement: Answer, ask: Way
) -> None:
    created = await suite.create()
    suite.gateways.script("eversend", Operation.CANCEL, reply(acknowledgement))
    payment = await found(suite, created, reply(Answer.FAILED), ask=ask)
    closed = acknowledgement is Answer.SUCCEEDED
    assert payment.status is (PaymentStatus.FAILED if closed else PaymentStatus.PROCESSING)
    assert (payment.next_action == created.next_action) is not closed
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is (AttemptOutcome.REJECTED if closed else AttemptOutcome.LIVE)
    assert len(suite.gateways.made(Operation.CANCEL)) == 1


async def test_a_declined_page_that_could_not_be_closed_is_closed_at_the_next_check(
    suite: Suite,
) -> None:
    created = await suite.create()
    suite.gateways.script("eversend", Operation.CANCEL, reply(Answer.UNKNOWN))
    declined = reply(Answer.FAILED, failure_code="card_declined")
    payment = await found(suite, created, declined, declined)
    assert payment.status is PaymentStatus.FAILED
    assert payment.failure is not None
    assert payment.failure.code == "card_declined"


NO_NEWS = [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED, Answer.NOT_FOUND]


@pytest.mark.parametrize("answer", NO_NEWS)
async def test_a_check_without_news_changes_nothing_but_the_schedule(
    suite: Suite, answer: Answer
) -> None:
    before = await suite.create()
    (attempt,) = await suite.attempts(before.id)
    after = await found(suite, before, reply(answer))
    assert replace(after, verification_count=0, last_verified_at=None) == before
    (asked,) = await suite.attempts(before.id)
    assert (asked.checks, asked.lease_token) == (attempt.checks + 1, attempt.lease_token + 1)
    assert asked.next_check_at is not None
    assert asked.next_check_at > suite.clock.now()
    rested = replace(asked, checks=0, lease_token=0, next_check_at=attempt.next_check_at)
    assert rested == attempt


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED])
async def test_whoever_asks_is_told_that_the_gateway_gave_no_answer(
    suite: Suite, answer: Answer
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(answer))
    with pytest.raises(ServiceError) as unanswered:
        await verify_payment(suite.deps, payment)
    assert (unanswered.value.code, unanswered.value.reason) == (
        "UNAVAILABLE",
        "GATEWAY_NOT_REACHABLE",
    )
    assert (await suite.payment(payment.id)).version == payment.version


async def test_asking_about_a_payment_that_is_over_asks_nobody(suite: Suite) -> None:
    completed = await found(suite, await suite.create(), paid())
    calls = len(suite.gateways.calls)
    assert await verify_payment(suite.deps, completed) == completed
    assert len(suite.gateways.calls) == calls


async def test_the_schedule_asks_often_at_first_and_ends_after_eleven_days(suite: Suite) -> None:
    payment = await suite.create()
    began, asked = suite.clock.now(), []
    while (await suite.newest_attempt(payment.id)).next_check_at is not None:
        await suite.check_next(payment.id)
        asked.append((suite.clock.now() - began).total_seconds())
    assert asked[:4] == [5, 10, 25, 55]
    assert 11 * 86_400 < asked[-1] < 12 * 86_400
    assert len(asked) < 60


async def declined_and_lapsed(suite: Suite, *after_closing: Step) -> Payment:
    """Let a page lapse on which the last try had failed; then the gateway closes it."""
    lapses = suite.clock.now().replace(hour=16)
    suite.gateways.script(
        "eversend", Operation.CREATE, reply(Answer.REQUIRES_ACTION, expires_at=lapses)
    )
    payment = await suite.create()
    suite.clock.move_to(lapses)
    last_try_failed = reply(Answer.PENDING, failure_code="card_declined")
    suite.gateways.script("eversend", Operation.LOOK_UP, last_try_failed, *after_closing)
    await suite.check_attempts()
    return await suite.payment(payment.id)


@pytest.mark.parametrize(
    ("after_closing", "status"),
    [
        (reply(Answer.NOT_FOUND), PaymentStatus.EXPIRED),
        (reply(Answer.FAILED), PaymentStatus.FAILED),
        (reply(Answer.PENDING), PaymentStatus.PROCESSING),
        (reply(Answer.UNKNOWN), PaymentStatus.PROCESSING),
        (reply(Answer.SUCCEEDED), PaymentStatus.COMPLETED),
    ],
    ids=["nobody paid", "declined", "somebody is paying", "no answer", "paid just before"],
)
async def test_a_page_that_lapsed_is_asked_about_once_more_after_it_was_closed(
    suite: Suite, after_closing: Step, status: PaymentStatus
) -> None:
    payment = await declined_and_lapsed(suite, after_closing)
    assert payment.status is status
    assert [call.operation for call in suite.gateways.calls] == [
        "create",
        "look_up",
        "cancel",
        "look_up",
    ]


async def test_a_page_that_lapsed_stays_open_while_its_closing_is_not_acknowledged(
    suite: Suite,
) -> None:
    suite.gateways.always(Operation.CANCEL, reply(Answer.UNKNOWN))
    payment = await declined_and_lapsed(suite)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.LIVE


async def test_money_that_is_found_after_the_page_lapsed_still_counts(suite: Suite) -> None:
    expired = await declined_and_lapsed(suite, reply(Answer.NOT_FOUND))
    assert expired.status is PaymentStatus.EXPIRED
    payment = await found(suite, expired, paid())
    assert payment.status is PaymentStatus.COMPLETED
    assert await suite.moves(payment.id) == ["processing", "expired", "completed"]
