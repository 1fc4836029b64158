"""A hosted page that nobody pays on ends, but never before the gateway has been asked."""

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.payment import NO_ACTION
from services.payments.domain.states import PaymentStatus
from tests.integration.conftest import Shop

_A_SESSION_AND_A_LITTLE = 31 * 60


async def test_a_page_that_nobody_paid_on_expires_once_the_gateway_closed_it(shop: Shop) -> None:
    payment = await shop.buy()
    shop.clock.advance(_A_SESSION_AND_A_LITTLE)
    expired = await shop.work_off(payment)
    assert expired.status is PaymentStatus.EXPIRED
    assert expired.next_action == NO_ACTION
    (attempt,) = await shop.attempts(payment)
    assert attempt.outcome is AttemptOutcome.EXPIRED
    charges = await shop.sandbox.ask(f"transactions/{attempt.reference}")
    assert [charge["status"] for charge in charges["charges"]] == ["disabled"]


async def test_a_page_is_not_expired_before_its_time(shop: Shop) -> None:
    payment = await shop.buy()
    shop.clock.advance(29 * 60)
    assert (await shop.work_off(payment)).status is PaymentStatus.PROCESSING


async def test_money_that_came_just_before_the_end_completes_the_payment(shop: Shop) -> None:
    payment = await shop.buy()
    await shop.sandbox.tell(f"transactions/{payment.gateway_reference}/complete")
    shop.clock.advance(_A_SESSION_AND_A_LITTLE)
    assert (await shop.work_off(payment)).status is PaymentStatus.COMPLETED


@pytest.mark.parametrize("operation", ["lookup", "cancel"])
async def test_a_gateway_that_does_not_answer_keeps_the_payment_open(
    shop: Shop, operation: str
) -> None:
    payment = await shop.buy()
    shop.clock.advance(_A_SESSION_AND_A_LITTLE)
    await shop.sandbox.fault("error_before_effect", operation)
    assert (await shop.work_off(payment)).status is PaymentStatus.PROCESSING
    await shop.sandbox.control.delete("/_sandbox/faults")
    shop.clock.advance(3600)
    assert (await shop.work_off(payment)).status is PaymentStatus.EXPIRED


async def test_the_check_comes_soon_after_the_page_has_ended(shop: Shop) -> None:
    payment = await shop.buy()
    for _ in range(12):
        shop.clock.advance(150)
        payment = await shop.work_off(payment)
    (attempt,) = await shop.attempts(payment)
    assert attempt.expires_at is not None
    assert attempt.next_check_at is not None
    assert 0 < (attempt.next_check_at - attempt.expires_at).total_seconds() <= 60


async def test_after_the_end_the_member_can_buy_again(shop: Shop) -> None:
    payment = await shop.buy("key-1")
    shop.clock.advance(_A_SESSION_AND_A_LITTLE)
    await shop.work_off(payment)
    again = await shop.buy("key-2")
    assert again.id != payment.id
    assert again.status is PaymentStatus.PROCESSING
