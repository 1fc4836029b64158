"""Scratch copies of the tables: temporary, private to one connection, gone with it.

A temporary table hides the real one of the same name, so the very same repositories read and write
the copies, and nothing real can be changed, whatever happens.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.engine import DatabaseOptions, open_engine

# Every table that handling a callback can write.
_TABLES = (
    "creators_membership",
    "payment_attempts",
    "captures",
    "refunds",
    "refund_attempts",
    "journal_entries",
    "journal_lines",
    "memberships",
    "payment_audit_log",
    "webhook_events",
    "outbox",
)
# What is copied of each: the members' whole stories, since their payments bear on each other.
_COPIES = {
    "creators_membership": "user_id = ANY(:members)",
    "memberships": "user_id = ANY(:members)",
    "payment_attempts": "payment_id = ANY(:payments)",
    "captures": "payment_id = ANY(:payments)",
    "refunds": "payment_id = ANY(:payments)",
    "refund_attempts": "payment_id = ANY(:payments)",
    "journal_entries": "payment_id = ANY(:payments)",
}


@asynccontextmanager
async def scratch_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Open an engine whose one connection sees empty scratch copies of the tables."""
    engine = open_engine(DatabaseOptions(url=database_url, pool_size=1))
    try:
        async with engine.begin() as connection:
            for table in _TABLES:
                await connection.execute(
                    text(f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING ALL)")
                )
        yield engine
    finally:
        await engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """What callbacks are about: payments, or references and identifiers of gateways."""

    payment_ids: Sequence[UUID]
    references: Sequence[str]


_MEMBERS = """
SELECT DISTINCT user_id FROM public.creators_membership WHERE id = ANY(:ids) OR id IN (
    SELECT payment_id FROM public.payment_attempts
        WHERE reference = ANY(:references) OR gateway_transaction_id = ANY(:references)
    UNION SELECT payment_id FROM public.refund_attempts WHERE reference = ANY(:references)
    UNION SELECT payment_id FROM public.captures WHERE gateway_transaction_id = ANY(:references))
"""


async def copy_stories(engine: AsyncEngine, concerned: Concerned) -> list[UUID]:
    """Copy everything about the members concerned; return all of their payments."""
    async with engine.begin() as connection:
        members = await _column(
            connection,
            _MEMBERS,
            {"ids": list(concerned.payment_ids), "references": list(concerned.references)},
        )
        payments = await _column(
            connection,
            "SELECT id FROM public.creators_membership WHERE user_id = ANY(:members)",
            {"members": members},
        )
        scope = {"members": members, "payments": payments}
        for table, condition in _COPIES.items():
            await connection.execute(
                text(f"INSERT INTO {table} SELECT * FROM public.{table} WHERE {condition}"),  # noqa: S608 - our own constants
                scope,
            )
    return payments


async def _column(connection: AsyncConnection, query: str, values: dict[str, object]) -> list[UUID]:
    return list((await connection.execute(text(query), values)).scalars())
