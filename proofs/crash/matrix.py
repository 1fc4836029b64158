"""Tries every point of every story, or a chosen spread of them, over several lanes at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from proofs.crash.cluster import lane_databases
from proofs.crash.driver import Part
from proofs.crash.lane import Lane, Trial, Verdict, open_lane
from proofs.crash.points import CUTS, Moment, Point
from proofs.crash.variants import AS_BUILT

_COMEBACKS = (Part.RETURN, Part.ALONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is tried. `moments`: the kinds of points, all with or all without cuts of commits."""

    stories: Sequence[str]
    moments: Sequence[Moment]
    variant: str = AS_BUILT

    @property
    def cuts(self) -> bool:
        """Whether commits are cut instead of processes killed."""
        return not CUTS.isdisjoint(self.moments)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was tried of one story. `seconds`: over all lanes together."""

    story: str
    points: set[Point] = field(default_factory=set)
    strikes: int = 0
    seconds: float = 0.0
    broken: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict, seconds: float) -> None:
        """Count one trial."""
        self.seconds += seconds
        if verdict.struck and verdict.trial.point is not None:
            self.points.add(verdict.trial.point)
            self.strikes += 1
        if verdict.broken:
            self.broken.append(verdict)


async def try_all(
    plan: Plan, lanes: Sequence[Lane], progress: Callable[[Tally], None]
) -> dict[str, Tally]:
    """Try every point from 1 until a story ends without reaching one; return the tallies.

    `progress`: called with a story's tally when all its points were tried.
    """
    tallies = {story: Tally(story=story) for story in plan.stories}
    # Long ones first, so that the lanes end together.
    moments = sorted(plan.moments, key=lambda moment: moment is not Moment.LOOP_STEP)
    todo = [(story, moment) for story in plan.stories for moment in moments]
    left = {story: len(moments) for story in plan.stories}

    async def work_off(lane: Lane) -> None:
        while todo:
            story, moment = todo.pop(0)
            async for verdict, seconds in _each(lane, plan, story, moment):
                tallies[story].add(verdict, seconds)
            left[story] -= 1
            if not left[story]:
                progress(tallies[story])

    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(work_off(lane))
    return tallies


async def try_spread(plan: Plan, lanes: Sequence[Lane], points: int, seed: int) -> dict[str, Tally]:
    """Try `points` points of each story, chosen by `seed`: of every kind the same number."""
    chance = random.Random(seed)  # noqa: S311 - a spread to be chosen again, no secret
    tallies = {story: Tally(story=story) for story in plan.stories}
    todo = [(story, chance.randrange(1 << 30)) for story in plan.stories]

    async def work_off(lane: Lane) -> None:
        while todo:
            story, own_seed = todo.pop(0)
            for trial in await _chosen(lane, plan, story, (points, own_seed)):
                verdict, seconds = await _timed(lane, trial)
                tallies[story].add(verdict, seconds)

    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(work_off(lane))
    return tallies


async def try_one(trial: Trial) -> Verdict:
    """Try a single point."""
    plan = Plan(stories=[trial.story], moments=[trial.point.moment] if trial.point else [])
    async with open_lanes(1, plan) as (lane,):
        return await lane.try_out(trial)


@asynccontextmanager
async def open_lanes(count: int, plan: Plan) -> AsyncIterator[list[Lane]]:
    """Open lanes on a cluster of their own while the context lasts."""
    async with lane_databases(count) as databases, AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                open_lane(database.owner_url, database.app_url, cuts=plan.cuts)
            )
            for database in databases
        ]


async def _each(
    lane: Lane, plan: Plan, story: str, moment: Moment
) -> AsyncIterator[tuple[Verdict, float]]:
    """Yield the verdict on every point of a kind, and on the story that ended without one."""
    number, struck = 0, True
    while struck:
        number += 1
        struck = False
        for comeback in _comebacks(moment, number):
            trial = Trial(
                story=story, point=Point(moment, number), comeback=comeback, variant=plan.variant
            )
            verdict, seconds = await _timed(lane, trial)
            struck = struck or verdict.struck
            yield verdict, seconds


def _comebacks(moment: Moment, number: int) -> Iterable[Part]:
    """Return who comes back: both ways, but by turns for the many steps and statements.

    After a statement is as before the next one, so each of those is tried in both ways, too.
    """
    by_turns = moment in (Moment.LOOP_STEP, Moment.BEFORE_STATEMENT, Moment.AFTER_STATEMENT)
    return (_COMEBACKS[number % 2],) if by_turns else _COMEBACKS


async def _chosen(lane: Lane, plan: Plan, story: str, choice: tuple[int, int]) -> list[Trial]:
    """Choose points of a story that it reaches when nothing happens to it."""
    count, seed = choice
    chance = random.Random(seed)  # noqa: S311 - a spread to be chosen again, no secret
    reached = await lane.learn(story)
    moments = [moment for moment in plan.moments if _how_often(moment, reached)]
    chance.shuffle(moments)
    return [
        Trial(
            story=story,
            point=Point(moment, chance.randint(1, _how_often(moment, reached))),
            comeback=chance.choice(_COMEBACKS),
            variant=plan.variant,
        )
        for moment in (moments * count)[:count]
    ]


def _how_often(moment: Moment, reached: Mapping[str, int]) -> int:
    return reached.get(Moment.BEFORE_COMMIT if moment in CUTS else moment, 0)


async def _timed(lane: Lane, trial: Trial) -> tuple[Verdict, float]:
    began = time.monotonic()
    verdict = await lane.try_out(trial)
    return verdict, time.monotonic() - began
