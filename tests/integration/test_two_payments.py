"""A member who starts again after a decline, and whose first payment succeeds late after all."""

from kit.money import Money
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import RefundPurpose, RefundStatus
from services.payments.domain.states import PaymentStatus
from tests.acceptance.stack import eventually
from tests.integration.conftest import Shop

_A_MINUTE = 60
_AN_HOUR = 3600


async def declined_and_begun_again(shop: Shop) -> tuple[Payment, Payment]:
    """Decline a first payment, begin a second one, and let the first one's money arrive late."""
    await shop.sandbox.fault("late_success", "any", times=1, seconds=1)
    first = await shop.buy("key-1")
    await shop.sandbox.tell(f"transactions/{first.gateway_reference}/fail", reason="Declined")
    shop.clock.advance(_A_MINUTE)
    first = await shop.work_off(first)
    assert first.status is PaymentStatus.FAILED
    second = await shop.buy("key-2")
    late = f"transactions/{first.gateway_reference}"
    await shop.sandbox.tell("clock", advance_seconds=_A_MINUTE)

    async def arrived() -> bool | None:
        return bool((await shop.sandbox.ask(late))["successful_count"]) or None

    await eventually(arrived)
    return first, second


async def test_the_page_of_what_was_bought_meanwhile_is_closed_at_its_gateway(shop: Shop) -> None:
    first, second = await declined_and_begun_again(shop)
    shop.clock.advance(_A_MINUTE)
    assert (await shop.work_off(first)).status is PaymentStatus.COMPLETED
    assert (await shop.work_off(second)).status is PaymentStatus.CANCELLED
    charges = (await shop.sandbox.ask(f"transactions/{second.gateway_reference}"))["charges"]
    assert [charge["status"] for charge in charges] == ["disabled"]


async def test_money_that_arrives_for_both_buys_once_and_goes_back_once(shop: Shop) -> None:
    first, second = await declined_and_begun_again(shop)
    await shop.sandbox.tell(f"transactions/{second.gateway_reference}/complete")
    shop.clock.advance(_A_MINUTE)
    payments = [await shop.work_off(first), await shop.work_off(second)]
    (kept,) = [each for each in payments if each.status is PaymentStatus.COMPLETED]
    (other,) = [each for each in payments if each.status is not PaymentStatus.COMPLETED]
    async with shop.deps.storage.work() as work:
        assert (await work.memberships.get(kept.user_id)).payment_id == kept.id
    (refund,) = await shop.work_on_refunds(other)
    assert (refund.amount, refund.purpose) == (other.amount, RefundPurpose.SURPLUS)
    assert refund.status is RefundStatus.PROCESSING
    await shop.sandbox.tell("clock", advance_seconds=_AN_HOUR)
    shop.clock.advance(_A_MINUTE)
    (refund,) = await shop.work_on_refunds(other)
    assert refund.status is RefundStatus.SUCCEEDED
    async with shop.deps.storage.work() as work:
        assert await work.ledger.balances("liability:surplus") == [Money("NGN", 0)]
        assert await work.refunds.of_payment(kept.id) == []
