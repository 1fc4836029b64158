"""The tables of reconciliation: they take every word that the code knows, and forget nothing."""

from enum import StrEnum

import asyncpg
import pytest

from dev.postgres import connect
from services.payments.domain.reconciliation import BreakKind, BreakStatus, Subject
from tests.database.revisions import downgrade, upgrade
from tests.databases import Database
from tests.reconciliation.listing import Books
from tests.reconciliation.test_healing import listed

TABLES = ("reconciliation_runs", "reconciliation_breaks", "settlements", "settlement_lines")


async def words_of(connection: asyncpg.Connection, column: str) -> set[str]:
    """Return the words that the column's check allows."""
    definitions = await connection.fetch(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint"
        " WHERE conrelid = 'reconciliation_breaks'::regclass AND contype = 'c'"
    )
    (text,) = [row["text"] for row in definitions if f"CHECK (({column} = ANY" in row["text"]]
    return set(text.split("'")[1::2])


@pytest.mark.parametrize(
    ("column", "words"), [("kind", BreakKind), ("subject", Subject), ("status", BreakStatus)]
)
async def test_the_database_knows_the_same_words(
    owner: asyncpg.Connection, column: str, words: type[StrEnum]
) -> None:
    assert await words_of(owner, column) == set(words)


def test_there_are_twelve_kinds_and_these() -> None:
    assert {kind.value for kind in BreakKind} == {
        "missing_here",
        "missing_there",
        "amount",
        "currency",
        "fee",
        "duplicate",
        "status",
        "late",
        "refunded_there",
        "chargeback",
        "wrong_reference",
        "day_boundary",
    }


@pytest.mark.parametrize("table", TABLES)
async def test_the_services_delete_nothing(emptied: Database, table: str) -> None:
    app = await connect(emptied.app_url)
    try:
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608 - a name of ours
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
    finally:
        await app.close()


@pytest.mark.parametrize("table", ["settlements", "settlement_lines"])
async def test_what_a_gateway_paid_out_never_changes(emptied: Database, table: str) -> None:
    app = await connect(emptied.app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(f"UPDATE {table} SET gross_amount = 1")  # noqa: S608 - a name of ours
    finally:
        await app.close()


async def test_one_difference_is_one_row(books: Books, owner: asyncpg.Connection) -> None:
    books.lists.rows = [listed("foreign1", "tx-foreign")]
    await books.run()
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "INSERT INTO reconciliation_breaks SELECT gen_random_uuid(), run_id, last_run_id,"
            " gateway, kind, subject, gateway_transaction_id, 'other', NULL, '', status,"
            " occurred_at, found_at, healed_at FROM reconciliation_breaks"
        )


async def test_the_migration_can_be_taken_back_and_made_again(database: Database) -> None:
    await downgrade(database.owner_url, "0002")
    owner = await connect(database.owner_url)
    try:
        left = "SELECT count(*) FROM pg_tables WHERE tablename = ANY ($1::text[])"
        assert await owner.fetchval(left, list(TABLES)) == 0
        await upgrade(database.owner_url, "0003")
        assert await owner.fetchval(left, list(TABLES)) == len(TABLES)
    finally:
        await owner.close()
