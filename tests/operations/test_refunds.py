"""Sending money back: never more than was kept, once, and with what it bought taken back."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import InvalidRequestError, ServiceError
from kit.money import Money
from kit.request_scope import RequestScope, current_scope, enter_scope
from protos.common.v1 import money_pb2
from protos.payments.v1 import payments_service_pb2 as pb
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import RefundAttemptOutcome, RefundStatus
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.resolve_review import ReviewDecision
from services.payments.servicers.payments import PaymentsServicer
from tests.operations.fakes import Operation, refund_reply
from tests.operations.refund_steps import (
    ACCEPTED,
    DONE,
    creations,
    looked_up,
    newest,
    read,
    sent,
    ugx,
)
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    arrived,
    bought,
    cancelled,
    expired,
    failed,
    fully_refunded,
    held,
    money_goes_back,
    refused,
    uses,
)
from tests.operations.suite import Suite, by_card, refusal
from tests.unit.refusals import Unreached


def payments_service(suite: Suite) -> PaymentsServicer:
    return PaymentsServicer(suite.deps, Unreached(), "https://creators.example", https_only=True)


async def status_of(suite: Suite, payment: Payment) -> tuple[PaymentStatus, int]:
    after = await suite.payment(payment.id)
    return after.status, after.refunded_minor


async def test_all_that_is_left_goes_back_and_the_tier_with_it(suite: Suite) -> None:
    payment = await bought(suite)
    refund = await suite.refund(payment)
    assert (refund.amount, refund.status) == (PRICE, RefundStatus.PENDING)
    assert creations(suite) == []
    assert suite.wakeups.sent[-1] == "attempt_due"
    suite.gateways.script("eversend", Operation.REFUND, DONE)
    await suite.work_on_refunds()
    assert await status_of(suite, payment) == (PaymentStatus.REFUNDED, PRICE.minor)
    assert (await read(suite, refund)).status is RefundStatus.SUCCEEDED
    assert (await suite.membership()).tier == FREE_TIER
    assert (await suite.effects(payment.id))[-1] == "tier_revoked"
    assert (await suite.facts(payment.id))[-2:] == ["refund.succeeded", "payment.refunded"]
    (call,) = suite.gateways.made(Operation.REFUND)
    assert (call.gateway, call.amount) == ("eversend", PRICE)
    assert call.transaction_id == payment.gateway_transaction_id
    assert await suite.balance("revenue:memberships") == 0
    assert await suite.balance("clearing:eversend") == 0


async def test_the_attempt_is_on_record_as_sending_before_it_leaves_and_nothing_is_open(
    suite: Suite,
) -> None:
    await sent(suite, DONE)
    (call,) = suite.gateways.made(Operation.REFUND)
    assert call.seen.refund_attempts == ((call.reference, "eversend", "sending"),)
    assert call.seen.open_transactions == 0


async def test_accepted_is_not_done(suite: Suite) -> None:
    refund = await sent(suite, ACCEPTED)
    assert refund.status is RefundStatus.PROCESSING
    assert (await suite.payment(refund.payment_id)).status is PaymentStatus.COMPLETED
    assert (await suite.membership()).tier == "pro"
    assert await suite.balance("revenue:memberships") == -PRICE.minor
    refund = await looked_up(suite, refund, ACCEPTED, ACCEPTED, DONE)
    assert refund.status is RefundStatus.SUCCEEDED
    assert (await suite.payment(refund.payment_id)).status is PaymentStatus.REFUNDED
    assert len(creations(suite)) == 1
    assert (await newest(suite, refund)).next_check_at is None


async def test_the_gateways_own_name_of_a_refund_is_used_to_look_it_up(suite: Suite) -> None:
    refund = await sent(suite, refund_reply(Answer.PENDING, gateway_refund_id="rf-77"))
    await looked_up(suite, refund, DONE)
    (call,) = suite.gateways.made(Operation.LOOK_UP_REFUND)
    assert (call.refund_id, call.reference) == ("rf-77", creations(suite)[0])


async def test_parts_go_back_one_by_one_until_nothing_is_left(suite: Suite) -> None:
    payment = await bought(suite)
    for number, (part, status) in enumerate(
        [(1, "partially_refunded"), (34_998, "partially_refunded"), (1, "refunded")]
    ):
        assert (await suite.membership()).tier == "pro"
        await suite.refund(payment, ugx(part), key=f"part {number}")
        await money_goes_back(suite)
        assert (await suite.payment(payment.id)).status == status
    assert (await suite.membership()).tier == FREE_TIER
    assert await suite.moves(payment.id) == [
        "processing",
        "completed",
        "partially_refunded",
        "refunded",
    ]
    assert await refused(suite.refund(payment, ugx(1), key="more")) == "PAYMENT_NOT_REFUNDABLE"


async def test_without_an_amount_what_is_not_on_its_way_back_goes_back(suite: Suite) -> None:
    payment = await bought(suite)
    await suite.refund(payment, ugx(5_000), key="part")
    rest = await suite.refund(payment, key="rest")
    assert rest.amount == ugx(30_000)
    assert await refused(suite.refund(payment, key="nothing")) == "REFUND_TOO_LARGE"
    await money_goes_back(suite)
    assert await status_of(suite, payment) == (PaymentStatus.REFUNDED, PRICE.minor)


async def test_more_than_is_left_is_refused_with_what_is_left(suite: Suite) -> None:
    payment = await bought(suite)
    await suite.refund(payment, ugx(5_000), key="part")
    with pytest.raises(ServiceError) as raised:
        await suite.refund(payment, ugx(30_001), key="rest")
    assert raised.value.reason == "REFUND_TOO_LARGE"
    assert raised.value.metadata["left_minor"] == "30000"
    assert len(await suite.refunds(payment.id)) == 1


@pytest.mark.parametrize("minor", [0, -1, -35_000])
async def test_nothing_and_less_than_nothing_is_refused(suite: Suite, minor: int) -> None:
    payment = await bought(suite)
    assert await refused(suite.refund(payment, ugx(minor))) == "REFUND_TOO_LARGE"
    amount = money_pb2.Money(currency_code="UGX", amount_minor=minor)
    request = pb.RefundPaymentRequest(
        payment_id=str(payment.id), amount=amount, reason="asked", idempotency_key="key"
    )
    with pytest.raises(InvalidRequestError) as raised:
        await payments_service(suite).RefundPayment(request, None)
    assert [each.field for each in raised.value.violations] == ["amount"]
    assert await suite.refunds(payment.id) == []


@pytest.mark.parametrize("amount", [Money("KES", 100), Money("USD", 1)], ids=str)
async def test_another_currency_is_refused(suite: Suite, amount: Money) -> None:
    payment = await bought(suite)
    with pytest.raises(InvalidRequestError) as raised:
        await suite.refund(payment, amount)
    assert [each.field for each in raised.value.violations] == ["amount.currency_code"]
    assert await suite.refunds(payment.id) == []


NOT_REFUNDABLE = {
    "open": lambda suite: suite.create(),
    "failed": failed,
    "expired": expired,
    "cancelled": cancelled,
    "held": held,
    "refunded": fully_refunded,
}


@pytest.mark.parametrize("story", NOT_REFUNDABLE)
async def test_a_payment_that_kept_no_money_is_not_refunded(suite: Suite, story: str) -> None:
    payment = await NOT_REFUNDABLE[story](suite)
    before = await suite.refunds(payment.id)
    assert await refused(suite.refund(payment, key="another")) == "PAYMENT_NOT_REFUNDABLE"
    assert await suite.refunds(payment.id) == before


async def test_money_that_goes_back_by_itself_is_not_refunded_on_request(suite: Suite) -> None:
    payment = await cancelled(suite)
    await arrived(suite, payment)
    assert await refused(suite.refund(payment)) == "PAYMENT_NOT_REFUNDABLE"


async def test_a_member_may_not_refund_themselves(suite: Suite) -> None:
    payment = await bought(suite)
    request = pb.RefundPaymentRequest(
        payment_id=str(payment.id), reason="mine", idempotency_key="key"
    )
    before = current_scope()
    enter_scope(RequestScope(request_id="r1", caller="bff", user_id=payment.user_id))
    try:
        reason = await refused(payments_service(suite).RefundPayment(request, None))
    finally:
        enter_scope(before)
    assert reason == "NOT_FOR_MEMBERS"
    assert await suite.refunds(payment.id) == []


async def test_the_same_key_is_the_same_refund_and_answer(suite: Suite) -> None:
    payment = await bought(suite)
    answer = await suite.refund(payment, ugx(100))
    await money_goes_back(suite)
    assert encode_answer(await suite.refund(payment, ugx(100))) == encode_answer(answer)
    assert await refused(suite.refund(payment, ugx(101))) == "IDEMPOTENCY_KEY_REUSED"
    assert await refused(suite.refund(payment)) == "IDEMPOTENCY_KEY_REUSED"
    assert len(await suite.refunds(payment.id)) == len(creations(suite)) == 1


async def test_thirty_two_refunds_at_once_never_exceed_what_was_taken(suite: Suite) -> None:
    payment = await bought(suite)
    results = await asyncio.gather(
        *(suite.refund(payment, ugx(5_000), key=f"key {number}") for number in range(32)),
        return_exceptions=True,
    )
    assert sorted(refusal(each) for each in results) == [""] * 7 + ["REFUND_TOO_LARGE"] * 25
    await money_goes_back(suite)
    assert await status_of(suite, payment) == (PaymentStatus.REFUNDED, PRICE.minor)
    assert len(creations(suite)) == len(set(creations(suite))) == 7


async def test_thirty_two_requests_at_once_with_one_key_are_one_refund(suite: Suite) -> None:
    payment = await bought(suite)
    results = await asyncio.gather(*(suite.refund(payment) for _ in range(32)))
    assert len({encode_answer(each) for each in results}) == 1
    assert len(await suite.refunds(payment.id)) == 1


async def test_a_refund_keeps_to_its_own_payment(suite: Suite) -> None:
    mine = await bought(suite)
    theirs = await bought(suite, by_card(user_id="member-2", idempotency_key="key-2"))
    await suite.refund(mine)
    await money_goes_back(suite)
    assert (await suite.payment(theirs.id)).status is PaymentStatus.COMPLETED
    assert (await suite.membership("member-2")).tier == "pro"
    assert (await suite.membership()).tier == FREE_TIER


async def test_the_fee_of_a_refund_is_entered_and_the_payer_gets_all(suite: Suite) -> None:
    await sent(suite, refund_reply(Answer.SUCCEEDED, fee=ugx(300)))
    assert await suite.balance("expense:gateway_fees") == 300
    assert await suite.balance("clearing:eversend") == -300
    assert await suite.balance("revenue:memberships") == 0


async def renewed(suite: Suite) -> tuple[Payment, Payment]:
    """Let a member buy a month, and the next one in its last days."""
    first = await bought(suite)
    assert first.period_end is not None
    suite.clock.move_to(first.period_end - timedelta(days=3))
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    second = await bought(suite, by_card(idempotency_key="key-2"))
    assert second.period_start == first.period_end
    return first, second


async def test_only_the_time_that_the_returned_payment_granted_ends(suite: Suite) -> None:
    first, second = await renewed(suite)
    await suite.refund(second)
    await money_goes_back(suite)
    membership = await suite.membership()
    assert (membership.tier, membership.period_end) == ("pro", first.period_end)


async def test_time_that_a_later_payment_granted_stays(suite: Suite) -> None:
    first, second = await renewed(suite)
    await suite.refund(first)
    await money_goes_back(suite)
    membership = await suite.membership()
    assert (membership.tier, membership.period_end) == ("pro", second.period_end)


async def test_who_got_everything_back_keeps_nothing(suite: Suite) -> None:
    first, second = await renewed(suite)
    await suite.refund(second)
    await money_goes_back(suite)
    await suite.refund(first, key="refund-2")
    await money_goes_back(suite)
    membership = (await suite.membership()).current(suite.clock.now())
    assert membership.tier == FREE_TIER


async def test_who_got_everything_back_in_the_order_of_payment_keeps_nothing(
    suite: Suite,
) -> None:
    first, second = await renewed(suite)
    await suite.refund(first)
    await money_goes_back(suite)
    await suite.refund(second, key="refund-2")
    await money_goes_back(suite)
    membership = (await suite.membership()).current(suite.clock.now())
    assert membership.tier == FREE_TIER


async def test_a_tier_that_was_bought_afterwards_is_not_taken_back(suite: Suite) -> None:
    payment = await bought(suite, by_card(tier="starter"))
    suite.clock.advance(60)
    await bought(suite, by_card(idempotency_key="key-2"))
    await suite.refund(payment)
    await money_goes_back(suite)
    assert (await suite.membership()).tier == "pro"


async def test_what_went_back_in_full_can_be_bought_again(suite: Suite) -> None:
    await fully_refunded(suite)
    suite.clock.advance(60)
    again = await bought(suite, by_card(idempotency_key="key-2"))
    assert await uses(suite, again) == ["kept"]
    assert (await suite.membership()).payment_id == again.id


async def test_a_part_of_underpaid_money_that_staff_accepted_is_all_there_is(
    suite: Suite,
) -> None:
    payment = await held(suite)
    await suite.resolve(payment, ReviewDecision.GRANT)
    assert await refused(suite.refund(payment, PRICE)) == "REFUND_TOO_LARGE"
    await suite.refund(payment, key="all")
    await money_goes_back(suite)
    assert await status_of(suite, payment) == (PaymentStatus.REFUNDED, 34_999)


DISPUTED = "UPDATE creators_membership SET status = 'disputed', version = version + 1"
CHARGED_BACK = "UPDATE creators_membership SET status = 'charged_back', version = version + 1"


async def test_a_disputed_payment_is_not_refunded_on_request(suite: Suite) -> None:
    payment = await bought(suite)
    await suite.witness.rows(DISPUTED)
    assert await refused(suite.refund(payment)) == "PAYMENT_NOT_REFUNDABLE"


@pytest.mark.parametrize(
    ("part", "status"), [(None, PaymentStatus.REFUNDED), (ugx(5), PaymentStatus.DISPUTED)]
)
async def test_a_refund_that_is_under_way_when_the_dispute_comes_is_counted(
    suite: Suite, part: Money | None, status: PaymentStatus
) -> None:
    refund = await sent(suite, ACCEPTED, part)
    await suite.witness.rows(DISPUTED)
    await looked_up(suite, refund, DONE)
    after = await suite.payment(refund.payment_id)
    assert (after.status, after.refunded) == (status, part or PRICE)


async def test_a_refund_that_is_done_after_the_money_was_charged_back_is_on_record(
    suite: Suite,
) -> None:
    refund = await sent(suite, ACCEPTED)
    await suite.witness.rows(DISPUTED)
    await suite.witness.rows(CHARGED_BACK)
    refund = await looked_up(suite, refund, DONE)
    assert refund.status is RefundStatus.SUCCEEDED
    assert (await newest(suite, refund)).outcome is RefundAttemptOutcome.SUCCEEDED
    assert (await suite.payment(refund.payment_id)).status is PaymentStatus.CHARGED_BACK
