"""Refunds as rows: never more than was captured, and moved only as the table says."""

import asyncio
from dataclasses import fields, replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from db.unit_of_work import PostgresStorage
from kit.money import Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.payment import Failure
from services.payments.domain.refunds import (
    REFUND_TRANSITIONS,
    Refund,
    RefundPurpose,
    RefundStatus,
)
from services.payments.ports import After
from tests.database.conftest import connected
from tests.database.rows import new_capture, stored_refund
from tests.databases import Database
from tests.unit.factories import NOW, PRICE

AT_ONCE = 32
FAILED = Failure(code="refund_failed", message="It failed.", at=NOW)
# The shortest way that the table allows from a new refund to each status.
PATHS = {
    "pending": (),
    "processing": ("processing",),
    "succeeded": ("succeeded",),
    "failed": ("failed",),
}


def ugx(minor: int) -> Money:
    return Money("UGX", minor)


async def read(storage: PostgresStorage, refund: Refund) -> Refund | None:
    async with storage.work() as work:
        return await work.refunds.get(refund.id)


async def save(storage: PostgresStorage, refund: Refund) -> None:
    async with storage.work() as work:
        await work.refunds.save(refund)


async def going_back(owner: asyncpg.Connection, capture: Capture) -> int:
    """Return how much of a capture is going back or went back, in minor units."""
    total: int = await owner.fetchval(
        "SELECT coalesce(sum(amount), 0)::integer FROM refunds"
        " WHERE capture_id = $1 AND status <> 'failed'",
        capture.id,
    )
    return total


async def test_every_field_of_a_refund_is_stored(storage: PostgresStorage) -> None:
    capture = await new_capture(
        storage, amount=Money("KES", 49_950), excess=Money("KES", 0), gateway="flutterwave"
    )
    new = await stored_refund(
        storage,
        capture,
        amount=Money("KES", 5),
        purpose=RefundPurpose.SURPLUS,
        reason="Trop payé — “double”",
        requested_by="worker",
        created_at=NOW + timedelta(microseconds=1),
    )
    assert await read(storage, new) == new
    later = NOW + timedelta(microseconds=2)
    failed = replace(new, status=RefundStatus.FAILED, failure=FAILED, updated_at=later)
    await save(storage, failed)
    assert await read(storage, new) == failed
    unchanged = {
        each.name
        for each in fields(Refund)
        if getattr(failed, each.name) == getattr(new, each.name)
    }
    assert unchanged == {
        "id", "payment_id", "capture_id", "purpose", "amount", "reason", "requested_by",
        "gateway", "created_at",
    }  # fmt: skip


async def test_a_refund_that_nobody_made_is_not_found(storage: PostgresStorage) -> None:
    async with storage.work() as work:
        assert await work.refunds.get(uuid4()) is None


async def test_refunds_of_a_payment_come_oldest_first(storage: PostgresStorage) -> None:
    capture = await new_capture(storage)
    made = [
        await stored_refund(
            storage, capture, amount=ugx(1), created_at=NOW + timedelta(minutes=minutes)
        )
        for minutes in (3, 1, 2)
    ]
    async with storage.work() as work:
        found = await work.refunds.of_payment(capture.payment_id)
    assert found == sorted(made, key=lambda each: each.created_at)


async def test_failed_refunds_are_read_oldest_first_page_by_page(
    own_storage: PostgresStorage,
) -> None:
    failed = []
    for number in range(5):
        at = NOW + timedelta(minutes=number // 2)
        refund = await stored_refund(own_storage, await new_capture(own_storage), created_at=at)
        failed.append(replace(refund, status=RefundStatus.FAILED, failure=FAILED))
        await save(own_storage, failed[-1])
    await stored_refund(own_storage, await new_capture(own_storage))
    pages: list[Refund] = []
    async with own_storage.work() as work:
        assert await work.refunds.count_failed() == 5
        after: After | None = None
        while page := await work.refunds.failed(after, 2):
            pages += page
            after = After(page[-1].created_at, page[-1].id)
    assert pages == sorted(failed, key=lambda each: (each.created_at, each.id))


@pytest.mark.parametrize(
    "parts",
    [[35_001], [35_000, 1], [20_000, 15_001], [1] * 3 + [34_998]],
    ids=["at once", "one more", "in parts", "in many parts"],
)
async def test_more_than_was_captured_never_goes_back(
    storage: PostgresStorage, owner: asyncpg.Connection, parts: list[int]
) -> None:
    capture = await new_capture(storage)
    *fitting, too_much = parts
    for minor in fitting:
        await stored_refund(storage, capture, amount=ugx(minor))
    with pytest.raises(IntegrityError, match="exceeds what is left of the capture"):
        await stored_refund(storage, capture, amount=ugx(too_much))
    assert await going_back(owner, capture) == sum(fitting)


async def test_surplus_and_requested_refunds_together_never_exceed_the_capture(
    storage: PostgresStorage,
) -> None:
    capture = await new_capture(storage, amount=ugx(40_000), excess=ugx(5_000))
    await stored_refund(storage, capture, amount=ugx(5_000), purpose=RefundPurpose.SURPLUS)
    await stored_refund(storage, capture, amount=PRICE)
    with pytest.raises(IntegrityError, match="exceeds what is left"):
        await stored_refund(storage, capture, amount=ugx(1))


async def test_refunds_from_many_connections_at_once_never_exceed_the_capture(
    database: Database, own_storage: PostgresStorage
) -> None:
    capture = await new_capture(own_storage)
    everybody_is_there = asyncio.Barrier(AT_ONCE)

    async def refund(number: int) -> bool:
        async with connected(database.app_url) as connection:
            await everybody_is_there.wait()
            try:
                await connection.execute(
                    "INSERT INTO refunds (id, payment_id, capture_id, purpose, amount, currency,"
                    " reason, requested_by, gateway, status, created_at, updated_at)"
                    " VALUES ($1, $2, $3, 'requested', 4000, 'UGX', '', 'operator', 'eversend',"
                    " 'pending', now(), now())",
                    UUID(int=number + 1),
                    capture.payment_id,
                    capture.id,
                )
            except asyncpg.CheckViolationError:
                return False
        return True

    stored = await asyncio.gather(*(refund(number) for number in range(AT_ONCE)))
    assert sum(stored) == 35_000 // 4_000
    async with connected(database.owner_url) as owner:
        assert await going_back(owner, capture) == 32_000


async def test_a_failed_refund_leaves_its_money_to_others(storage: PostgresStorage) -> None:
    capture = await new_capture(storage)
    first = await stored_refund(storage, capture)
    await save(storage, replace(first, status=RefundStatus.FAILED, failure=FAILED))
    await stored_refund(storage, capture)


async def test_a_failed_refund_is_not_tried_again_when_its_money_went_back_otherwise(
    storage: PostgresStorage,
) -> None:
    capture = await new_capture(storage)
    first = await stored_refund(storage, capture)
    failed = replace(first, status=RefundStatus.FAILED, failure=FAILED)
    await save(storage, failed)
    await stored_refund(storage, capture, amount=ugx(1))
    with pytest.raises(IntegrityError, match="exceeds what is left"):
        await save(storage, failed.moved(RefundStatus.PENDING, NOW))


async def test_what_succeeded_after_it_had_failed_is_a_fact_even_when_it_is_too_much(
    storage: PostgresStorage,
) -> None:
    capture = await new_capture(storage)
    first = await stored_refund(storage, capture)
    failed = replace(first, status=RefundStatus.FAILED, failure=FAILED)
    await save(storage, failed)
    await stored_refund(storage, capture)
    succeeded = failed.moved(RefundStatus.SUCCEEDED, NOW)
    await save(storage, succeeded)
    assert await read(storage, first) == succeeded


async def test_held_money_goes_nowhere_before_it_is_decided(storage: PostgresStorage) -> None:
    held = await new_capture(
        storage, use=CaptureUse.HELD, excess=ugx(0), held_because="underpaid", amount=ugx(1)
    )
    with pytest.raises(IntegrityError, match="held money goes nowhere"):
        await stored_refund(storage, held)
    back = replace(held, use=CaptureUse.SURPLUS, excess=ugx(1), held_because="")
    async with storage.work() as work:
        await work.captures.save(back)
    await stored_refund(storage, back)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money("KES", 35_000)},
        {"amount": ugx(0)},
        {"amount": ugx(-1)},
        {"status": RefundStatus.PROCESSING},
        {"status": RefundStatus.SUCCEEDED},
        {"status": RefundStatus.FAILED},
        {"capture_id": UUID(int=404)},
        {"payment_id": UUID(int=404)},
    ],
    ids=str,
)
async def test_a_refund_that_makes_no_sense_is_refused(
    storage: PostgresStorage, changes: dict[str, Any]
) -> None:
    capture = await new_capture(storage)
    with pytest.raises(IntegrityError):
        await stored_refund(storage, capture, **changes)


async def test_the_database_allows_exactly_the_moves_of_the_table(
    storage: PostgresStorage, owner: asyncpg.Connection
) -> None:
    async def move(refund: Refund, status: str) -> None:
        await owner.execute(
            "UPDATE refunds SET status = $2,"
            " error_code = CASE $2 WHEN 'failed' THEN 'refund_failed' END,"
            " failed_at = CASE $2 WHEN 'failed' THEN now() END WHERE id = $1",
            refund.id,
            status,
        )

    allowed = set()
    for old, new in product(PATHS, PATHS):
        refund = await stored_refund(storage, await new_capture(storage))
        for status in PATHS[old]:
            await move(refund, status)
        try:
            await move(refund, new)
        except asyncpg.CheckViolationError as error:
            assert str(error) == f"illegal refund transition: {old} -> {new}"  # noqa: PT017 - many pairs, one test
        else:
            allowed.add((old, new))
    legal = {(old, new) for old, news in REFUND_TRANSITIONS.items() for new in news}
    assert allowed == legal | {(status, status) for status in RefundStatus}


@pytest.mark.parametrize("status", ["", "PENDING", "refunded"])
async def test_a_status_that_nobody_knows_is_refused(
    storage: PostgresStorage, owner: asyncpg.Connection, status: str
) -> None:
    refund = await stored_refund(storage, await new_capture(storage))
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("UPDATE refunds SET status = $2 WHERE id = $1", refund.id, status)


FIXED = {
    "id": "gen_random_uuid()",
    "payment_id": "gen_random_uuid()",
    "capture_id": "gen_random_uuid()",
    "amount": "amount - 1",
    "currency": "'KES'",
    "gateway": "'flutterwave'",
}


@pytest.mark.parametrize("column", list(FIXED))
async def test_what_a_refund_returns_never_changes_even_by_hand(
    storage: PostgresStorage, owner: asyncpg.Connection, column: str
) -> None:
    refund = await stored_refund(storage, await new_capture(storage))
    with pytest.raises(asyncpg.CheckViolationError, match="what a refund returns never changes"):
        await owner.execute(
            f"UPDATE refunds SET {column} = {FIXED[column]} WHERE id = $1",  # noqa: S608 - our own table
            refund.id,
        )


async def test_the_database_knows_exactly_the_purposes_of_the_code(
    storage: PostgresStorage, owner: asyncpg.Connection
) -> None:
    for purpose in RefundPurpose:
        await stored_refund(storage, await new_capture(storage), purpose=purpose)
    refund = await stored_refund(storage, await new_capture(storage))
    with pytest.raises(asyncpg.CheckViolationError, match="purpose"):
        await owner.execute("UPDATE refunds SET purpose = 'gift' WHERE id = $1", refund.id)


@pytest.mark.parametrize("statement", ["DELETE FROM refunds", "TRUNCATE refunds CASCADE"])
async def test_not_even_the_owner_can_make_a_refund_disappear(
    storage: PostgresStorage, owner: asyncpg.Connection, statement: str
) -> None:
    await stored_refund(storage, await new_capture(storage))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
        await owner.execute(statement)
