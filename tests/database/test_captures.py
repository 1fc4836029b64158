"""Captured money as rows: once per transaction of a gateway, and never rewritten."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from db.unit_of_work import PostgresStorage
from kit.money import Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.ports import After
from tests.database.rows import new_capture, stored_attempt, stored_capture, stored_payment
from tests.unit.factories import NOW, PRICE

NOTHING = Money("UGX", 0)
SURPLUS: dict[str, Any] = {"use": CaptureUse.SURPLUS, "excess": PRICE}
HELD: dict[str, Any] = {
    "use": CaptureUse.HELD,
    "excess": NOTHING,
    "held_because": "underpaid",
}


async def read(storage: PostgresStorage, capture: Capture) -> Capture | None:
    async with storage.work() as work:
        return await work.captures.by_transaction_id(
            capture.gateway, capture.gateway_transaction_id
        )


async def save(storage: PostgresStorage, capture: Capture) -> None:
    async with storage.work() as work:
        await work.captures.save(capture)


async def test_every_field_of_a_capture_is_stored(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    attempt = await stored_attempt(storage, payment, gateway="flutterwave")
    held = await stored_capture(
        storage,
        attempt,
        amount=Money("KES", 49_950),
        excess=Money("KES", 0),
        use=CaptureUse.HELD,
        held_because="underpaid",
        fee=Money("KES", 0),
        captured_at=NOW + timedelta(microseconds=1),
    )
    assert await read(storage, held) == held
    decided = replace(
        held,
        amount=Money("KWD", 70_005),
        excess=Money("KWD", 5),
        use=CaptureUse.KEPT,
        held_because="",
        fee=Money("KWD", 1),
    )
    await save(storage, decided)
    assert await read(storage, held) == decided
    unchanged = {
        each.name
        for each in fields(Capture)
        if getattr(decided, each.name) == getattr(held, each.name)
    }
    assert unchanged == {
        "id", "payment_id", "attempt_id", "gateway", "gateway_transaction_id", "captured_at",
    }  # fmt: skip


async def test_a_fee_that_is_not_known_is_not_a_fee_of_nothing(storage: PostgresStorage) -> None:
    unknown = await new_capture(storage, fee=None)
    free = await new_capture(storage, fee=NOTHING)
    assert [await read(storage, each) for each in (unknown, free)] == [unknown, free]


async def test_a_transaction_of_a_gateway_is_stored_once(storage: PostgresStorage) -> None:
    first = await new_capture(storage)
    other = await new_capture(storage, use=CaptureUse.SURPLUS, excess=PRICE)
    again = replace(other, id=uuid4(), gateway_transaction_id=first.gateway_transaction_id)
    elsewhere = replace(again, gateway="flutterwave")
    async with storage.work() as work:
        assert not await work.captures.add(again)
        assert await work.captures.add(elsewhere)
    assert await read(storage, first) == first


async def test_captures_of_a_payment_come_oldest_first(storage: PostgresStorage) -> None:
    attempt = await stored_attempt(storage, await stored_payment(storage))
    for minutes in (3, 1, 2):
        at = NOW + timedelta(minutes=minutes)
        await stored_capture(storage, attempt, captured_at=at, **SURPLUS)
    async with storage.work() as work:
        found = await work.captures.of_payment(attempt.payment_id)
    assert [each.captured_at for each in found] == [NOW + timedelta(minutes=m) for m in (1, 2, 3)]


async def test_a_payment_keeps_one_capture(storage: PostgresStorage) -> None:
    kept = await new_capture(storage)
    attempt_id = kept.attempt_id
    async with storage.work() as work:
        attempts = await work.attempts.of_payment(kept.payment_id)
    (attempt,) = [each for each in attempts if each.id == attempt_id]
    with pytest.raises(IntegrityError, match="captures_one_kept"):
        await stored_capture(storage, attempt)
    held = await stored_capture(storage, attempt, **HELD)
    with pytest.raises(IntegrityError, match="captures_one_kept"):
        await save(storage, replace(held, use=CaptureUse.KEPT, held_because=""))
    await save(storage, replace(held, use=CaptureUse.SURPLUS, excess=PRICE, held_because=""))


async def test_what_waits_for_a_decision_is_read_oldest_first_page_by_page(
    own_storage: PostgresStorage,
) -> None:
    held = [
        await new_capture(own_storage, captured_at=NOW + timedelta(minutes=number // 2), **HELD)
        for number in range(7)
    ]
    await new_capture(own_storage)
    await new_capture(own_storage, **SURPLUS)
    pages: list[Capture] = []
    async with own_storage.work() as work:
        assert await work.captures.count_held() == 7
        after: After | None = None
        while page := await work.captures.held(after, 3):
            pages += page
            after = After(page[-1].captured_at, page[-1].id)
    assert pages == sorted(held, key=lambda each: (each.captured_at, each.id))


NEVER = {
    "payment_id": "gen_random_uuid()",
    "attempt_id": "gen_random_uuid()",
    "gateway": "'flutterwave'",
    "gateway_transaction_id": "'another'",
    "captured_at": "now()",
    "id": "gen_random_uuid()",
}
DECIDED = {"amount": "amount + 1", "currency": "'KES'", "excess_amount": "0"}


@pytest.mark.parametrize("changes", [{}, SURPLUS, HELD], ids=["kept", "surplus", "held"])
@pytest.mark.parametrize("column", list(NEVER))
async def test_what_was_captured_never_changes_even_by_hand(
    storage: PostgresStorage, owner: asyncpg.Connection, column: str, changes: dict[str, Any]
) -> None:
    capture = await new_capture(storage, **changes)
    with pytest.raises(asyncpg.CheckViolationError, match="what was captured never changes"):
        await owner.execute(
            f"UPDATE captures SET {column} = {NEVER[column]} WHERE id = $1",  # noqa: S608 - our own table
            capture.id,
        )


@pytest.mark.parametrize("column", list(DECIDED))
async def test_an_amount_that_counts_never_changes(
    storage: PostgresStorage, owner: asyncpg.Connection, column: str
) -> None:
    excess = Money("UGX", 5_000)
    capture = await new_capture(storage, amount=PRICE + excess, excess=excess)
    with pytest.raises(asyncpg.CheckViolationError, match="what was captured never changes"):
        await owner.execute(
            f"UPDATE captures SET {column} = {DECIDED[column]} WHERE id = $1",  # noqa: S608 - our own table
            capture.id,
        )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kept", "surplus"),
        ("kept", "held"),
        ("surplus", "kept"),
        ("surplus", "held"),
    ],
)
async def test_only_held_money_is_decided_and_once(
    storage: PostgresStorage, owner: asyncpg.Connection, before: str, after: str
) -> None:
    capture = await new_capture(storage, **(SURPLUS if before == "surplus" else {}))
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(
            "UPDATE captures SET use = $2, held_because = CASE $2 WHEN 'held' THEN 'why' ELSE ''"
            " END WHERE id = $1",
            capture.id,
            after,
        )


async def test_a_fee_may_be_learned_later(storage: PostgresStorage) -> None:
    capture = await new_capture(storage)
    await save(storage, replace(capture, fee=Money("UGX", 490)))
    learned = await read(storage, capture)
    assert learned is not None
    assert learned.fee == Money("UGX", 490)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": NOTHING},
        {"amount": Money("UGX", -1)},
        {"excess": PRICE + Money("UGX", 1)},
        {"excess": Money("UGX", -1)},
        {"use": CaptureUse.SURPLUS},
        {"use": CaptureUse.SURPLUS, "excess": Money("UGX", 34_999)},
        {"use": CaptureUse.HELD},
        {"held_because": "underpaid"},
        {"fee": Money("UGX", -1)},
        {"gateway_transaction_id": ""},
    ],
    ids=str,
)
async def test_a_capture_that_makes_no_sense_is_refused(
    storage: PostgresStorage, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        await new_capture(storage, **changes)


async def test_the_database_knows_exactly_the_uses_of_the_code(
    storage: PostgresStorage, owner: asyncpg.Connection
) -> None:
    definition = await owner.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'captures_use_check'"
    )
    assert {use for use in CaptureUse if f"'{use}'" in definition} == set(CaptureUse)
    assert definition.count("::text") == len(CaptureUse)
    for use, changes in zip(CaptureUse, ({}, SURPLUS, HELD), strict=True):
        assert (await new_capture(storage, **changes)).use is use


@pytest.mark.parametrize("statement", ["DELETE FROM captures", "TRUNCATE captures CASCADE"])
async def test_not_even_the_owner_can_make_captured_money_disappear(
    storage: PostgresStorage, owner: asyncpg.Connection, statement: str
) -> None:
    await new_capture(storage)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
        await owner.execute(statement)
