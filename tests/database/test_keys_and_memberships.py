"""Idempotency keys, memberships and the outbox as rows."""

import asyncio
import json
from dataclasses import fields, replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from services.payments.domain.membership import Membership, MembershipStatus, granted
from services.payments.domain.payment import BillingCycle
from services.payments.ports import IdempotencyRecord, IdempotencyScope
from tests.database.rows import stored_payment, unstored_payment
from tests.database.waiting import somebody_waits_for_a_lock
from tests.unit.factories import NOW

MINUTE = timedelta(minutes=1)


def new_record(**scope: str) -> IdempotencyRecord:
    """Return the record of a run that works on a key of its own, or on the given one."""
    whole = {"caller": "bff", "user_id": "m", "method": "CreatePayment", "key": uuid4().hex}
    return IdempotencyRecord(
        scope=IdempotencyScope(**{**whole, **scope}),
        fingerprint=b"\x00\xff" * 16,
        owner=uuid4(),
        lease_until=NOW + MINUTE,
        payment_id=uuid4(),
    )


async def add(storage: PostgresStorage, record: IdempotencyRecord) -> bool:
    async with storage.work() as work:
        return await work.keys.add(record, NOW)


async def get(storage: PostgresStorage, scope: IdempotencyScope) -> IdempotencyRecord | None:
    async with storage.work() as work:
        return await work.keys.get(scope)


async def test_a_key_is_stored_once_with_the_run_that_works_on_it(
    storage: PostgresStorage,
) -> None:
    record = new_record()
    assert await get(storage, record.scope) is None
    assert await add(storage, record)
    assert not await add(storage, replace(new_record(), scope=record.scope, fingerprint=b"other"))
    assert await get(storage, record.scope) == record


@pytest.mark.parametrize("field", fields(IdempotencyScope), ids=lambda field: field.name)
async def test_a_key_belongs_to_its_caller_member_and_method(
    storage: PostgresStorage, field: object
) -> None:
    record = new_record()
    assert await add(storage, record)
    other = replace(record.scope, **{getattr(field, "name", ""): "another"})
    assert await get(storage, other) is None
    assert await add(storage, replace(record, scope=other))


async def test_the_first_answer_stays_the_answer(storage: PostgresStorage) -> None:
    record, joined = new_record(), uuid4()
    await add(storage, record)
    for payment_id, answer in ((joined, b'{"first": "\xc3\xa9"}'), (uuid4(), b"second")):
        async with storage.work() as work:
            await work.keys.finish(record.scope, payment_id, answer)
    answered = replace(record, payment_id=joined, response=b'{"first": "\xc3\xa9"}')
    assert await get(storage, record.scope) == answered


@pytest.mark.parametrize("rolled_back", [False, True])
async def test_a_second_run_waits_until_the_first_is_stored_or_gone(
    owner: asyncpg.Connection, storage: PostgresStorage, *, rolled_back: bool
) -> None:
    record = new_record()
    second = replace(record, owner=uuid4())

    async def first_run() -> asyncio.Task[bool]:
        async with storage.work() as work:
            assert await work.keys.add(record, NOW)
            waiting = asyncio.create_task(add(storage, second))
            await somebody_waits_for_a_lock(owner)
            if rolled_back:
                raise InterruptedError(waiting)
        return waiting

    try:
        waiting = await first_run()
    except InterruptedError as error:
        waiting = error.args[0]
    assert await waiting is rolled_back
    assert await get(storage, record.scope) == (second if rolled_back else record)


async def test_a_member_who_never_paid_has_the_free_tier(storage: PostgresStorage) -> None:
    async with storage.work() as work:
        assert await work.memberships.get("nobody") == Membership(user_id="nobody")
        assert await work.memberships.lock("nobody") == Membership(user_id="nobody")


async def test_every_field_of_a_membership_is_stored_and_replaced(
    storage: PostgresStorage,
) -> None:
    payment = await stored_payment(storage)
    full = Membership(
        user_id="member with every field",
        tier="studio",
        status=MembershipStatus.PAST_DUE,
        billing_cycle=BillingCycle.ANNUAL,
        period_start=NOW,
        period_end=NOW + timedelta(microseconds=1),
        payment_id=payment.id,
    )
    free = Membership(user_id=full.user_id)
    for held in (full, free, full):
        async with storage.work() as work:
            await work.memberships.save(held, NOW)
        async with storage.work() as work:
            assert await work.memberships.get(full.user_id) == held


async def test_two_grants_at_the_same_time_extend_one_after_the_other(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    one = await stored_payment(storage)
    other = replace(one, id=(await stored_payment(storage)).id)

    async def grant_other() -> None:
        async with storage.work() as work:
            held = await work.memberships.lock(other.user_id)
            await work.memberships.save(granted(held, other, NOW), NOW)

    async with storage.work() as work:
        held = await work.memberships.lock(one.user_id)
        second = asyncio.create_task(grant_other())
        await somebody_waits_for_a_lock(owner)
        first = granted(held, one, NOW)
        await work.memberships.save(first, NOW)
    await second
    async with storage.work() as work:
        assert await work.memberships.get(one.user_id) == granted(first, other, NOW)


async def test_the_lock_of_one_member_holds_up_no_other(storage: PostgresStorage) -> None:
    async with storage.work() as one, storage.work() as other:
        await one.memberships.lock("member-1")
        async with asyncio.timeout(5):
            await other.memberships.lock("member-2")


async def test_a_fact_is_stored_with_the_change_and_carries_no_personal_data(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)
    async with storage.work() as work:
        await work.outbox.add("payment.completed", payment, NOW)
    stored = await owner.fetchrow("SELECT * FROM outbox WHERE payment_id = $1", payment.id)
    assert (stored["topic"], stored["created_at"]) == ("payment.completed", NOW)
    assert stored["published_at"] is None
    assert json.loads(stored["payload"]) == {
        "payment_id": str(payment.id),
        "user_id": payment.user_id,
        "tier": "pro",
        "billing_cycle": "monthly",
        "currency_code": "UGX",
        "amount_minor": 35_000,
        "status": "pending",
        "version": 1,
    }


async def test_a_fact_about_a_change_that_is_rolled_back_was_never_there(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = unstored_payment()

    async def interrupted() -> None:
        async with storage.work() as work:
            await work.payments.add(payment)
            await work.outbox.add("payment.completed", payment, NOW)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await interrupted()
    count = "SELECT count(*) FROM outbox WHERE payment_id = $1"
    assert await owner.fetchval(count, payment.id) == 0
