"""What somebody else sees in the database while the operations work."""

import asyncio
from dataclasses import dataclass

import asyncpg

_LOOK = """
SELECT ARRAY(SELECT status FROM creators_membership ORDER BY created_at, id) AS payments,
    ARRAY(SELECT ARRAY[reference, gateway, outcome] FROM payment_attempts
        ORDER BY created_at, number) AS attempts,
    ARRAY(SELECT ARRAY[reference, gateway, outcome] FROM refund_attempts
        ORDER BY created_at, number) AS refund_attempts,
    (SELECT count(*) FROM idempotency_keys) AS keys,
    ARRAY(SELECT action FROM payment_audit_log ORDER BY id) AS history,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'payments' AND state LIKE 'idle in transaction%'
    ) AS open_transactions
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody else sees in the database at one moment.

    `payments`: their statuses. `attempts` and `refund_attempts`: reference, gateway and outcome of
    each. `history`: the actions. All oldest first. `open_transactions`: how many the service holds
    without a statement that runs.
    """

    payments: tuple[str, ...]
    attempts: tuple[tuple[str, str, str], ...]
    refund_attempts: tuple[tuple[str, str, str], ...]
    keys: int
    history: tuple[str, ...]
    open_transactions: int


class Witness:
    """Looks at the database from a connection of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> Sight:
        (row,) = await self.rows(_LOOK)
        return Sight(
            payments=tuple(row["payments"]),
            attempts=_triples(row["attempts"]),
            refund_attempts=_triples(row["refund_attempts"]),
            keys=row["keys"],
            history=tuple(row["history"]),
            open_transactions=row["open_transactions"],
        )

    async def rows(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Return the rows of a query, also while another one of this witness runs."""
        async with self._one_at_a_time:
            found: list[asyncpg.Record] = await self._connection.fetch(query, *values)
        return found


def _triples(rows: list[list[str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((each[0], each[1], each[2]) for each in rows)
