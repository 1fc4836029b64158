"""An event loop on virtual time: nothing waits, and what is ready runs in an order of chance.

Every handle belongs to the process whose context it was made in; a killed process's never run.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Hashable
from contextvars import Context, ContextVar
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol, TypeVar

from typing_extensions import TypeVarTuple, override

from proofs.simulation.chance import Chance

ResultT = TypeVar("ResultT")
ArgsT = TypeVarTuple("ArgsT")


class Mortal(Protocol):
    """Whatever can be killed."""

    dead: bool


RUNNING: ContextVar[Mortal | None] = ContextVar("running_process", default=None)


class StuckError(Exception):
    """Nothing is ready, and no time will change that."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks and callbacks on virtual seconds from 0.

    There are three kinds of timers. The product's own drive the time, and so does the agenda of
    the world around it (`at`). The timers of tasks that only look whether something is due do not:
    they fire once there is something to see, as if nobody had looked in vain before. `due_at`:
    returns the second from which on there is something, for what a task said that it `seeks`;
    `first_due`: the first of all those.
    """

    def __init__(self, chance: Chance) -> None:
        super().__init__()
        self.due_at: Callable[[Any], float] = _never
        self.first_due: Callable[[], float] = _never
        self._halted = False
        self._fraction = chance.fraction
        self._seconds = 0.0
        self._serial = 0
        self._runnable: list[tuple[asyncio.Handle, Mortal | None]] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Mortal | None]] = []
        self._looks: dict[asyncio.Task[Any], tuple[float, asyncio.TimerHandle, Mortal | None]] = {}
        self._sought: dict[asyncio.Task[Any], Hashable] = {}
        self._agenda: list[tuple[float, int, asyncio.Handle]] = []
        # Held until the end: what a killed process left behind must not be cleaned up meanwhile.
        self.tasks: list[asyncio.Task[Any]] = []
        self._overseers: set[asyncio.Task[Any]] = set()
        self._lookers: set[asyncio.Task[Any]] = set()
        self._nobody = Context()

    @override
    def time(self) -> float:
        """Return the virtual seconds."""
        return self._seconds

    @override
    def call_soon(
        self,
        callback: Callable[[*ArgsT], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Have a callback run now, before or after what is ready already."""
        handle = asyncio.Handle(callback, args, self, context)
        owner = RUNNING.get() if context is None else context.get(RUNNING)
        self._runnable.append((handle, owner))
        return handle

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*ArgsT], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have a callback run at a virtual second."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        owner = RUNNING.get() if context is None else context.get(RUNNING)
        task = asyncio.current_task(self)
        if task is not None and task in self._sought:
            self._looks[task] = (when, handle, owner)
        else:
            self._serial += 1
            heappush(self._timers, (when, self._serial, handle, owner))
        return handle

    @override
    def call_later(
        self,
        delay: float,
        callback: Callable[[*ArgsT], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have a callback run after some virtual seconds."""
        return self.call_at(self._seconds + delay, callback, *args, context=context)

    def at(self, when: float, callback: Callable[[], object]) -> None:
        """Have something happen in the world, outside of every process."""
        self._serial += 1
        handle = asyncio.Handle(callback, (), self, self._nobody)
        heappush(self._agenda, (when, self._serial, handle))

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        """Have something happen in the world in some seconds."""
        self.at(self._seconds + seconds, callback)

    async def passed(self, seconds: float) -> None:
        """Wait in the world, outside of every process."""
        reached: asyncio.Future[None] = self.create_future()
        self.after(seconds, lambda: resolve(reached, None))
        await reached

    def oversee(self, task: asyncio.Task[Any]) -> None:
        """Note that the tasks which `task` starts only look whether something is due."""
        self._overseers.add(task)

    def seeks(self, what: Hashable) -> None:
        """Note what the running task looks for, so that it need not look in vain."""
        task = asyncio.current_task(self)
        if task is not None and task in self._lookers:
            self._sought.setdefault(task, what)

    @override
    def create_task(
        self,
        coro: "Generator[Any, None, ResultT] | Coroutine[Any, Any, ResultT]",
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[ResultT]:
        """Start a task."""
        task = asyncio.Task(coro, loop=self, name="task", context=context)
        self.tasks.append(task)
        if self._overseers and asyncio.current_task(self) in self._overseers:
            self._lookers.add(task)
        return task

    @override
    def stop(self) -> None:
        """Run nothing more after what runs now."""
        self._halted = True
        super().stop()

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, let the time pass (called by asyncio)."""
        runnable, fraction = self._runnable, self._fraction
        self._halted = False
        while not self._halted:
            if not runnable:
                self._advance()
            last = len(runnable) - 1
            if last:
                index = int(fraction() * (last + 1))
                runnable[index], runnable[last] = runnable[last], runnable[index]
            handle, owner = runnable.pop()
            if (owner is None or not owner.dead) and not handle.cancelled():
                handle._run()  # noqa: SLF001 - running handles is what a loop is for

    def _process_events(self, event_list: object) -> None:
        """Do nothing: there is no input or output (required by asyncio)."""

    def _advance(self) -> None:
        while not self._runnable:
            moment = min(_first(self._timers), self._next_on_agenda())
            looks = self._next_looks() if self.first_due() <= moment else []
            moment = min([moment, *(at for at, _ in looks)])
            if moment == inf:
                raise StuckError("nothing is scheduled any more")
            self._seconds = max(self._seconds, moment)
            while self._timers and self._timers[0][0] <= self._seconds:
                _, _, handle, owner = heappop(self._timers)
                self._runnable.append((handle, owner))
            while self._agenda and self._agenda[0][0] <= self._seconds:
                self._runnable.append((heappop(self._agenda)[2], None))
            for at, task in looks:
                if at <= self._seconds:
                    _, handle, owner = self._looks.pop(task)
                    self._runnable.append((handle, owner))

    def _next_looks(self) -> list[tuple[float, asyncio.Task[Any]]]:
        """Return when each task looks again: not before its timer, nor before there is anything."""
        looks, over = [], []
        sought, due_at = self._sought, self.due_at
        for task, (when, handle, owner) in self._looks.items():
            if handle.cancelled() or (owner is not None and owner.dead):
                over.append(task)
                continue
            due = due_at(sought[task])
            if due != inf:
                looks.append((max(when, due), task))
        for task in over:
            del self._looks[task]
        return looks

    def _next_on_agenda(self) -> float:
        return self._agenda[0][0] if self._agenda else inf


def _never(_sought: object = None) -> float:
    return inf


def resolve(future: asyncio.Future[ResultT], result: ResultT) -> None:
    """Give a future its result unless nobody waits for it any more."""
    if not future.done():
        future.set_result(result)


def _first(timers: list[tuple[float, int, asyncio.TimerHandle, Mortal | None]]) -> float:
    """Return when the first timer fires that somebody alive still waits for."""
    while timers:
        when, _, handle, owner = timers[0]
        if not handle.cancelled() and (owner is None or not owner.dead):
            return when
        heappop(timers)
    return inf
