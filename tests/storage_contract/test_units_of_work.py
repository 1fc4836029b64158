"""All or nothing, nobody sees what is not stored, and who holds a row is waited for."""

import asyncio
from dataclasses import replace

from kit.errors import ServiceError
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.ports import Storage
from tests.database.rows import stored_attempt, stored_payment, unstored_payment
from tests.storage_contract.conftest import Store
from tests.storage_contract.giving_up import given_up
from tests.unit.factories import NOW


def processing(payment: Payment) -> Payment:
    return payment.moved(PaymentStatus.PROCESSING, NOW).touched(NOW)


async def read(storage: Storage, payment: Payment) -> Payment | None:
    async with storage.work() as work:
        return await work.payments.get(payment.id)


async def test_what_a_unit_of_work_stored_is_seen_by_the_next(storage: Storage) -> None:
    payment = await stored_payment(storage)
    assert await read(storage, payment) == payment


async def test_a_unit_of_work_that_raises_stores_nothing(storage: Storage) -> None:
    payment = unstored_payment()
    paid = Membership(user_id=payment.user_id, tier="pro")
    await given_up(
        storage,
        lambda work: work.payments.add(payment),
        lambda work: work.memberships.save(paid, NOW),
    )
    assert await read(storage, payment) is None
    async with storage.work() as work:
        assert await work.memberships.get(payment.user_id) == replace(paid, tier="free")


async def test_a_unit_of_work_sees_its_own_changes_and_others_only_what_is_committed(
    storage: Storage,
) -> None:
    payment = await stored_payment(storage)
    async with storage.work() as work:
        await work.payments.save(processing(payment), payment)
        assert await work.payments.get(payment.id) == processing(payment)
        assert await read(storage, payment) == payment
    assert await read(storage, payment) == processing(payment)


async def test_a_locked_payment_is_read_by_others_and_locked_by_nobody_else(store: Store) -> None:
    payment = await stored_payment(store.storage)

    async def lock_it_too() -> Payment:
        async with store.storage.work() as work:
            return await work.payments.lock(payment.id)

    async with store.storage.work() as work:
        locked = await work.payments.lock(payment.id)
        waiter = asyncio.create_task(lock_it_too())
        await store.somebody_waits()
        assert await read(store.storage, payment) == payment
        await work.payments.save(processing(payment), locked)
    # Who waited reads what was stored meanwhile, not what stood there before.
    assert await waiter == processing(payment)


async def test_a_lock_is_given_back_when_its_unit_of_work_fails(store: Store) -> None:
    payment = await stored_payment(store.storage)
    await given_up(store.storage, lambda work: work.payments.lock(payment.id))
    async with store.storage.work() as work:
        assert await work.payments.lock(payment.id) == payment


async def test_a_member_without_a_row_can_be_locked(store: Store) -> None:
    async def lock_her() -> Membership:
        async with store.storage.work() as work:
            return await work.memberships.lock("amina")

    async with store.storage.work() as work:
        held = await work.memberships.lock("amina")
        waiter = asyncio.create_task(lock_her())
        await store.somebody_waits()
        await work.memberships.save(replace(held, tier="pro"), NOW)
    assert (await waiter).tier == "pro"


async def test_one_of_two_who_wait_for_each_other_is_refused(store: Store) -> None:
    one, other = [await stored_payment(store.storage) for _ in range(2)]
    both_hold = asyncio.Barrier(2)

    async def lock(first: Payment, second: Payment) -> None:
        async with store.storage.work() as work:
            await work.payments.lock(first.id)
            await both_hold.wait()
            await work.payments.lock(second.id)

    ends = await asyncio.gather(lock(one, other), lock(other, one), return_exceptions=True)
    refusals = [end for end in ends if end is not None]
    assert len(refusals) == 1
    assert isinstance(refusals[0], ServiceError)
    assert refusals[0].reason == "STORAGE_UNAVAILABLE"


async def test_the_attempts_of_a_payment_are_held_together(store: Store) -> None:
    payment = await stored_payment(store.storage)
    await stored_attempt(store.storage, payment)

    async def lock_them_too() -> int:
        async with store.storage.work() as work:
            return len(await work.attempts.lock_of_payment(payment.id))

    async with store.storage.work() as work:
        await work.attempts.lock_of_payment(payment.id)
        waiter = asyncio.create_task(lock_them_too())
        await store.somebody_waits()
    assert await waiter == 1
