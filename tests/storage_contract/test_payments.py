"""Payments: one open for one thing, guarded writes, legal moves, pages."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import BillingCycle, Payment
from services.payments.domain.states import (
    KEPT_STATUSES,
    OPEN_STATUSES,
    TRANSITIONS,
    PaymentStatus,
)
from services.payments.ports import PaymentFilter, Storage, Work
from tests.database.rows import PATHS, stored_payment, unstored_payment
from tests.storage_contract.conftest import Store
from tests.storage_contract.giving_up import given_up
from tests.unit.factories import NOW, make_purchase


async def moved(storage: Storage, payment: Payment, status: PaymentStatus) -> Payment:
    """Store a payment in another status, whether that is legal or not."""
    completed_at = NOW if status is PaymentStatus.COMPLETED else payment.completed_at
    changed = replace(payment, status=status, completed_at=completed_at).touched(NOW)
    async with storage.work() as work:
        await work.payments.save(changed, payment)
    return changed


async def brought_to(storage: Storage, status: PaymentStatus) -> Payment:
    payment = await stored_payment(storage)
    for step in PATHS[status]:
        payment = await moved(storage, payment, PaymentStatus(step))
    return payment


async def test_a_member_has_one_open_payment_for_one_thing(storage: Storage) -> None:
    first = await stored_payment(storage)
    async with storage.work() as work:
        assert not await work.payments.add(unstored_payment(purchase=first.purchase))
        assert await work.payments.open_for(first.user_id, "pro", "monthly") == first
        other = replace(first.purchase, billing_cycle=BillingCycle.ANNUAL)
        assert await work.payments.add(unstored_payment(purchase=other))


async def test_of_two_who_buy_the_same_at_once_one_is_told(store: Store) -> None:
    purchase = make_purchase(user_id="amina")

    async def buy() -> bool:
        async with store.storage.work() as work:
            return await work.payments.add(unstored_payment(purchase=purchase))

    async with store.storage.work() as work:
        assert await work.payments.add(unstored_payment(purchase=purchase))
        # Whether the second one fits is known when the first is stored, or is not.
        waiter = asyncio.create_task(buy())
        await store.somebody_waits()
    assert not await waiter


async def test_who_waited_for_a_purchase_that_was_given_up_buys(store: Store) -> None:
    purchase = make_purchase(user_id="amina")

    async def buy() -> bool:
        async with store.storage.work() as work:
            return await work.payments.add(unstored_payment(purchase=purchase))

    waiters: list[asyncio.Task[bool]] = []

    async def begin(work: Work) -> None:
        assert await work.payments.add(unstored_payment(purchase=purchase))
        waiters.append(asyncio.create_task(buy()))
        await store.somebody_waits()

    await given_up(store.storage, begin)
    assert await waiters[0]


async def test_a_payment_that_is_over_makes_room_for_another(storage: Storage) -> None:
    first = await brought_to(storage, PaymentStatus.FAILED)
    async with storage.work() as work:
        assert await work.payments.open_for(first.user_id, "pro", "monthly") is None
        assert await work.payments.add(unstored_payment(purchase=first.purchase))


async def test_a_payment_begins_again_only_where_there_is_room(store: Store) -> None:
    first = await brought_to(store.storage, PaymentStatus.FAILED)
    await stored_payment(store.storage, purchase=first.purchase)
    with pytest.raises(store.refused):
        await moved(store.storage, first, PaymentStatus.PROCESSING)


@pytest.mark.parametrize("old", list(PaymentStatus))
async def test_only_legal_moves_are_stored(store: Store, old: PaymentStatus) -> None:
    for new in PaymentStatus:
        payment = await brought_to(store.storage, old)
        if new is old or new in TRANSITIONS[old]:
            assert (await moved(store.storage, payment, new)).status is new
            continue
        with pytest.raises(store.refused):
            await moved(store.storage, payment, new)


async def test_a_payment_begins_as_pending(store: Store) -> None:
    with pytest.raises(store.refused):
        await stored_payment(store.storage, status=PaymentStatus.PROCESSING)


async def test_a_write_that_was_outrun_is_refused(storage: Storage) -> None:
    payment = await stored_payment(storage)
    await moved(storage, payment, PaymentStatus.PROCESSING)
    with pytest.raises(StaleWriteError):
        await moved(storage, payment, PaymentStatus.FAILED)


async def test_a_move_is_a_new_version_and_a_version_never_shrinks(store: Store) -> None:
    payment = await stored_payment(store.storage)
    same_version = replace(payment, status=PaymentStatus.PROCESSING)
    older = replace(payment, version=payment.version - 1)
    for wrong in (same_version, older):
        with pytest.raises(store.refused):
            async with store.storage.work() as work:
                await work.payments.save(wrong, payment)


@pytest.mark.parametrize("status", list(PaymentStatus))
async def test_a_newer_purchase_counts_while_its_money_is_kept(
    storage: Storage, status: PaymentStatus
) -> None:
    newer = await brought_to(storage, status)
    before, after = NOW - timedelta(seconds=1), NOW
    async with storage.work() as work:
        bought_after = work.payments.bought_after
        kept = status in KEPT_STATUSES
        assert await bought_after(newer.user_id, before, uuid4()) is kept
        assert not await bought_after(newer.user_id, after, uuid4())
        assert not await bought_after(newer.user_id, before, newer.id)
        assert not await bought_after("somebody else", before, uuid4())


async def test_locking_a_payment_that_is_not_there_says_so(storage: Storage) -> None:
    with pytest.raises(LookupError):
        async with storage.work() as work:
            await work.payments.lock(unstored_payment().id)


async def test_pages_come_newest_first_and_go_on_where_the_last_one_ended(
    storage: Storage,
) -> None:
    payments = [
        await stored_payment(storage, created_at=NOW + timedelta(minutes=minutes))
        for minutes in (3, 1, 2)
    ]
    in_order = sorted(payments, key=lambda payment: payment.created_at, reverse=True)
    async with storage.work() as work:
        page = await work.payments.page(PaymentFilter(), 2)
        before = (page[-1].created_at, page[-1].id)
        rest = await work.payments.page(PaymentFilter(before=before), 2)
    assert [*page, *rest] == in_order


async def test_a_page_has_what_its_filter_wants(storage: Storage) -> None:
    open_one = await stored_payment(storage)
    failed = await brought_to(storage, PaymentStatus.FAILED)
    async with storage.work() as work:
        own = await work.payments.page(PaymentFilter(user_id=open_one.user_id), 9)
        over = await work.payments.page(PaymentFilter(status=PaymentStatus.FAILED), 9)
        later = await work.payments.page(PaymentFilter(created_from=NOW + timedelta(seconds=1)), 9)
        earlier = await work.payments.page(PaymentFilter(created_before=NOW), 9)
    assert (list(own), list(over), list(later), list(earlier)) == ([open_one], [failed], [], [])
    assert open_one.status in OPEN_STATUSES
