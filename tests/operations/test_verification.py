"""What is believed about money: what the gateway says under our reference, and only if it fits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from kit.errors import ServiceError
from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.refunds import RefundAttemptOutcome, RefundPurpose
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.verify_payment import verify_payment
from tests.operations.fakes import Operation, Step, reply
from tests.operations.suite import Suite, by_card
from tests.operations.ways_of_asking import EVERY_WAY, Way, by_callback, declined, found, paid

PRICE = Money("UGX", 35_000)
UNDER = Money("UGX", 34_999)
SHILLINGS = Money("KES", 3_500_000)


async def captured(suite: Suite, payment: Payment) -> list[tuple[CaptureUse, Money]]:
    """Return what the gateways took for a payment and what it counts for, oldest first."""
    return [(each.use, each.amount) for each in await suite.captures(payment.id)]


async def goes_back(suite: Suite, payment: Payment) -> list[Money]:
    """Return what goes back by itself; it is sent once, and at once."""
    refunds = await suite.refunds(payment.id)
    for refund in refunds:
        assert refund.purpose is RefundPurpose.SURPLUS
        (attempt,) = await suite.refund_attempts(refund.id)
        assert attempt.outcome is RefundAttemptOutcome.RECORDED
        assert attempt.next_check_at == attempt.created_at
    return [refund.amount for refund in refunds]


def alerts(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in logs if line.get("alert") is True]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Money that does not fit, and the words with which it is held.

    `takes`: what was taken for this payment, None when the answer does not prove any of that.
    """

    name: str
    step: Step
    reason: str
    takes: Money | None = None


MISFITS = [
    Misfit("under", paid(amount=UNDER), "underpaid", UNDER),
    Misfit("currency", paid(amount=SHILLINGS), "KES instead of UGX", SHILLINGS),
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
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert attempt.next_check_at == suite.clock.now() + timedelta(minutes=1)
    assert await captured(suite, payment) == [(CaptureUse.KEPT, PRICE)]
    assert await goes_back(suite, payment) == []
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]


@EVERY_WAY
async def test_more_than_the_price_grants_once_and_sends_the_excess_back(
    suite: Suite, ask: Way
) -> None:
    payment = await suite.create()
    with capture_logs() as logs:
        payment = await found(suite, payment, paid(amount=Money("UGX", 35_001)), ask=ask)
    assert payment.status is PaymentStatus.COMPLETED
    assert await captured(suite, payment) == [(CaptureUse.KEPT, Money("UGX", 35_001))]
    assert await goes_back(suite, payment) == [Money("UGX", 1)]
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
    held = [(CaptureUse.HELD, misfit.takes)] if misfit.takes else []
    assert await captured(suite, payment) == held
    assert await goes_back(suite, payment) == []
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
    assert await captured(suite, payment) == [(CaptureUse.KEPT, PRICE)]


async def test_a_second_success_of_a_completed_payment_goes_back(suite: Suite) -> None:
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
    assert lost.outcome is AttemptOutcome.SUCCEEDED
    assert sorted(await captured(suite, payment)) == [
        (CaptureUse.KEPT, PRICE),
        (CaptureUse.SURPLUS, PRICE),
    ]
    assert await goes_back(suite, payment) == [PRICE]
    assert await suite.effects(payment.id) == ["tier_granted", "surplus_found"]
    assert alerts(logs) == ["surplus_found"]


async def test_a_late_success_completes_a_payment_that_had_failed(suite: Suite) -> None:
    failed = await declined(suite, await suite.create())
    assert failed.status is PaymentStatus.FAILED
    payment = await found(suite, failed, paid())
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.failure is None
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.failed", "payment.completed"]


async def test_a_late_success_goes_back_when_the_same_was_bought_meanwhile(suite: Suite) -> None:
    failed = await declined(suite, await suite.create())
    again = await suite.create(by_card(idempotency_key="key-2"))
    bought = await found(suite, again, paid(), ask=by_callback)
    held = await suite.membership()
    late = await found(suite, failed, paid(amount=Money("UGX", 35_500)), ask=by_callback)
    assert late.status is PaymentStatus.FAILED
    assert await suite.membership() == held
    assert held.payment_id == bought.id
    assert (await suite.newest_attempt(late.id)).outcome is AttemptOutcome.SUCCEEDED
    assert await captured(suite, late) == [(CaptureUse.SURPLUS, Money("UGX", 35_500))]
    assert await goes_back(suite, late) == [Money("UGX", 35_500)]
    assert await suite.effects(late.id) == ["surplus_found"]


async def test_money_of_an_open_payment_goes_back_when_the_failed_one_before_it_completed(
    suite: Suite,
) -> None:
    failed = await declined(suite, await suite.create())
    second = await suite.create(by_card(idempotency_key="key-2"))
    assert (await found(suite, failed, paid(), ask=by_callback)).status is PaymentStatus.COMPLETED
    held = await suite.membership()
    second = await found(suite, second, paid(), ask=by_callback)
    assert (second.status, second.next_action.kind) == (PaymentStatus.CANCELLED, ActionKind.NONE)
    assert await suite.membership() == held
    assert await goes_back(suite, second) == [PRICE]
    assert await suite.effects(second.id) == ["surplus_found"]


async def test_late_money_of_an_older_choice_does_not_undo_a_newer_one(suite: Suite) -> None:
    failed = await declined(suite, await suite.create())
    suite.clock.advance(1)
    newer = await suite.create(by_card(idempotency_key="key-2", tier="starter"))
    assert (await found(suite, newer, paid(), ask=by_callback)).status is PaymentStatus.COMPLETED
    late = await found(suite, failed, paid(), ask=by_callback)
    assert late.status is PaymentStatus.FAILED
    assert await goes_back(suite, late) == [PRICE]
    assert (await suite.membership()).tier == "starter"


async def test_late_money_counts_when_what_was_bought_meanwhile_is_the_older_choice(
    suite: Suite,
) -> None:
    older = await suite.create(by_card(idempotency_key="key-2", tier="starter"))
    suite.clock.advance(1)
    failed = await declined(suite, await suite.create())
    assert (await found(suite, older, paid(), ask=by_callback)).status is PaymentStatus.COMPLETED
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


async def test_the_schedule_asks_often_at_first_and_daily_while_money_may_still_be_taken(
    suite: Suite,
) -> None:
    payment = await suite.create()
    began, asked = suite.clock.now(), [0.0]
    while asked[-1] < 30 * 86_400:
        await suite.check_next(payment.id)
        asked.append((suite.clock.now() - began).total_seconds())
    assert asked[1:5] == [5, 10, 25, 55]
    assert asked[-1] - asked[-2] == 86_400
    assert len(asked) < 80


async def test_a_declined_attempt_is_asked_about_for_eleven_days_and_no_longer(
    suite: Suite,
) -> None:
    failed = await declined(suite, await suite.create())
    began, asked = suite.clock.now(), []
    while (await suite.newest_attempt(failed.id)).next_check_at is not None:
        await suite.check_next(failed.id)
        asked.append((suite.clock.now() - began).total_seconds())
    assert 11 * 86_400 < asked[-1] < 12 * 86_400
    assert len(asked) < 60
    assert (await suite.payment(failed.id)).status is PaymentStatus.FAILED
