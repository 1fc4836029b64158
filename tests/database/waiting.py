"""Waiting for another session or task to get somewhere, instead of sleeping and hoping."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from kit.clock import SystemClock

PATIENCE_SECONDS = 15.0
_LOOK_EVERY_SECONDS = 0.005


class HastyClock(SystemClock):
    """The machine's clock, but whoever waits on it waits a fiftieth of the time."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


async def becomes_true(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as the condition holds. Raises `TimeoutError` when it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition is another session's doing
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def somebody_waits_for_a_lock(connection: asyncpg.Connection) -> None:
    """Return as soon as another session of the same database stands before a lock."""

    async def waiting() -> bool:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return count > 0

    await becomes_true(waiting)
