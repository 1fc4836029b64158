"""What the fold changed: the scratch copies compared with the tables as they are."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

# What is compared, one line a thing; both sides give the same columns.
_COMPARED = {
    "payment": """
        SELECT id::text AS thing, status || ' at ' || coalesce(nullif(gateway, ''), 'no gateway')
            || ' under ' || gateway_reference AS state
        FROM {schema}.creators_membership WHERE id = ANY(:payments)""",
    "capture": """
        SELECT gateway || ' ' || gateway_transaction_id AS thing,
            amount || ' ' || currency || ' ' || use AS state
        FROM {schema}.captures WHERE payment_id = ANY(:payments)""",
    "refunds of payment": """
        SELECT payment_id::text AS thing, count(*) || ' over ' || sum(amount) AS state
        FROM {schema}.refunds WHERE payment_id = ANY(:payments) GROUP BY payment_id""",
    "membership": """
        SELECT member.user_id AS thing,
            tier || ' until ' || coalesce(current_period_end::text, 'always') AS state
        FROM {schema}.memberships member WHERE member.user_id IN
            (SELECT user_id FROM public.creators_membership WHERE id = ANY(:payments))""",
}


async def differences(engine: AsyncEngine, payment_ids: Sequence[UUID]) -> list[str]:
    """Return what would differ, one sentence a thing."""
    found: list[str] = []
    for name, query in _COMPARED.items():
        now = await _states(engine, query.format(schema="public"), payment_ids)
        folded = await _states(engine, query.format(schema="pg_temp"), payment_ids)
        found += [
            f"{name} {thing}: {now.get(thing, 'nothing')} would be {folded.get(thing, 'nothing')}"
            for thing in sorted(now.keys() | folded.keys())
            if now.get(thing) != folded.get(thing)
        ]
    return found


async def _states(engine: AsyncEngine, query: str, payment_ids: Sequence[UUID]) -> dict[str, str]:
    async with engine.connect() as connection:
        rows = await connection.execute(text(query), {"payments": list(payment_ids)})
        return {row.thing: row.state for row in rows}
