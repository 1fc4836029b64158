"""Runs one seed from its first request to the end of everything that follows by itself."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from proofs.simulation import alerts
from proofs.simulation.faults import Fault
from proofs.simulation.invariants import Edge
from proofs.simulation.judgement import Judgement
from proofs.simulation.loop import StuckError, VirtualLoop
from proofs.simulation.nature import nature_of
from proofs.simulation.plan import STORM_SECONDS
from proofs.simulation.policies import POLICIES, SAFE
from proofs.simulation.world import World

_LOOK_AGAIN_SECONDS = (60.0, 600.0, 3600.0, 6 * 3600.0, 86_400.0)
_MOST_DAYS = 45
_DEFECTS = ("work_failed", "rpc_failed_unexpectedly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one seed. `story`: only when it was asked for, or when something is wrong."""

    seed: int
    digest: str
    steps: int
    payments: int
    charges: int
    faults: Counter[Fault] = field(default_factory=Counter)
    edges: Counter[Edge] = field(default_factory=Counter)
    violations: Sequence[str] = ()
    story: Sequence[str] = ()


def run_seed(seed: int, policy: str = SAFE, *, tell: bool = False) -> Outcome:
    """Run one seed under a policy. `tell`: return its story whatever happens."""
    nature = nature_of(seed)
    loop = nature.loop
    world = World(nature, POLICIES[policy])
    loop.set_exception_handler(_forget)
    alerts.tell(partial(_hear, world))
    main = loop.create_task(_live(world))
    main.add_done_callback(lambda _done: loop.stop())
    try:
        loop.run_forever()
    except StuckError as error:
        world.watch.violated(f"STUCK: {error}")
    if main.done() and not main.cancelled() and main.exception() is not None:
        world.watch.violated(f"the simulation failed: {main.exception()!r}")
    _dispose(loop)
    violations = world.watch.violations
    return Outcome(
        seed=seed,
        digest=nature.story.digest(),
        steps=len(nature.story),
        payments=len(world.database.payments.rows),
        charges=len(world.watch.truth.charges()),
        faults=nature.faults.fired,
        edges=world.watch.edges,
        violations=tuple(violations),
        story=tuple(nature.story.lines()) if tell or violations else (),
    )


async def _live(world: World) -> None:
    """Let the storm pass, then wait until nothing happens by itself any more, and judge."""
    nature = world.nature
    world.begin()
    await nature.loop.passed(STORM_SECONDS)
    nature.faults.on = False
    nature.story.tell("", "the storm is over")
    for wait in _waits():
        if _judgement(world).is_settled() and (
            not world.plan.thorough or world.dues.first() == inf
        ):
            break
        await nature.loop.passed(wait)
    for violation in _judgement(world).violations():
        world.report(violation)


def _waits() -> list[float]:
    return [*_LOOK_AGAIN_SECONDS, *(_LOOK_AGAIN_SECONDS[-1:] * _MOST_DAYS)]


def _judgement(world: World) -> Judgement:
    return Judgement(world.database, world.watch.truth)


def _hear(world: World, entry: alerts.Entry) -> None:
    """Take the product's own report of a defect for what it is."""
    if entry.get("event") in _DEFECTS:
        world.report(f"DEFECT: {entry['event']}: {entry.get('exc_info')!r}")


def _dispose(loop: VirtualLoop) -> None:
    """Close what was killed or still waits; nothing of it runs on."""
    for task in loop.tasks:
        coroutine: Any = task.get_coro()
        # One that awaits while it is closed is closed again, until it is.
        while not task.done() and inspect.getcoroutinestate(coroutine) != inspect.CORO_CLOSED:
            with suppress(BaseException):
                coroutine.close()
    loop.close()


def _forget(_loop: asyncio.AbstractEventLoop, _context: object) -> None:
    """Say nothing about tasks and errors of processes that were killed."""
