"""The database itself refuses what no program may do to a payment, even by hand."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from services.payments.domain.payment import Payment
from services.payments.domain.states import TRANSITIONS, PaymentStatus
from tests.database.rows import PATHS, move, stored_payment
from tests.unit.factories import make_payment, make_purchase
from tests.unit.test_states import LEGAL_MOVES


@asynccontextmanager
async def undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Run statements and roll them back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@pytest.fixture
async def payment(storage: PostgresStorage) -> Payment:
    return await stored_payment(storage)


async def test_the_database_allows_exactly_the_moves_of_the_table(
    owner: asyncpg.Connection, payment: Payment
) -> None:
    allowed = set()
    for old, new in product(PATHS, PATHS):
        async with undone(owner):
            for status in PATHS[old]:
                await move(owner, payment.id, status)
            try:
                await move(owner, payment.id, new)
            except asyncpg.CheckViolationError as error:
                assert str(error) == f"illegal payment transition: {old} -> {new}"  # noqa: PT017 - many pairs, one test
            else:
                allowed.add((old, new))
    same_again = {(status, status) for status in PATHS}
    assert allowed - same_again == LEGAL_MOVES
    assert same_again <= allowed


def test_the_code_has_the_same_moves() -> None:
    assert {(old, new) for old, news in TRANSITIONS.items() for new in news} == LEGAL_MOVES


async def test_a_status_that_nobody_knows_is_refused(
    owner: asyncpg.Connection, payment: Payment
) -> None:
    for status in ("", "PENDING", "paid"):
        with pytest.raises(asyncpg.CheckViolationError):
            await move(owner, payment.id, status)


@pytest.mark.parametrize("status", [each for each in PaymentStatus if each != "pending"])
async def test_a_payment_begins_as_pending(storage: PostgresStorage, status: PaymentStatus) -> None:
    born = make_payment(status=status, completed_at=make_payment().created_at)
    with pytest.raises(Exception, match="a payment begins as pending"):
        async with storage.work() as work:
            await work.payments.add(born)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "gen_random_uuid()"),
        ("user_id", "'somebody else'"),
        ("new_tier", "'studio'"),
        ("billing_cycle", "'annual'"),
        ("amount", "amount - 1"),
        ("currency", "'KES'"),
        ("created_at", "created_at + interval '1 microsecond'"),
    ],
)
async def test_what_was_bought_by_whom_and_for_how_much_never_changes(
    owner: asyncpg.Connection, payment: Payment, column: str, value: str
) -> None:
    statement = f"UPDATE creators_membership SET {column} = {value}, version = version + 1"  # noqa: S608 - literals of this test
    with pytest.raises(asyncpg.CheckViolationError, match="never changes"):
        await owner.execute(f"{statement} WHERE id = $1", payment.id)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("status = 'processing'", True),
        ("status = 'processing', version = version", True),
        ("status = 'processing', version = version - 1", True),
        ("version = version - 1", True),
        ("gateway = 'eversend', version = 0", True),
        ("status = 'processing', version = version + 1", False),
        ("verification_count = 1", False),
        ("gateway = 'eversend', version = version + 5", False),
    ],
)
async def test_a_move_is_a_new_version_and_versions_never_shrink(
    owner: asyncpg.Connection, storage: PostgresStorage, change: str, *, refused: bool
) -> None:
    payment = await stored_payment(storage, version=3)
    statement = f"UPDATE creators_membership SET {change} WHERE id = $1"  # noqa: S608 - literals of this test
    if refused:
        with pytest.raises(asyncpg.CheckViolationError, match="version"):
            await owner.execute(statement, payment.id)
    else:
        await owner.execute(statement, payment.id)


@pytest.mark.parametrize(
    "change",
    [
        "refunded_amount = amount + 0.01",
        "refunded_amount = -1",
        "error_code = 'declined'",
        "failed_at = now()",
    ],
)
async def test_contradictory_columns_are_refused(
    owner: asyncpg.Connection, payment: Payment, change: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(f"UPDATE creators_membership SET {change} WHERE id = $1", payment.id)  # noqa: S608 - literals of this test


async def test_a_completed_payment_has_its_time(
    owner: asyncpg.Connection, payment: Payment
) -> None:
    await move(owner, payment.id, "processing")
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(
            "UPDATE creators_membership SET status = 'completed', version = version + 1"
            " WHERE id = $1",
            payment.id,
        )


@pytest.mark.parametrize("amount", ["0", "-1", "1e15", "'NaN'", "'Infinity'"])
async def test_an_amount_is_positive_and_bounded(owner: asyncpg.Connection, amount: str) -> None:
    columns = (
        "id, user_id, new_tier, previous_tier, billing_cycle, amount, currency,"
        " price_book_version, payment_method, customer, return_url, status, idempotency_key,"
        " version, created_at, updated_at"
    )
    values = (
        f"'{uuid.uuid4()}', 'm', 'pro', 'free', 'monthly', {amount}, 'UGX', 1, 'card', '{{}}', '',"
        " 'pending', 'k', 1, now(), now()"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="amount"):
        await owner.execute(f"INSERT INTO creators_membership ({columns}) VALUES ({values})")  # noqa: S608 - literals of this test


async def test_a_member_has_one_open_payment_for_a_tier_and_period(
    owner: asyncpg.Connection, storage: PostgresStorage, payment: Payment
) -> None:
    again = make_payment(id=uuid.uuid4(), purchase=payment.purchase)
    for status, free in (("processing", False), ("failed", True)):
        await move(owner, payment.id, status)
        async with storage.work() as work:
            assert await work.payments.add(again) is free
    with pytest.raises(asyncpg.UniqueViolationError):
        await move(owner, payment.id, "processing")


@pytest.mark.parametrize("field", ["user_id", "tier", "billing_cycle"])
async def test_another_member_tier_or_period_is_another_purchase(
    storage: PostgresStorage, payment: Payment, field: str
) -> None:
    other = {"user_id": "another", "tier": "studio", "billing_cycle": "annual"}[field]
    bought = {
        "user_id": payment.user_id,
        "tier": payment.purchase.tier,
        "billing_cycle": payment.purchase.billing_cycle,
        field: type(getattr(payment.purchase, field))(other),
    }
    async with storage.work() as work:
        assert await work.payments.add(
            make_payment(id=uuid.uuid4(), purchase=make_purchase(**bought))
        )
