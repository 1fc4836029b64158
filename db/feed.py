"""Wakes the streams of this process when their payment changes, in whichever process it changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.signals import PAYMENT_CHANGED, Listener
from db.tables import creators_membership
from kit.clock import Clock
from kit.logs import get_logger
from services.payments.domain.errors import stream_interrupted

_log = get_logger(__name__)
_BACKSTOP_SECONDS = 2.0


class PostgresFeed:
    """Implements the port `PaymentFeed`: one connection a process, for all streams."""

    def __init__(self, engine: AsyncEngine, url: str, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._listener = Listener(url, [PAYMENT_CHANGED], self._signalled, clock)
        self._watchers: dict[UUID, set[asyncio.Event]] = {}
        self._stopped = False

    def changes(self, payment_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """Yield at once and then whenever the payment may have changed."""
        return self._watching(payment_id)

    async def run(self) -> None:
        """Receive signals, with one look at the table now and then as the backstop.

        When it is cancelled, every open stream ends with an error that tells its reader to resume.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listener.run())
                tasks.create_task(self._backstop())
        finally:
            self._stopped = True
            self._signalled(PAYMENT_CHANGED, "")

    @asynccontextmanager
    async def _watching(self, payment_id: UUID) -> AsyncIterator[AsyncIterator[None]]:
        changed = asyncio.Event()
        changed.set()
        watchers = self._watchers.setdefault(payment_id, set())
        watchers.add(changed)
        try:
            yield self._ticks(changed)
        finally:
            watchers.discard(changed)
            if not watchers:
                self._watchers.pop(payment_id, None)

    def _signalled(self, _channel: str, payload: str) -> None:
        woken = [UUID(payload)] if payload else list(self._watchers)
        for payment_id in woken:
            for changed in self._watchers.get(payment_id, ()):
                changed.set()

    async def _backstop(self) -> None:
        seen: dict[UUID, int] = {}
        while True:
            await self._clock.sleep(_BACKSTOP_SECONDS)
            watched = list(self._watchers)
            if not watched:
                continue
            try:
                current = await self._versions(watched)
            except (DBAPIError, OSError, PoolTimeoutError) as error:
                _log.warning("feed_backstop_failed", error=type(error).__name__)
                continue
            for payment_id, version in current.items():
                if seen.get(payment_id) != version:
                    self._signalled(PAYMENT_CHANGED, str(payment_id))
            seen = current

    async def _versions(self, payment_ids: list[UUID]) -> dict[UUID, int]:
        statement = select(creators_membership.c.id, creators_membership.c.version).where(
            creators_membership.c.id.in_(payment_ids)
        )
        async with self._engine.connect() as connection:
            return {row.id: row.version for row in await connection.execute(statement)}

    async def _ticks(self, changed: asyncio.Event) -> AsyncIterator[None]:
        while True:
            await changed.wait()
            changed.clear()
            if self._stopped:
                raise stream_interrupted()
            yield
