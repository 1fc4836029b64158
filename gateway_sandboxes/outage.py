"""The `unreachable` fault: the gateway's port is closed for a while or until cleared."""

import asyncio
import contextlib

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.server import Listener


class Outage:
    """Closes the gateway's port and opens it again; at most one outage at a time."""

    def __init__(self, listener: Listener, clock: Clock) -> None:
        self._listener = listener
        self._clock = clock
        self._reopening: asyncio.Task[None] | None = None

    async def begin(self, seconds: float | None) -> None:
        """Close the port now, for so many seconds of the sandbox's time or (None) until `end`."""
        await self._forget_reopening()
        await self._listener.pause()
        if seconds is not None:
            self._reopening = asyncio.create_task(self._reopen_after(seconds))

    async def end(self) -> None:
        """Open the port, if an outage has closed it."""
        await self._forget_reopening()
        await self._listener.resume()

    async def close(self) -> None:
        """Stop waiting for the end of an outage; the port stays as it is."""
        await self._forget_reopening()

    async def _reopen_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        await self._listener.resume()

    async def _forget_reopening(self) -> None:
        if self._reopening is None:
            return
        self._reopening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reopening
        self._reopening = None
