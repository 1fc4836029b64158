"""Wake-ups between processes over PostgreSQL's LISTEN and NOTIFY, outside of any transaction.

A NOTIFY inside a business transaction serialises commits, so signals leave after the commit, from
a connection of their own, in batches. Losing one loses nothing: whoever waits also looks at the
tables now and then.
"""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

import asyncpg

from kit.clock import Clock
from kit.logs import get_logger

PAYMENT_CHANGED = "payment_changed"
EVENT_RECORDED = "event_recorded"
ATTEMPT_DUE = "attempt_due"

_log = get_logger(__name__)
_RETRY_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_KEEPALIVE_SECONDS = 15.0


class Announcer:
    """Sends signals. Implements the port `Wakeups`; its methods never block and never fail."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._pending: set[tuple[str, str]] = set()
        self._something = asyncio.Event()

    def payment_changed(self, payment_id: UUID) -> None:
        """Wake everybody who watches a payment."""
        self._announce(PAYMENT_CHANGED, str(payment_id))

    def event_recorded(self) -> None:
        """Wake a worker for a stored callback."""
        self._announce(EVENT_RECORDED, "")

    def attempt_due(self) -> None:
        """Wake a worker for an attempt that is due now."""
        self._announce(ATTEMPT_DUE, "")

    async def run(self) -> None:
        """Send what is announced until cancelled, over a connection that is renewed as needed."""
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS)
                try:
                    await self._send(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("announcer_disconnected", error=type(error).__name__)
                await self._clock.sleep(_RETRY_SECONDS)

    def _announce(self, channel: str, payload: str) -> None:
        self._pending.add((channel, payload))
        self._something.set()

    async def _send(self, connection: asyncpg.Connection) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            batch, self._pending = self._pending, set()
            channels, payloads = zip(*batch, strict=True) if batch else ((), ())
            await connection.execute(
                "SELECT pg_notify(channel, payload)"
                " FROM unnest($1::text[], $2::text[]) AS signal (channel, payload)",
                list(channels),
                list(payloads),
                timeout=_CONNECT_SECONDS,
            )


class Listener:
    """Receives signals and calls back.

    `on_signal(channel, payload)` is called on the event loop for each, and with an empty payload
    for every channel after each (re)connection, because signals may have been missed before it.
    """

    def __init__(
        self, url: str, channels: Iterable[str], on_signal: Callable[[str, str], None], clock: Clock
    ) -> None:
        self._url = url
        self._channels = tuple(channels)
        self._on_signal = on_signal
        self._clock = clock

    async def run(self) -> None:
        """Listen until cancelled, over a connection that is renewed as needed."""
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS)
                try:
                    await self._listen(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("listener_disconnected", error=type(error).__name__)
            await self._clock.sleep(_RETRY_SECONDS)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        for channel in self._channels:
            await connection.add_listener(channel, self._received)
        for channel in self._channels:
            self._on_signal(channel, "")
        while not lost.is_set():
            try:
                async with asyncio.timeout(_KEEPALIVE_SECONDS):
                    await lost.wait()
            except TimeoutError:
                # Finds out about a peer that vanished without a word.
                await connection.execute("SELECT 1", timeout=_CONNECT_SECONDS)

    def _received(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._on_signal(channel, str(payload))
