"""Once a member has what they wanted, their other ways to pay for it are closed."""

from datetime import timedelta

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.resolve_review import ReviewDecision
from tests.operations.fakes import Call, Operation, Step, meanwhile, otp_asked, reply
from tests.operations.stories import (
    DECLINED,
    NOBODY_PAYS,
    PRICE,
    UNDERPAID,
    bought,
    failed,
    look_up,
    money_goes_back,
    paid,
    refused,
    settle,
    stored,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, by_phone

AGAIN = by_card(idempotency_key="key-2")


async def late_success_beside(suite: Suite, open_payment: Payment, late: Payment) -> None:
    """Let a payment that had failed be paid after all, while another one is open."""
    (attempt, *_) = await suite.attempts(late.id)
    await look_up(suite, attempt, paid())
    assert (await suite.payment(late.id)).status is PaymentStatus.COMPLETED
    assert (await suite.payment(open_payment.id)).status is PaymentStatus.PROCESSING


async def two_ways(suite: Suite) -> tuple[Payment, Payment]:
    """Let one payment fail and another one for the same thing be open."""
    late = await failed(suite)
    return late, await suite.create(AGAIN)


async def test_the_open_page_of_a_payment_that_completed_is_closed_at_once(suite: Suite) -> None:
    payment = await suite.retry(await failed(suite))
    old, page = await suite.attempts(payment.id)
    await look_up(suite, old, paid())
    assert suite.wakeups.sent[-1] == "attempt_due"
    await settle(suite)
    page = await stored(suite, page)
    assert page.outcome is AttemptOutcome.CANCELLED
    assert suite.gateways.made(Operation.CANCEL)[-1].reference == page.reference
    after = await suite.payment(payment.id)
    assert (after.status, after.next_action.kind) == (PaymentStatus.COMPLETED, ActionKind.NONE)
    assert await uses(suite, payment) == ["kept"]


async def test_another_open_payment_for_the_same_thing_is_withdrawn_at_once(suite: Suite) -> None:
    late, other = await two_ways(suite)
    await late_success_beside(suite, other, late)
    await settle(suite)
    after = await suite.payment(other.id)
    assert (after.status, after.next_action.kind) == (PaymentStatus.CANCELLED, ActionKind.NONE)
    (attempt,) = await suite.attempts(other.id)
    assert attempt.outcome is AttemptOutcome.CANCELLED
    assert await suite.facts(other.id) == ["payment.cancelled"]


@pytest.mark.parametrize("closing", [Answer.UNKNOWN, Answer.FAILED, Answer.NOT_CREATED])
async def test_a_page_whose_closing_is_not_acknowledged_stays_open_and_is_closed_later(
    suite: Suite, closing: Answer
) -> None:
    late, other = await two_ways(suite)
    await late_success_beside(suite, other, late)
    suite.gateways.script("eversend", Operation.CANCEL, reply(closing))
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(other.id)).outcome is AttemptOutcome.LIVE
    await suite.check_next(other.id)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED


async def test_a_try_that_is_under_way_is_not_cut_off_and_its_money_goes_back(
    suite: Suite,
) -> None:
    late, other = await two_ways(suite)
    await late_success_beside(suite, other, late)
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.PENDING))
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.PROCESSING
    suite.gateways.script("eversend", Operation.LOOK_UP, paid())
    await suite.check_next(other.id)
    await money_goes_back(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED
    assert await surplus_of(suite, other) == [(PRICE, "succeeded")]
    assert await uses(suite, late) == ["kept"]


@pytest.mark.parametrize(
    "after_closing", [reply(Answer.PENDING), paid()], ids=["somebody pays", "somebody paid"]
)
async def test_whoever_pays_just_before_the_page_closes_gets_the_money_back(
    suite: Suite, after_closing: Step
) -> None:
    late, other = await two_ways(suite)
    await late_success_beside(suite, other, late)
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS, after_closing)
    await settle(suite)
    if (await suite.payment(other.id)).status is PaymentStatus.PROCESSING:
        suite.gateways.script("eversend", Operation.LOOK_UP, paid())
        await suite.check_next(other.id)
    await money_goes_back(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED
    assert await surplus_of(suite, other) == [(PRICE, "succeeded")]


async def test_money_on_a_page_after_it_was_closed_goes_back(suite: Suite) -> None:
    late, other = await two_ways(suite)
    await late_success_beside(suite, other, late)
    await settle(suite)
    await look_up(suite, await suite.newest_attempt(other.id), paid())
    await money_goes_back(suite)
    assert await surplus_of(suite, other) == [(PRICE, "succeeded")]
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED


async def test_a_prompt_cannot_be_closed_and_is_withdrawn_once_it_was_declined(
    suite: Suite,
) -> None:
    late = await failed(suite)
    other = await suite.create(by_phone(idempotency_key="key-2"))
    await late_success_beside(suite, other, late)
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.PROCESSING
    suite.gateways.script("eversend", Operation.LOOK_UP, DECLINED)
    await suite.check_next(other.id)
    assert (await suite.payment(other.id)).status in (
        PaymentStatus.FAILED,
        PaymentStatus.CANCELLED,
    )
    assert await refused(suite.retry(other)) in ("TIER_ALREADY_ACTIVE", "PAYMENT_NOT_RETRYABLE")


async def test_a_prompt_that_is_approved_all_the_same_goes_back(suite: Suite) -> None:
    late = await failed(suite)
    other = await suite.create(by_phone(idempotency_key="key-2"))
    await late_success_beside(suite, other, late)
    await look_up(suite, await suite.newest_attempt(other.id), paid())
    await money_goes_back(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED
    assert await surplus_of(suite, other) == [(PRICE, "succeeded")]


async def test_a_password_is_not_sent_on_for_what_the_member_already_has(suite: Suite) -> None:
    late = await failed(suite)
    suite.gateways.script("eversend", Operation.CREATE, otp_asked())
    other = await suite.create(by_phone(idempotency_key="key-2"))
    await late_success_beside(suite, other, late)
    await settle(suite)
    assert await refused(suite.submit(other)) in ("NO_ACTION_EXPECTED", "TIER_ALREADY_ACTIVE")
    assert suite.gateways.made(Operation.SUBMIT) == []


async def test_a_page_that_is_on_its_way_while_the_payment_completes_is_closed_when_it_comes(
    suite: Suite,
) -> None:
    late = await failed(suite)

    async def late_money(_call: Call) -> None:
        (attempt,) = await suite.attempts(late.id)
        await look_up(suite, attempt, paid())

    arrives = meanwhile(late_money, reply(Answer.REQUIRES_ACTION))
    suite.gateways.script("eversend", Operation.CREATE, arrives)
    other = await suite.create(AGAIN)
    suite.clock.advance(5)
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED
    assert (await suite.newest_attempt(other.id)).outcome is AttemptOutcome.CANCELLED


async def test_the_renewal_of_what_is_about_to_end_is_not_withdrawn(suite: Suite) -> None:
    first = await bought(suite)
    assert first.period_end is not None
    suite.clock.move_to(first.period_end - timedelta(days=3))
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    renewal = await suite.create(AGAIN)
    suite.clock.advance(5)
    await settle(suite)
    assert (await suite.payment(renewal.id)).status is PaymentStatus.PROCESSING
    await look_up(suite, await suite.newest_attempt(renewal.id), paid())
    after = await suite.payment(renewal.id)
    assert (after.status, after.period_start) == (PaymentStatus.COMPLETED, first.period_end)
    assert await uses(suite, first) + await uses(suite, renewal) == ["kept", "kept"]


async def test_another_tier_that_is_being_paid_is_left_alone(suite: Suite) -> None:
    late = await failed(suite)
    other = await suite.create(by_card(idempotency_key="key-2", tier="starter"))
    await late_success_beside(suite, other, late)
    suite.clock.advance(5)
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.PROCESSING
    assert suite.gateways.made(Operation.CANCEL)[1:] == []


async def test_a_grant_by_staff_closes_the_other_ways_to_pay_at_once_too(suite: Suite) -> None:
    late, other = await two_ways(suite)
    (attempt,) = await suite.attempts(late.id)
    await look_up(suite, attempt, paid(amount=UNDERPAID))
    await suite.resolve(late, ReviewDecision.GRANT)
    await settle(suite)
    assert (await suite.payment(other.id)).status is PaymentStatus.CANCELLED
    assert (await suite.newest_attempt(other.id)).outcome is AttemptOutcome.CANCELLED
