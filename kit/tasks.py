"""Tasks that must end properly: they outlive an impatient caller and are awaited at shutdown."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class OwnedTasks:
    """Runs work that has to reach its end once it has begun."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run `work` and return its result; when the caller is cancelled, `work` goes on."""
        return await asyncio.shield(self.start(work))

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Run `work` to its end in a task of its own."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Wait for what still runs, at most `seconds`, then cancel the rest."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Reading it marks an error as seen when the caller went away; the task logged it.
            task.exception()
