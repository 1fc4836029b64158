"""One driven process: it tells a story, perhaps to its death, or recovers what is left of one."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from db.unit_of_work import PostgresStorage
from kit.ids import SystemIds
from kit.request_scope import RequestScope, enter_scope
from kit.tasks import OwnedTasks
from proofs.crash.actor import Actor
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.remote import RemoteGateways, SocketPost
from proofs.crash.moved_clock import MovedClock
from proofs.crash.points import KillSwitch, Moment, Point, SteppingSelector
from proofs.crash.queues import Queues, next_due
from proofs.crash.routing import default_routing
from proofs.crash.stories import STORIES
from proofs.crash.variants import AS_BUILT, VARIANTS
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.take_over_attempt import release_interrupted
from services.payments.ports import Storage, Work
from services.payments.router import Router

_FIRST_STRIDE_SECONDS = 5.0
_LONGER = 16
_LONGEST = timedelta(days=60)
_A_WHILE_SECONDS = 120.0
_Outside = tuple[MovedClock, SocketPost, KillSwitch]


class Part(StrEnum):
    """What a process is there for.

    TELL: to tell the story, to its end or to its death. RETURN: the process starts again, and the
    client repeats what it asked. ALONE: it starts again and nobody comes back, but the payers pay
    what they saw.
    """

    TELL = "tell"
    RETURN = "return"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process is to do.

    `at`: its time. `door`: the port of the gateways' process. `forked`: in a process of its own;
    else in the zygote itself, which has then learned everything that the story needs.
    """

    story: str
    part: Part
    at: datetime
    door: int
    point: Point | None = None
    variant: str = AS_BUILT
    forked: bool = True


class Done(msgspec.Struct, frozen=True):
    """How a process ended. `code`: negative for a signal. `error`: what it failed with, if so."""

    code: int
    error: str = ""


def run_job(job: Job, engine: AsyncEngine) -> str:
    """Do a job in this process, on an event loop whose steps are counted.

    Returns what it failed with, or nothing.
    """
    switch = KillSwitch(job.point)
    loop = asyncio.SelectorEventLoop(SteppingSelector(switch))
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_live(job, engine, switch))
    except Exception:  # noqa: BLE001 - whatever went wrong is the answer of this process
        return traceback.format_exc()
    return ""


async def _live(job: Job, engine: AsyncEngine, switch: KillSwitch) -> None:
    enter_scope(RequestScope(request_id="crash", caller="bff"))
    clock = MovedClock(job.at)
    post = await SocketPost.connect(job.door, clock)
    try:
        actor = _actor(job, engine, (clock, post, switch))
        with _watched(engine, switch):
            if job.part is Part.TELL:
                await _tell(job, actor, switch)
            else:
                await _recover(job, actor, engine)
        async with actor.deps.storage.work():
            # A wrong process that is late with its commits has made the last one now.
            pass
    finally:
        post.close()
        await engine.dispose()


def _actor(job: Job, engine: AsyncEngine, outside: _Outside) -> Actor:
    clock, post, switch = outside
    variant = VARIANTS[job.variant]
    gateways = RemoteGateways(post, switch)
    deps = Dependencies(
        storage=variant.storage(_CountedStorage(PostgresStorage(engine), switch)),
        gateways=gateways,
        router=Router(gateways, default_routing()),
        clock=clock,
        ids=SystemIds(clock),
        wakeups=_NoWakeups(),
        tasks=OwnedTasks(),
        sender="server",
        rules=variant.rules,
    )
    queues = Queues(deps, variant.handle_refund)
    return Actor(deps=deps, clock=clock, queues=queues, post=post)


async def _tell(job: Job, actor: Actor, switch: KillSwitch) -> None:
    story = STORIES[job.story]
    await story.prepare(actor)
    await actor.post.tell(m.Begins())
    switch.arm()
    await story.act(actor)
    switch.disarm()
    reached = {str(moment): number for moment, number in switch.reached.items()}
    await actor.post.tell(m.Ended(reached))


async def _recover(job: Job, actor: Actor, engine: AsyncEngine) -> None:
    """Start again after a kill, and go on until nothing is due any more."""
    if job.part is Part.ALONE:
        await actor.pay()
    await release_interrupted(actor.deps, actor.clock.now())
    await actor.queues.work_off()
    if job.part is Part.RETURN:
        await STORIES[job.story].act(actor)
    await actor.wait(_A_WHILE_SECONDS)
    if job.part is Part.RETURN:
        await actor.look()
    await actor.pay()
    await _settle(actor, engine)


async def _settle(actor: Actor, engine: AsyncEngine) -> None:
    """Let the time pass in longer and longer strides, and do what is due."""
    began, stride = actor.clock.now(), _FIRST_STRIDE_SECONDS
    await actor.queues.work_off()
    while (due := await next_due(engine)) is not None and due < began + _LONGEST:
        actor.clock.move_to(due)
        await actor.wait(stride)
        stride *= _LONGER


@contextmanager
def _watched(engine: AsyncEngine, switch: KillSwitch) -> Iterator[None]:
    """Have the engine pass a point before and after each statement, and before each COMMIT."""

    def before(*_arguments: Any) -> None:
        switch.reach(Moment.BEFORE_STATEMENT)

    def after(*_arguments: Any) -> None:
        switch.reach(Moment.AFTER_STATEMENT)

    def commit(_connection: Any) -> None:
        switch.reach(Moment.BEFORE_COMMIT)

    listeners = {
        "before_cursor_execute": before,
        "after_cursor_execute": after,
        "commit": commit,
    }
    for name, listener in listeners.items():
        event.listen(engine.sync_engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine.sync_engine, name, listener)


class _CountedStorage:
    """Implements the port `Storage`: passes a point after each commit."""

    def __init__(self, storage: Storage, switch: KillSwitch) -> None:
        self._storage = storage
        self._switch = switch

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work."""
        return self._counted()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[Work]:
        async with self._storage.work() as work:
            yield work
        self._switch.reach(Moment.AFTER_COMMIT)


class _NoWakeups:
    """Implements the port `Wakeups`: losing a signal loses nothing, so every one is lost."""

    def payment_changed(self, payment_id: UUID) -> None:
        """Say nothing."""

    def event_recorded(self) -> None:
        """Say nothing."""

    def attempt_due(self) -> None:
        """Say nothing."""
