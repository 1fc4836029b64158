"""The columns that operators query are a public contract; ours and the migrations' are one."""

import asyncpg
import pytest
from sqlalchemy import Column, Table, create_engine

from db.tables import metadata

# Requirement: operators query these with plain SQL, so names and types are fixed.
PUBLIC = {
    "creators_membership": {
        "user_id": "text",
        "new_tier": "text",
        "previous_tier": "text",
        "amount": "numeric",
        "currency": "text",
        "billing_cycle": "text",
        "payment_method": "text",
        "gateway": "text",
        "gateway_reference": "text",
        "status": "text",
        "webhook_count": "integer",
        "webhook_received_at": "timestamp with time zone",
        "error_message": "text",
        "error_code": "text",
        "failed_at": "timestamp with time zone",
        "verification_count": "integer",
        "last_verified_at": "timestamp with time zone",
        "idempotency_key": "text",
        "version": "bigint",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
        "completed_at": "timestamp with time zone",
    },
    "webhook_events": {
        "source": "text",
        "event_id": "text",
        "status": "text",
        "received_at": "timestamp with time zone",
        "raw_body": "bytea",
    },
    "payment_audit_log": {
        "payment_id": "uuid",
        "actor": "text",
        "action": "text",
        "from_status": "text",
        "to_status": "text",
        "reason": "text",
        "created_at": "timestamp with time zone",
    },
}

_DIALECT = create_engine("postgresql+asyncpg://").dialect
Columns = dict[str, tuple[str, bool]]


async def columns_of(connection: asyncpg.Connection, table: str) -> Columns:
    """Return the type and nullability of every column of a table, in order."""
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )
    return {row["attname"]: (row["type"], not row["attnotnull"]) for row in rows}


def declared(column: Column[object]) -> tuple[str, bool]:
    """Return a column of ours as the database names it."""
    compiled = column.type.compile(_DIALECT).lower()
    return compiled, bool(column.nullable)


@pytest.mark.parametrize("table", list(PUBLIC))
async def test_the_public_columns_keep_their_names_and_types(
    owner: asyncpg.Connection, table: str
) -> None:
    found = await columns_of(owner, table)
    assert {name: found[name][0] for name in PUBLIC[table]} == PUBLIC[table]


@pytest.mark.parametrize("table", list(metadata.tables.values()), ids=lambda table: table.name)
async def test_our_tables_are_those_of_the_migrations(
    owner: asyncpg.Connection, table: Table
) -> None:
    expected = {column.name: declared(column) for column in table.columns}
    assert await columns_of(owner, table.name) == expected


@pytest.mark.parametrize("table", list(metadata.tables.values()), ids=lambda table: table.name)
async def test_our_keys_are_those_of_the_migrations(
    owner: asyncpg.Connection, table: Table
) -> None:
    key = await owner.fetch(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid"
        " AND attnum = ANY (indkey) WHERE indrelid = $1::text::regclass AND indisprimary",
        table.name,
    )
    assert {row["attname"] for row in key} == set(table.primary_key.columns.keys())


async def test_the_migrations_make_our_tables_and_no_others(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in rows} == {*metadata.tables, "alembic_version"}
