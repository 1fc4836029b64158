"""Callbacks as rows: stored once, counted when they come again, handled by one worker at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.events import Delivery, EventStatus, GatewayEvent, Handling
from tests.database.rows import stored_payment
from tests.database.waiting import somebody_waits_for_a_lock
from tests.unit.factories import NOW

MINUTE = timedelta(minutes=1)
DELIVERY = Delivery(
    gateway="flutterwave",
    event_key="charge.completed:1",
    event_type="charge.completed",
    reference="cp0001",
    gateway_transaction_id="tx-1",
    raw_body=b'\x00\xff{"status": "successful", "status": "failed"}\r\n',
    headers={"user-agent": "Flutterwave/1.0 “é”", "content-type": "application/json"},
    received_at=NOW,
)


async def record(
    storage: PostgresStorage, delivery: Delivery = DELIVERY, request_id: str = "r-1"
) -> tuple[UUID, bool]:
    async with storage.work() as work:
        return await work.events.add(uuid4(), delivery, request_id)


async def claim(
    storage: PostgresStorage, at: datetime = NOW, limit: int = 100
) -> Sequence[GatewayEvent]:
    async with storage.work() as work:
        return await work.events.claim_due(at, MINUTE, limit)


async def mark(storage: PostgresStorage, event: GatewayEvent, handling: Handling) -> None:
    async with storage.work() as work:
        await work.events.mark(event, handling, NOW + MINUTE)


async def row(connection: asyncpg.Connection, event_id: UUID) -> asyncpg.Record:
    return await connection.fetchrow("SELECT * FROM webhook_events WHERE id = $1", event_id)


async def test_a_delivery_is_stored_as_it_came(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    event_id, new = await record(storage)
    stored = await row(owner, event_id)
    assert new
    assert stored["source"] == "flutterwave"
    assert stored["event_id"] == "charge.completed:1"
    assert stored["event_type"] == "charge.completed"
    assert stored["reference"] == "cp0001"
    assert stored["gateway_transaction_id"] == "tx-1"
    assert stored["raw_body"] == DELIVERY.raw_body
    assert stored["status"] == "received"
    assert stored["request_id"] == "r-1"
    assert (stored["received_at"], stored["next_try_at"]) == (NOW, NOW)
    assert (stored["duplicate_count"], stored["last_duplicate_at"]) == (0, None)
    headers = "SELECT headers ->> 'user-agent' FROM webhook_events WHERE id = $1"
    assert await owner.fetchval(headers, event_id) == DELIVERY.headers["user-agent"]


async def test_a_delivery_that_comes_again_is_counted_and_changes_nothing_else(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    delivery = replace(DELIVERY, event_key="comes again")
    first, _ = await record(storage, delivery)
    other = replace(
        delivery,
        raw_body=b"forged",
        reference="cp9999",
        event_type="other",
        headers={},
        received_at=NOW + MINUTE,
    )
    assert await record(storage, other, "r-2") == (first, False)
    assert await record(storage, other, "r-3") == (first, False)
    stored = await row(owner, first)
    assert (stored["duplicate_count"], stored["last_duplicate_at"]) == (2, NOW + MINUTE)
    assert (stored["raw_body"], stored["reference"]) == (DELIVERY.raw_body, "cp0001")
    assert (stored["request_id"], stored["received_at"]) == ("r-1", NOW)


async def test_the_same_key_from_another_gateway_is_another_event(
    storage: PostgresStorage,
) -> None:
    one = replace(DELIVERY, event_key="of two gateways")
    other = replace(one, gateway="eversend")
    assert [(await record(storage, each))[1] for each in (one, other)] == [True, True]


async def test_of_deliveries_at_the_same_time_one_is_new(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    delivery = replace(DELIVERY, event_key="at the same time")
    async with storage.work() as work:
        first, _ = await work.events.add(uuid4(), delivery, "r-1")
        others = [asyncio.create_task(record(storage, delivery)) for _ in range(4)]
        await somebody_waits_for_a_lock(owner)
    assert await asyncio.gather(*others) == [(first, False)] * 4
    assert (await row(owner, first))["duplicate_count"] == 4


async def test_claimers_at_the_same_time_never_get_the_same_event(
    own_storage: PostgresStorage,
) -> None:
    recorded = [
        (await record(own_storage, replace(DELIVERY, event_key=str(number))))[0]
        for number in range(12)
    ]
    all_have_claimed = asyncio.Barrier(3)

    async def claimer() -> list[UUID]:
        async with own_storage.work() as work:
            claimed = await work.events.claim_due(NOW, MINUTE, 5)
            await all_have_claimed.wait()
        return [event.id for event in claimed]

    shares = await asyncio.gather(*(claimer() for _ in range(3)))
    assert max(len(share) for share in shares) <= 5
    assert sorted(each for share in shares for each in share) == sorted(recorded)


async def test_a_claimed_event_is_what_was_delivered(own_storage: PostgresStorage) -> None:
    event_id, _ = await record(own_storage)
    [event] = await claim(own_storage)
    assert event == GatewayEvent(
        id=event_id,
        gateway="flutterwave",
        event_type="charge.completed",
        reference="cp0001",
        gateway_transaction_id="tx-1",
        request_id="r-1",
        received_at=NOW,
        tries=0,
        lease_token=1,
        event_key=DELIVERY.event_key,
        next_try_at=NOW,
    )


async def test_a_lease_lapses_and_its_holder_is_fenced(own_storage: PostgresStorage) -> None:
    await record(own_storage)
    assert await claim(own_storage, NOW - timedelta(microseconds=1)) == []
    [first] = await claim(own_storage)
    assert await claim(own_storage, NOW + MINUTE - timedelta(microseconds=1)) == []
    [second] = await claim(own_storage, NOW + MINUTE)
    with pytest.raises(StaleWriteError):
        await mark(own_storage, first, Handling(status=EventStatus.PROCESSED))
    await mark(own_storage, second, Handling(status=EventStatus.PROCESSED))


async def test_a_handled_event_is_never_claimed_again(own_storage: PostgresStorage) -> None:
    payment = await stored_payment(own_storage)
    await record(own_storage)
    [event] = await claim(own_storage)
    done = Handling(status=EventStatus.PROCESSED, payment_id=payment.id)
    await mark(own_storage, event, done)
    assert await claim(own_storage, NOW + timedelta(days=365)) == []


@pytest.mark.parametrize("status", [EventStatus.RECEIVED, EventStatus.UNATTRIBUTED])
async def test_an_event_that_is_not_done_is_tried_again_at_its_time(
    own_storage: PostgresStorage, status: EventStatus
) -> None:
    await record(own_storage)
    [event] = await claim(own_storage)
    later = NOW + timedelta(seconds=5)
    await mark(own_storage, event, Handling(status=status, next_try_at=later, note="not yet"))
    assert await claim(own_storage, later - timedelta(microseconds=1)) == []
    [again] = await claim(own_storage, later)
    assert (again.id, again.tries) == (event.id, 1)


async def test_operators_see_how_far_an_event_was_handled(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)
    event_id, _ = await record(storage, replace(DELIVERY, event_key="seen"))
    [event] = [each for each in await claim(storage) if each.id == event_id]
    await mark(storage, event, Handling(status=EventStatus.UNATTRIBUTED, note="matches nothing"))
    kept = await row(owner, event_id)
    assert (kept["status"], kept["note"]) == ("unattributed", "matches nothing")
    assert (kept["tries"], kept["processed_at"], kept["payment_id"]) == (1, None, None)
    done = Handling(status=EventStatus.PROCESSED, payment_id=payment.id)
    await mark(storage, replace(event, tries=1), done)
    handled = await row(owner, event_id)
    assert (handled["status"], handled["processed_at"]) == ("processed", NOW + MINUTE)
    assert (handled["tries"], handled["payment_id"]) == (2, payment.id)
