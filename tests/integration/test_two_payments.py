"""A member who starts again after a decline, and whose first payment succeeds late after all."""

from services.payments.domain.states import PaymentStatus
from tests.acceptance.stack import eventually
from tests.integration.conftest import Shop

_A_MINUTE = 60


async def test_money_for_what_was_bought_meanwhile_is_surplus_and_buys_nothing(shop: Shop) -> None:
    await shop.sandbox.fault("late_success", "any", times=1, seconds=1)
    first = await shop.buy("key-1")
    await shop.sandbox.tell(f"transactions/{first.gateway_reference}/fail", reason="Declined")
    shop.clock.advance(_A_MINUTE)
    first = await shop.work_off(first)
    assert first.status is PaymentStatus.FAILED
    second = await shop.buy("key-2")
    late = f"transactions/{first.gateway_reference}"
    await shop.sandbox.tell("clock", advance_seconds=60)

    async def arrived() -> bool | None:
        return bool((await shop.sandbox.ask(late))["successful_count"]) or None

    await eventually(arrived)
    shop.clock.advance(_A_MINUTE)
    first = await shop.work_off(first)
    assert first.status is PaymentStatus.COMPLETED
    async with shop.deps.storage.work() as work:
        granted = await work.memberships.get(first.user_id)
    await shop.sandbox.tell(f"transactions/{second.gateway_reference}/complete")
    shop.clock.advance(_A_MINUTE)
    second = await shop.work_off(second)
    assert second.status is PaymentStatus.CANCELLED
    (attempt,) = await shop.attempts(second)
    assert attempt.surplus == second.amount
    async with shop.deps.storage.work() as work:
        assert await work.memberships.get(first.user_id) == granted
