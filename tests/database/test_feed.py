"""Streams wake when their payment changes, with a signal or without."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.feed import PostgresFeed
from db.signals import Announcer
from db.unit_of_work import PostgresStorage
from kit.clock import Clock, SystemClock
from kit.errors import ServiceError
from tests.database.conftest import opened
from tests.database.cutting_proxy import cutting_proxy
from tests.database.rows import move, stored_payment
from tests.database.waiting import PATIENCE_SECONDS, HastyClock, becomes_true
from tests.databases import Database


class SteppedClock(SystemClock):
    """A clock on which whoever waits goes on when the test says so."""

    def __init__(self) -> None:
        self._waiting = asyncio.Event()
        self._go_on = asyncio.Event()

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the test decides how long
        self._waiting.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def step(self) -> None:
        """Let the one who waits go on, until it waits again."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._waiting.wait()
            self._waiting.clear()
            self._go_on.set()
            await self._waiting.wait()


class CountingClock(HastyClock):
    """A hasty clock that counts who waits on it, by how long: the listener and the backstop."""

    def __init__(self) -> None:
        self.waits: Counter[float] = Counter()

    async def sleep(self, seconds: float) -> None:
        self.waits[seconds] += 1
        await super().sleep(seconds)

    async def both_wait_again(self) -> None:
        """Return once the listener and the backstop have each tried twice more."""
        before = Counter(self.waits)

        async def tried() -> bool:
            return len(self.waits) == 2 and all(
                count >= before[seconds] + 2 for seconds, count in self.waits.items()
            )

        await becomes_true(tried)


class Watcher:
    """A stream of one payment."""

    def __init__(self, ticks: AsyncIterator[None]) -> None:
        self._ticks = ticks
        self.woken = 0

    async def follow(self) -> None:
        async for _ in self._ticks:
            self.woken += 1

    async def wakes(self, times: int) -> None:
        """Return once it was woken so often."""

        async def often_enough() -> bool:
            return self.woken >= times

        await becomes_true(often_enough)


@asynccontextmanager
async def background(work: asyncio.Task[None]) -> AsyncIterator[None]:
    """Run a task while the context lasts; it must not end by itself."""
    try:
        yield
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@asynccontextmanager
async def running(url: str, clock: Clock) -> AsyncIterator[PostgresFeed]:
    async with opened(url) as engine:
        feed = PostgresFeed(engine, url, clock)
        async with background(asyncio.create_task(feed.run())):
            yield feed


@asynccontextmanager
async def watching(feed: PostgresFeed, payment_id: UUID) -> AsyncIterator[Watcher]:
    async with feed.changes(payment_id) as ticks:
        watcher = Watcher(ticks)
        async with background(asyncio.create_task(watcher.follow())):
            yield watcher


@asynccontextmanager
async def announcing(url: str) -> AsyncIterator[Announcer]:
    announcer = Announcer(url, HastyClock())
    async with background(asyncio.create_task(announcer.run())):
        yield announcer


async def test_a_stream_wakes_at_once_and_when_it_may_have_missed_something(
    shared_database: Database,
) -> None:
    async with (
        running(shared_database.app_url, SteppedClock()) as feed,
        watching(feed, uuid4()) as watcher,
    ):
        await watcher.wakes(1)
        # Once the listener is connected: what was signalled before may have been missed.
        await watcher.wakes(2)


async def test_a_signal_wakes_every_stream_of_its_payment_and_no_other(
    shared_database: Database,
) -> None:
    watched, other, url = uuid4(), uuid4(), shared_database.app_url
    async with (
        running(url, SteppedClock()) as feed,
        announcing(url) as announcer,
        watching(feed, watched) as one,
        watching(feed, watched) as another,
        watching(feed, other) as quiet,
    ):
        await quiet.wakes(2)
        for times in (3, 4, 5):
            announcer.payment_changed(watched)
            await one.wakes(times)
            await another.wakes(times)
        assert quiet.woken == 2
        announcer.payment_changed(other)
        await quiet.wakes(3)


async def test_a_change_whose_signal_was_missed_wakes_the_stream_at_the_next_look(
    owner: asyncpg.Connection, shared_database: Database, storage: PostgresStorage
) -> None:
    payment, clock = await stored_payment(storage), SteppedClock()
    async with (
        running(shared_database.app_url, clock) as feed,
        watching(feed, payment.id) as watcher,
    ):
        await watcher.wakes(2)
        await clock.step()
        await watcher.wakes(3)  # the first look finds everything new
        await clock.step()
        assert watcher.woken == 3
        for times, status in enumerate(("processing", "completed"), start=4):
            await move(owner, payment.id, status)
            await clock.step()
            await watcher.wakes(times)
        await clock.step()
        assert watcher.woken == 5


async def test_the_streams_outlive_a_database_that_is_away(
    owner: asyncpg.Connection, shared_database: Database, storage: PostgresStorage
) -> None:
    payment, clock = await stored_payment(storage), CountingClock()
    async with (
        cutting_proxy(shared_database.app_url) as proxy,
        running(proxy.url, clock) as feed,
        watching(feed, payment.id) as watcher,
    ):
        await watcher.wakes(2)
        await proxy.stop()
        await clock.both_wait_again()
        await move(owner, payment.id, "processing")
        woken = watcher.woken
        await proxy.start()
        await watcher.wakes(woken + 1)


async def test_streams_of_a_server_that_stops_end_with_the_advice_to_resume(
    shared_database: Database,
) -> None:
    async with opened(shared_database.app_url) as engine:
        feed = PostgresFeed(engine, shared_database.app_url, SteppedClock())
        running_feed = asyncio.create_task(feed.run())
        async with feed.changes(uuid4()) as before, asyncio.timeout(PATIENCE_SECONDS):
            await anext(before)
            await anext(before)
            running_feed.cancel()
            with pytest.raises(ServiceError) as ended:
                await anext(before)
        assert (ended.value.code, ended.value.reason) == ("UNAVAILABLE", "STREAM_INTERRUPTED")
        async with feed.changes(uuid4()) as after, asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ServiceError):
                await anext(after)
        await asyncio.gather(running_feed, return_exceptions=True)


async def test_who_stops_watching_is_not_woken_and_leaves_the_others_alone(
    shared_database: Database,
) -> None:
    watched, url = uuid4(), shared_database.app_url
    async with (
        running(url, SteppedClock()) as feed,
        announcing(url) as announcer,
        watching(feed, watched) as staying,
    ):
        await staying.wakes(2)
        async with watching(feed, watched) as leaving:
            await leaving.wakes(1)
        announcer.payment_changed(watched)
        await staying.wakes(3)
        assert leaving.woken == 1
