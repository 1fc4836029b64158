"""A process of the product: it can be killed at every step, and starts again with its old name."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

from kit.errors import ServiceError
from kit.request_scope import RequestScope, enter_scope
from proofs.simulation.faults import Fault
from proofs.simulation.loop import RUNNING, resolve
from proofs.simulation.nature import Nature
from proofs.simulation.outages import Outage
from proofs.simulation.storage import CommitFate, Database
from services.payments.domain.errors import storage_unavailable
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.take_over_attempt import release_interrupted
from services.payments.ports import Share
from services.payments.worker import Worker

ResultT = TypeVar("ResultT")

_DEADLINE_SECONDS = 30.0
_RELEASE_AGAIN_SECONDS = 2.0


class _Others:
    """Awaited to let everything run that is ready."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_OTHERS = _Others()


class CallerGoneError(Exception):
    """The caller's time was up, or it gave up, before there was an answer."""


class ProcessGoneError(Exception):
    """The process was killed before it answered."""


class Process:
    """One run of a server or a worker.

    `outage`: of the database. `ended`: called once when it is killed. Implements `Conditions` for
    its way to the database.
    """

    def __init__(self, name: str, nature: Nature, database: Database, outage: Outage) -> None:
        self.name = name
        self.dead = False
        self.ended: Callable[[], None] = _ignore
        self._nature = nature
        self._database = database
        self._outage = outage
        self._context = Context()
        self._context.run(RUNNING.set, self)
        self._tell = nature.story.tell
        self._strikes = nature.faults.strikes
        self._answers: dict[asyncio.Future[Any], None] = {}
        self._never: asyncio.Future[None] = nature.loop.create_future()

    async def step(self, what: str) -> None:
        """Take a step in the database: others run before it, and it may be the last."""
        await self.pause(what)
        if self._strikes(Fault.DATABASE_AWAY) or self._database_is_down():
            self._tell(self.name, "database away")
            raise storage_unavailable()

    async def pause(self, what: str) -> None:
        """Let others run; it may be the last that this process does."""
        await self.point(what)
        await _OTHERS

    async def point(self, what: str) -> None:
        """Pass a point at which the process may be killed."""
        self._tell(self.name, what)
        if self._strikes(Fault.KILLED):
            self.kill()
            await self._never

    def seeks(self, table: str, share: Share) -> None:
        """Have the running task woken only for these rows."""
        self._nature.loop.seeks((table, share))

    def commit_fate(self) -> CommitFate:
        """Decide how a commit ends."""
        down = self._database_is_down()
        if self._strikes(Fault.COMMIT_LOST) or (down and self._nature.chance.hits(0.5)):
            self._tell(self.name, "commit unknown: not stored")
            return CommitFate.LOST
        if self._strikes(Fault.COMMIT_UNSEEN) or down:
            self._tell(self.name, "commit unknown: stored")
            return CommitFate.UNSEEN
        return CommitFate.SEEN

    def committed_when_interrupted(self) -> bool:
        """Decide whether a commit happened whose process stopped in the middle of it."""
        return self._nature.chance.hits(0.5)

    def kill(self) -> None:
        """Stop at once: no task runs on, no cleaning up happens."""
        if self.dead:
            return
        self.dead = True
        self._nature.story.tell(self.name, "killed")
        for unit in list(self._database.open_units):
            if unit.owner is self:
                unit.interrupt()
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(ProcessGoneError())
        self.ended()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Run a task in this process; one that was killed runs nothing any more."""
        return self._nature.loop.create_task(work, context=self._context.copy())

    async def request(
        self, work: Callable[[], Coroutine[Any, Any, ResultT]], scope: RequestScope
    ) -> ResultT:
        """Have this process serve a request, as its server would; called from outside.

        Raises what the request raises, `CallerGoneError`, or `ProcessGoneError`.
        """
        if self.dead:
            raise ProcessGoneError
        faults, chance = self._nature.faults, self._nature.chance
        answer: asyncio.Future[ResultT] = self._nature.loop.create_future()
        task = self.start(_serve(work, scope, answer))

        def give_up() -> None:
            if not answer.done():
                answer.set_exception(CallerGoneError())
                task.cancel()

        gone = faults.strikes(Fault.CALLER_GONE)
        self._nature.loop.after(chance.between(0.01, 3.0) if gone else _DEADLINE_SECONDS, give_up)
        self._answers[answer] = None
        try:
            return await answer
        finally:
            del self._answers[answer]

    def scope(self, caller: str, user_id: str | None = None) -> RequestScope:
        """Return the scope of a request that arrives now."""
        deadline = self._nature.loop.time() + _DEADLINE_SECONDS
        return RequestScope(
            request_id=f"r{len(self._nature.story)}",
            deadline=deadline,
            caller=caller,
            user_id=user_id,
        )

    def _database_is_down(self) -> bool:
        return self._outage.covers(self._nature.loop.time())


def run_process(process: Process, nature: Nature, deps: Dependencies) -> None:
    """Begin what every process begins with: taking up what its earlier run left behind."""
    started_at = nature.clock.now()

    async def release() -> None:
        while True:
            try:
                return await release_interrupted(deps, started_at)
            except ServiceError:
                await nature.clock.sleep(_RELEASE_AGAIN_SECONDS)

    process.start(release())


def run_worker(process: Process, nature: Nature, worker: Worker) -> None:
    """Run a worker's queues until the process is killed."""

    async def work() -> None:
        await worker.run()

    nature.loop.oversee(process.start(work()))


async def _serve(
    work: Callable[[], Coroutine[Any, Any, ResultT]],
    scope: RequestScope,
    answer: asyncio.Future[ResultT],
) -> None:
    enter_scope(scope)
    try:
        result = await work()
    except Exception as error:  # noqa: BLE001 - it is the caller's answer
        if not answer.done():
            answer.set_exception(error)
    else:
        resolve(answer, result)


def _ignore() -> None:
    pass
