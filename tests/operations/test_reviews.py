"""Money that is not what was asked for: held until staff decide, once, and never without effect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from kit.money import Money
from protos.operations.v1 import operations_service_pb2 as pb
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.resolve_review import ReviewDecision
from services.payments.servicers.operations import OperationsServicer
from tests.operations.fakes import Operation, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    UNDERPAID,
    alerts,
    arrived,
    bought,
    cancelled,
    failed,
    held,
    look_up,
    money_goes_back,
    paid,
    refused,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, refusal

GRANT, REFUND = ReviewDecision.GRANT, ReviewDecision.REFUND
SHILLINGS = Money("KES", 3_500_000)
BOTH = pytest.mark.parametrize("decision", [GRANT, REFUND])


async def queue(suite: Suite) -> pb.ListReviewsResponse:
    listed = await OperationsServicer(suite.deps).ListReviews(pb.ListReviewsRequest(), None)
    assert isinstance(listed, pb.ListReviewsResponse)
    return listed


@pytest.mark.parametrize("amount", [UNDERPAID, SHILLINGS, Money("UGX", 1)], ids=str)
async def test_money_that_does_not_fit_stands_in_the_queue_of_reviews(
    suite: Suite, amount: Money
) -> None:
    with capture_logs() as logs:
        payment = await held(suite, amount)
    assert alerts(logs) == ["held_for_review"]
    (review,) = (await queue(suite)).reviews
    assert (await queue(suite)).total_count == 1
    assert (review.payment_id, review.payment_status) == (str(payment.id), "processing")
    assert (review.received.currency_code, review.received.amount_minor) == (
        amount.currency,
        amount.minor,
    )
    assert review.expected.amount_minor == PRICE.minor
    assert (review.gateway, review.reference) == ("eversend", payment.gateway_reference)
    assert await suite.balance("liability:held_for_review", amount.currency) == -amount.minor
    assert await suite.refunds(payment.id) == []


async def test_staff_may_let_too_little_money_buy_the_tier(suite: Suite) -> None:
    payment = await held(suite)
    resolved = await suite.resolve(payment, GRANT)
    assert (resolved.status, resolved.review_reason) == (PaymentStatus.COMPLETED, None)
    assert resolved == await suite.payment(payment.id)
    assert (await suite.membership()).payment_id == payment.id
    assert await uses(suite, payment) == ["kept"]
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.SUCCEEDED
    assert await suite.balance("revenue:memberships") == -UNDERPAID.minor
    assert await suite.balance("liability:held_for_review") == 0
    assert (await suite.facts(payment.id))[-1] == "payment.completed"
    assert list((await queue(suite)).reviews) == []


@pytest.mark.parametrize("amount", [UNDERPAID, SHILLINGS], ids=str)
async def test_staff_may_send_the_money_back_and_the_member_tries_again(
    suite: Suite, amount: Money
) -> None:
    payment = await held(suite, amount)
    resolved = await suite.resolve(payment, REFUND)
    assert resolved.failure is not None
    assert (resolved.status, resolved.failure.code) == (PaymentStatus.FAILED, "amount_mismatch")
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(amount, "succeeded")]
    for account in ("liability:held_for_review", "liability:surplus", "clearing:eversend"):
        assert await suite.balance(account, amount.currency) == 0
    assert (await suite.membership()).tier == FREE_TIER
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    again = await suite.retry(payment)
    assert again.next_action.kind is ActionKind.REDIRECT
    assert (await arrived(suite, payment)).status is PaymentStatus.COMPLETED
    assert await uses(suite, payment) == ["kept", "surplus"]


async def test_more_than_the_price_is_granted_without_anybody_deciding(suite: Suite) -> None:
    payment = await arrived(suite, await suite.create(), amount=Money("UGX", 35_001))
    assert (payment.status, payment.review_reason) == (PaymentStatus.COMPLETED, None)
    assert list((await queue(suite)).reviews) == []
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(Money("UGX", 1), "succeeded")]
    assert (await suite.payment(payment.id)).refunded_minor == 0


async def test_money_of_another_currency_is_never_granted(suite: Suite) -> None:
    payment = await held(suite, SHILLINGS)
    assert await refused(suite.resolve(payment, GRANT)) == "REVIEW_CANNOT_GRANT"
    assert await uses(suite, payment) == ["held"]
    assert (await suite.payment(payment.id)).review_reason is not None


@BOTH
async def test_the_same_key_gets_the_same_answer_and_decides_once(
    suite: Suite, decision: ReviewDecision
) -> None:
    payment = await held(suite)
    answer = await suite.resolve(payment, decision)
    await money_goes_back(suite)
    assert encode_answer(await suite.resolve(payment, decision)) == encode_answer(answer)
    other = REFUND if decision is GRANT else GRANT
    assert await refused(suite.resolve(payment, other)) == "IDEMPOTENCY_KEY_REUSED"
    assert len(await suite.captures(payment.id)) == 1


@BOTH
async def test_what_is_decided_is_not_decided_again(suite: Suite, decision: ReviewDecision) -> None:
    payment = await held(suite)
    await suite.resolve(payment, decision)
    for number, again in enumerate((GRANT, REFUND)):
        late = suite.resolve(payment, again, key=f"again {number}")
        assert await refused(late) == "PAYMENT_NOT_HELD"


async def test_ten_who_decide_at_once_decide_once(suite: Suite) -> None:
    payment = await held(suite)
    decisions = [GRANT, REFUND] * 5
    results = await asyncio.gather(
        *(suite.resolve(payment, each, key=f"key {n}") for n, each in enumerate(decisions)),
        return_exceptions=True,
    )
    assert sorted(refusal(each) for each in results) == [""] + ["PAYMENT_NOT_HELD"] * 9
    assert await uses(suite, payment) in (["kept"], ["surplus"])


async def open_page(suite: Suite) -> Payment:
    return await suite.create()


@pytest.mark.parametrize("story", [open_page, bought, failed, cancelled])
@BOTH
async def test_a_payment_without_held_money_is_not_reviewed(
    suite: Suite, decision: ReviewDecision, story: Callable[[Suite], Awaitable[Payment]]
) -> None:
    payment = await story(suite)
    assert await refused(suite.resolve(payment, decision)) == "PAYMENT_NOT_HELD"
    assert await suite.payment(payment.id) == payment


async def test_while_money_is_held_nothing_else_begins(suite: Suite) -> None:
    payment = await held(suite)
    assert await refused(suite.retry(payment)) == "PAYMENT_NOT_RETRYABLE"
    assert await refused(suite.cancel(payment)) == "PAYMENT_NOT_CANCELLABLE"
    assert await refused(suite.refund(payment)) == "PAYMENT_NOT_REFUNDABLE"
    same = await suite.create(by_card(idempotency_key="key-2"))
    assert same.id == payment.id
    assert len(suite.gateways.made(Operation.CREATE)) == 1


@BOTH
async def test_what_was_decided_stays_when_the_gateway_reports_the_same_money_again(
    suite: Suite, decision: ReviewDecision
) -> None:
    payment = await held(suite)
    resolved = await suite.resolve(payment, decision)
    attempt = await suite.newest_attempt(payment.id)
    with capture_logs() as logs:
        for _ in range(3):
            await look_up(suite, attempt, paid(amount=UNDERPAID))
    after = await suite.payment(payment.id)
    assert (after.status, after.review_reason) == (resolved.status, None)
    assert len(await suite.captures(payment.id)) == 1
    assert alerts(logs) == []


@BOTH
async def test_money_that_is_held_on_a_failed_payment_is_decided_too(
    suite: Suite, decision: ReviewDecision
) -> None:
    payment = await failed(suite)
    await arrived(suite, payment, amount=UNDERPAID)
    resolved = await suite.resolve(payment, decision)
    expected = PaymentStatus.COMPLETED if decision is GRANT else PaymentStatus.FAILED
    assert resolved.status is expected
    assert await uses(suite, payment) == ["kept" if decision is GRANT else "surplus"]


async def test_what_was_bought_meanwhile_is_not_granted_for_held_money(suite: Suite) -> None:
    payment = await failed(suite)
    await arrived(suite, payment, amount=UNDERPAID)
    await bought(suite, by_card(idempotency_key="key-2"))
    assert await refused(suite.resolve(payment, GRANT)) == "REVIEW_CANNOT_GRANT"
    await suite.resolve(payment, REFUND, key="back")
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(UNDERPAID, "succeeded")]


async def test_of_two_held_amounts_one_is_granted_and_the_other_goes_back(suite: Suite) -> None:
    payment = await held(suite)
    suite.clock.advance(1)
    attempt = await suite.newest_attempt(payment.id)
    second = paid(amount=Money("UGX", 30_000), gateway_transaction_id="tx-second")
    await look_up(suite, attempt, second)
    assert await uses(suite, payment) == ["held", "held"]
    assert (await queue(suite)).total_count == 2
    await suite.resolve(payment, GRANT)
    await money_goes_back(suite)
    assert await uses(suite, payment) == ["kept", "surplus"]
    assert len(await surplus_of(suite, payment)) == 1


async def test_all_held_money_goes_back_together(suite: Suite) -> None:
    payment = await held(suite)
    attempt = await suite.newest_attempt(payment.id)
    second = paid(amount=SHILLINGS, gateway_transaction_id="tx-second")
    await look_up(suite, attempt, second)
    await suite.resolve(payment, REFUND)
    await money_goes_back(suite)
    assert {each for each, _ in await surplus_of(suite, payment)} == {UNDERPAID, SHILLINGS}


@pytest.mark.parametrize(
    ("corrected", "status", "use"),
    [
        (PRICE, PaymentStatus.COMPLETED, "kept"),
        (Money("UGX", 36_000), PaymentStatus.COMPLETED, "kept"),
        (Money("UGX", 20_000), PaymentStatus.PROCESSING, "held"),
        (SHILLINGS, PaymentStatus.PROCESSING, "held"),
    ],
    ids=str,
)
@pytest.mark.parametrize("fee", [None, Money("UGX", 500)], ids=["no fee", "fee"])
async def test_a_gateway_may_correct_what_it_said_about_held_money(
    suite: Suite, corrected: Money, status: PaymentStatus, use: str, fee: Money | None
) -> None:
    payment = await arrived(suite, await suite.create(), amount=UNDERPAID, fee=fee)
    payment = await arrived(suite, payment, amount=corrected, fee=fee)
    assert payment.status is status
    assert await uses(suite, payment) == [use]
    assert await suite.balance("liability:held_for_review", "UGX") == (
        -20_000 if corrected.minor == 20_000 else 0
    )


async def test_held_money_that_turns_out_to_fit_needs_no_decision_any_more(suite: Suite) -> None:
    payment = await held(suite)
    await arrived(suite, payment)
    assert list((await queue(suite)).reviews) == []
    assert await refused(suite.resolve(payment, REFUND)) == "PAYMENT_NOT_HELD"


async def test_money_that_arrives_in_full_beside_held_money_leaves_that_to_staff(
    suite: Suite,
) -> None:
    payment = await held(suite)
    attempt = await suite.newest_attempt(payment.id)
    await look_up(suite, attempt, paid(gateway_transaction_id="tx-second"))
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert (await queue(suite)).total_count == 1
    assert await refused(suite.resolve(payment, GRANT)) == "REVIEW_CANNOT_GRANT"
    resolved = await suite.resolve(payment, REFUND, key="back")
    assert resolved.status is PaymentStatus.COMPLETED
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(UNDERPAID, "succeeded")]


async def test_without_money_on_record_staff_can_only_end_the_review(suite: Suite) -> None:
    payment = await held(suite, amount=None)
    assert await refused(suite.resolve(payment, GRANT)) == "REVIEW_CANNOT_GRANT"
    resolved = await suite.resolve(payment, REFUND, key="end")
    assert (resolved.status, resolved.review_reason) == (PaymentStatus.PROCESSING, None)
    assert await suite.refunds(payment.id) == []
    assert (await arrived(suite, payment)).status is PaymentStatus.COMPLETED


async def test_money_that_is_held_while_another_way_to_pay_is_open_goes_back_without_ending_it(
    suite: Suite,
) -> None:
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create()
    lost, page = await suite.attempts(payment.id)
    await look_up(suite, lost, paid(amount=UNDERPAID))
    resolved = await suite.resolve(payment, REFUND)
    assert (resolved.status, resolved.review_reason) == (PaymentStatus.PROCESSING, None)
    assert (await look_up(suite, page, paid())).status is PaymentStatus.COMPLETED
    assert await uses(suite, payment) == ["kept", "surplus"]


async def test_a_decision_whose_payment_completes_at_the_same_time_counts_once(
    suite: Suite,
) -> None:
    payment: Payment = await held(suite)
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.always(Operation.LOOK_UP, paid(gateway_transaction_id="tx-second"))
    await asyncio.gather(
        suite.resolve(payment, GRANT),
        look_up(suite, replace(attempt), paid(gateway_transaction_id="tx-second")),
        return_exceptions=True,
    )
    await look_up(suite, attempt, paid(gateway_transaction_id="tx-second"))
    kept = [each for each in await uses(suite, payment) if each == "kept"]
    assert kept == ["kept"]
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED


async def test_a_gateway_that_goes_back_and_forth_about_held_money_keeps_the_books_right(
    suite: Suite,
) -> None:
    payment = await suite.create()
    for amount in [30_000, 20_000] * 3:
        suite.clock.advance(5)
        await arrived(suite, payment, amount=Money("UGX", amount), fee=Money("UGX", 500))
    assert await suite.balance("liability:held_for_review") == -20_000
    assert await suite.balance("expense:gateway_fees") == 500
