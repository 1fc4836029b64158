"""A clock that stands still until it is moved: weeks of schedules pass in a second."""

import asyncio
from datetime import datetime, timedelta


class MovedClock:
    """Implements the port `Clock`."""

    def __init__(self, at: datetime) -> None:
        self._now = at

    def now(self) -> datetime:
        """Return the time that it was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds of the same clock."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Let others run; the time passes at once."""
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += timedelta(seconds=seconds)

    def move_to(self, at: datetime) -> None:
        """Let the time pass until `at`; it never goes back."""
        self._now = max(self._now, at)
