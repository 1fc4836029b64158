"""The journal as rows: balanced, entered once, and never rewritten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from db.unit_of_work import PostgresStorage
from kit.money import Money
from services.payments.domain.ledger import EntryKind, JournalEntry, Line
from tests.database.rows import stored_payment
from tests.unit.factories import NOW, PRICE


def lines(*sides: tuple[str, str, int]) -> tuple[Line, ...]:
    return tuple(
        Line(account=account, amount=Money(currency, minor)) for account, currency, minor in sides
    )


def entry(payment_id: UUID | None = None, **changes: Any) -> JournalEntry:
    """Return a balanced entry about what only this test entered."""
    entry_id = uuid4()
    balanced = JournalEntry(
        id=entry_id,
        kind=EntryKind.CAPTURE,
        source=f"capture:{entry_id}",
        summary="eversend took UGX 35,000 (kept)",
        at=NOW,
        payment_id=payment_id,
        lines=lines(("clearing:eversend", "UGX", 35_000), ("revenue:memberships", "UGX", -35_000)),
    )
    return replace(balanced, **changes)


async def post(storage: PostgresStorage, *entries: JournalEntry) -> None:
    async with storage.work() as work:
        await work.ledger.post(entries)


async def of_payment(storage: PostgresStorage, payment_id: UUID) -> list[JournalEntry]:
    async with storage.work() as work:
        return list(await work.ledger.of_payment(payment_id))


async def balances(storage: PostgresStorage, account: str) -> list[Money]:
    async with storage.work() as work:
        return list(await work.ledger.balances(account))


async def test_every_field_of_an_entry_is_stored(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    posted = entry(
        payment.id,
        kind=EntryKind.REFUND_FEE,
        source="refund_fee:cp0001",
        summary="Gebühr — “fünf”",
        at=NOW + timedelta(microseconds=1),
        lines=lines(
            ("expense:gateway_fees", "KWD", 5),
            ("clearing:eversend", "KWD", -3),
            ("clearing:flutterwave", "KWD", -2),
        ),
    )
    await post(storage, posted)
    assert await of_payment(storage, payment.id) == [posted]


async def test_entries_about_a_payment_come_oldest_first_and_only_they(
    storage: PostgresStorage,
) -> None:
    payment, other = await stored_payment(storage), await stored_payment(storage)
    posted = [entry(payment.id, at=NOW + timedelta(minutes=minutes)) for minutes in (3, 1, 2)]
    await post(storage, *posted, entry(other.id), entry())
    assert await of_payment(storage, payment.id) == sorted(posted, key=lambda each: each.at)


async def test_the_same_thing_is_entered_once(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    first = entry(payment.id)
    again = replace(first, id=uuid4(), summary="again")
    await post(storage, first, again)
    await post(storage, again)
    assert await of_payment(storage, payment.id) == [first]


UNBALANCED = {
    "one side too small": lines(("a", "UGX", 35_000), ("b", "UGX", -34_999)),
    "only debits": lines(("a", "UGX", 1), ("b", "UGX", 1)),
    "balanced across currencies": lines(("a", "UGX", 1), ("b", "KES", -100)),
    "one currency of two": lines(
        ("a", "UGX", 1), ("b", "UGX", -1), ("a", "KES", 1), ("b", "KES", -2)
    ),
    "one line": lines(("a", "UGX", 1)),
    "a line of nothing": lines(("a", "UGX", 1), ("b", "UGX", -1), ("c", "UGX", 0)),
}


@pytest.mark.parametrize("name", list(UNBALANCED))
async def test_an_entry_that_does_not_balance_is_never_stored(
    storage: PostgresStorage, name: str
) -> None:
    payment = await stored_payment(storage)
    with pytest.raises(IntegrityError):
        await post(storage, entry(payment.id, lines=UNBALANCED[name]))
    assert await of_payment(storage, payment.id) == []


async def test_an_entry_is_refused_when_the_unit_of_work_commits_and_takes_all_of_it_along(
    storage: PostgresStorage, app: asyncpg.Connection
) -> None:
    payment = await stored_payment(storage)
    begun = entry(payment.id)
    insert_entry = (
        "INSERT INTO journal_entries (id, kind, source, payment_id, summary, created_at)"
        " VALUES ($1, 'capture', $2, $3, '', now())"
    )
    insert_line = "INSERT INTO journal_lines VALUES ($1, $2, $3, 'UGX', $4)"
    transaction = app.transaction()
    await transaction.start()
    await app.execute("UPDATE creators_membership SET webhook_count = 7 WHERE id = $1", payment.id)
    await app.execute(insert_entry, begun.id, begun.source, payment.id)
    await app.execute(insert_line, begun.id, 1, "clearing:eversend", PRICE.minor)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await transaction.commit()
    assert await of_payment(storage, payment.id) == []
    async with storage.work() as work:
        assert await work.payments.get(payment.id) == payment


async def test_an_entry_without_lines_is_refused(app: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await app.execute(
            "INSERT INTO journal_entries VALUES (gen_random_uuid(), 'fee', 'fee:none', NULL, '',"
            " now())"
        )


async def test_a_line_that_is_added_to_an_entry_later_is_refused(
    storage: PostgresStorage, app: asyncpg.Connection
) -> None:
    posted = entry()
    await post(storage, posted)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await app.execute("INSERT INTO journal_lines VALUES ($1, 3, 'a', 'UGX', 1)", posted.id)


async def test_an_account_holds_the_sum_of_its_lines_by_currency(
    own_storage: PostgresStorage,
) -> None:
    assert await balances(own_storage, "clearing:eversend") == []
    await post(
        own_storage,
        entry(),
        entry(lines=lines(("revenue:memberships", "UGX", 5), ("clearing:eversend", "UGX", -5))),
        entry(lines=lines(("clearing:eversend", "KES", 49_950), ("b", "KES", -49_950))),
        entry(lines=lines(("clearing:flutterwave", "UGX", 1), ("b", "UGX", -1))),
    )
    assert await balances(own_storage, "clearing:eversend") == [
        Money("KES", 49_950),
        Money("UGX", 34_995),
    ]
    assert await balances(own_storage, "revenue:memberships") == [Money("UGX", -34_995)]


async def test_the_database_knows_exactly_the_kinds_of_the_code(
    storage: PostgresStorage, owner: asyncpg.Connection
) -> None:
    await post(storage, *(entry(kind=kind) for kind in EntryKind))
    definition = await owner.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname = 'journal_entries_kind_check'"
    )
    assert definition.count("::text") == len(EntryKind)
    with pytest.raises(asyncpg.CheckViolationError, match="kind"):
        await owner.execute(
            "INSERT INTO journal_entries VALUES (gen_random_uuid(), 'gift', 'gift:1', NULL, '',"
            " now())"
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_entries SET summary = ''",
        "DELETE FROM journal_entries",
        "TRUNCATE journal_entries CASCADE",
        "UPDATE journal_lines SET amount = -amount",
        "DELETE FROM journal_lines",
        "TRUNCATE journal_lines",
    ],
)
async def test_not_even_the_owner_can_rewrite_the_journal(
    storage: PostgresStorage, owner: asyncpg.Connection, statement: str
) -> None:
    await post(storage, entry())
    before = await owner.fetchval("SELECT count(*) FROM journal_lines")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
        await owner.execute(statement)
    assert await owner.fetchval("SELECT count(*) FROM journal_lines") == before
