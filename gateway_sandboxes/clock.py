"""The sandbox's own time: real time plus an offset that tests move, and timers on it."""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

logger = logging.getLogger(__name__)

Action = Callable[[], None]
LONGEST_ADVANCE_SECONDS = 10 * 365 * 24 * 3600


class Clock:
    """Real time shifted by an offset that only grows.

    Timers are plain callbacks: whoever sets one keeps the reason for it in its own records, sets it
    again when it loads them, and checks on firing that it still applies.
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self._offset = timedelta(seconds=offset_seconds)
        self._timers: list[tuple[datetime, int, Action]] = []
        self._numbers = itertools.count()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()

    @property
    def offset_seconds(self) -> float:
        """How far the sandbox's time runs ahead of real time."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        """Return the sandbox's time, UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move time forward and fire, in their order, the timers that have become due.

        Raises:
            ValueError: the seconds are negative or absurdly many (more than ten years).

        """
        if not 0 <= seconds <= LONGEST_ADVANCE_SECONDS:
            raise ValueError("advance_seconds must be between 0 and ten years")
        self._offset += timedelta(seconds=seconds)
        self._run_due()

    def call_at(self, when: datetime, action: Action) -> None:
        """Call `action` once the sandbox's time has reached `when`."""
        heapq.heappush(self._timers, (when, next(self._numbers), action))
        self._changed.set()

    async def sleep(self, seconds: float) -> None:
        """Wait on the sandbox's time; `advance`, `clear` and a stop end the wait early."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(over)
        self.call_at(self.now() + timedelta(seconds=seconds), lambda: _finish(over))
        try:
            await over
        finally:
            self._sleepers.discard(over)

    def clear(self) -> None:
        """Forget the offset and every timer; whoever sleeps wakes up."""
        self._offset = timedelta()
        self._timers.clear()
        self.wake_sleepers()

    def wake_sleepers(self) -> None:
        """End every `sleep` now."""
        for over in list(self._sleepers):
            _finish(over)

    async def run(self) -> None:
        """Fire timers as they become due, until cancelled."""
        while True:
            self._changed.clear()
            self._run_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_next()):
                    await self._changed.wait()

    def _seconds_to_next(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (self._timers[0][0] - self.now()).total_seconds())

    def _run_due(self) -> None:
        while self._timers and self._timers[0][0] <= self.now():
            _, _, action = heapq.heappop(self._timers)
            try:
                action()
            except Exception:
                logger.exception("a timer of the sandbox failed")


def _finish(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def isoformat(moment: datetime) -> str:
    """Write a moment as the gateways do: ISO 8601, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
