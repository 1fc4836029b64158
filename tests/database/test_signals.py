"""Wake-ups between processes: they arrive, in one batch, and survive lost connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.signals import ATTEMPT_DUE, EVENT_RECORDED, PAYMENT_CHANGED, Announcer, Listener
from tests.database.cutting_proxy import cutting_proxy
from tests.database.waiting import PATIENCE_SECONDS, HastyClock, becomes_true
from tests.databases import Database

CHANNELS = [PAYMENT_CHANGED, EVENT_RECORDED, ATTEMPT_DUE]
Signal = tuple[str, str]


class Received:
    """What a listener was told, in order."""

    def __init__(self) -> None:
        self._signals: asyncio.Queue[Signal] = asyncio.Queue()

    def __call__(self, channel: str, payload: str) -> None:
        self._signals.put_nowait((channel, payload))

    async def next(self) -> Signal:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._signals.get()

    async def connected(self) -> None:
        """Return once the listener has told that it listens to all channels (again)."""
        assert [await self.next() for _ in CHANNELS] == [(channel, "") for channel in CHANNELS]


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Received]:
    received = Received()
    task = asyncio.create_task(Listener(url, CHANNELS, received, HastyClock()).run())
    try:
        await received.connected()
        yield received
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def announcing(announcer: Announcer) -> AsyncIterator[Announcer]:
    task = asyncio.create_task(announcer.run())
    try:
        yield announcer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def end_sessions(owner: asyncpg.Connection, statement: str) -> None:
    """End every session whose last statement begins like this."""
    ended = await owner.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND starts_with(query, $1)",
        statement,
    )
    assert ended


async def eventually_received(announcer: Announcer, received: Received) -> UUID:
    """Announce until something arrives: a signal may be lost with a connection, never for ever."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            payment_id = uuid4()
            announcer.payment_changed(payment_id)
            try:
                async with asyncio.timeout(0.2):
                    while await received.next() != (PAYMENT_CHANGED, str(payment_id)):
                        pass
            except TimeoutError:
                continue
            return payment_id


async def test_signals_reach_another_process(shared_database: Database) -> None:
    announcer, payment_id = Announcer(shared_database.app_url, HastyClock()), uuid4()
    async with listening(shared_database.app_url) as received, announcing(announcer):
        announcer.payment_changed(payment_id)
        assert await received.next() == (PAYMENT_CHANGED, str(payment_id))
        announcer.event_recorded()
        assert await received.next() == (EVENT_RECORDED, "")
        announcer.attempt_due()
        assert await received.next() == (ATTEMPT_DUE, "")


async def test_every_listener_hears_of_it(shared_database: Database) -> None:
    announcer, payment_id = Announcer(shared_database.app_url, HastyClock()), uuid4()
    url = shared_database.app_url
    async with listening(url) as one, listening(url) as other, announcing(announcer):
        announcer.payment_changed(payment_id)
        for received in (one, other):
            assert await received.next() == (PAYMENT_CHANGED, str(payment_id))


async def test_the_same_signal_many_times_is_sent_once(shared_database: Database) -> None:
    announcer = Announcer(shared_database.app_url, HastyClock())
    payments, last = [uuid4(), uuid4()], uuid4()
    async with listening(shared_database.app_url) as received:
        for _ in range(100):
            announcer.attempt_due()
            for payment_id in payments:
                announcer.payment_changed(payment_id)
        async with announcing(announcer):
            batch = {await received.next() for _ in range(3)}
            announcer.payment_changed(last)
            assert await received.next() == (PAYMENT_CHANGED, str(last))
    assert batch == {(ATTEMPT_DUE, ""), *((PAYMENT_CHANGED, str(each)) for each in payments)}


async def test_announcing_never_blocks_and_what_waits_is_sent_when_the_database_is_back(
    shared_database: Database,
) -> None:
    payment_id = uuid4()
    async with cutting_proxy(shared_database.app_url) as proxy:
        await proxy.stop()
        announcer = Announcer(proxy.url, HastyClock())
        async with listening(shared_database.app_url) as received, announcing(announcer):
            announcer.payment_changed(payment_id)
            await proxy.start()
            assert await received.next() == (PAYMENT_CHANGED, str(payment_id))


async def test_an_announcer_whose_session_ends_connects_again(
    owner: asyncpg.Connection, shared_database: Database
) -> None:
    announcer = Announcer(shared_database.app_url, HastyClock())
    async with listening(shared_database.app_url) as received, announcing(announcer):
        await eventually_received(announcer, received)
        await end_sessions(owner, "SELECT pg_notify")
        await eventually_received(announcer, received)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_listener_whose_session_ends_listens_again_and_says_that_it_missed_something(
    owner: asyncpg.Connection, shared_database: Database, times: int
) -> None:
    announcer = Announcer(shared_database.app_url, HastyClock())
    async with listening(shared_database.app_url) as received, announcing(announcer):
        for _ in range(times):
            await end_sessions(owner, "LISTEN")
            await received.connected()
        payment_id = uuid4()
        announcer.payment_changed(payment_id)
        assert await received.next() == (PAYMENT_CHANGED, str(payment_id))


async def test_a_listener_waits_for_a_database_that_is_away(shared_database: Database) -> None:
    async with cutting_proxy(shared_database.app_url) as proxy, listening(proxy.url) as received:
        await proxy.stop()
        await proxy.start()
        await received.connected()


async def test_nobody_keeps_a_connection_after_being_stopped(
    owner: asyncpg.Connection, shared_database: Database
) -> None:
    async with listening(shared_database.app_url):
        pass

    async def nobody_listens() -> bool:
        count: int = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(query, 'LISTEN')"
        )
        return count == 0

    await becomes_true(nobody_listens)
