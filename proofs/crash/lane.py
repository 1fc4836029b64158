"""One lane of the matrix: a database, gateways, a zygote; it tries one point after another."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from dev.postgres import connect
from proofs.crash.driver import Done, Job, Part
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.door import Door, open_door
from proofs.crash.judgement import broken_invariants, lost_schedules
from proofs.crash.points import CUTS, Point
from proofs.crash.proxy import CommitProxy, commit_proxy
from proofs.crash.records import forget_everything, read_records, tidy
from proofs.crash.stories import STORIES
from proofs.crash.variants import AS_BUILT

_ROOT = Path(__file__).resolve().parents[2]
_BEGAN = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
# How long a process takes to start again.
_RESTART = timedelta(seconds=1)
_TIDY_EVERY = 100
_KILLED = -9


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried: a story that is interrupted at a point, and who comes back afterwards.

    `point`: None for a story that nothing happens to.
    """

    story: str
    point: Point | None = None
    comeback: Part = Part.RETURN
    variant: str = AS_BUILT


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a trial.

    `struck`: whether the story reached the point; if not, it ended.
    """

    trial: Trial
    struck: bool
    broken: tuple[str, ...]


class Lane:
    """Tries one point at a time."""

    def __init__(
        self,
        owner: asyncpg.Connection,
        door: Door,
        zygote: asyncio.subprocess.Process,
        proxy: CommitProxy | None,
    ) -> None:
        self._owner = owner
        self._door = door
        self._zygote = zygote
        self._proxy = proxy
        self._tries = 0
        self._learned: dict[str, Mapping[str, int]] = {}

    async def try_out(self, trial: Trial) -> Verdict:
        """Tell a story on an empty database, interrupt it, recover, and judge."""
        await self.learn(trial.story)
        books = await self._begin(trial)
        job = self._job(trial, Part.TELL, books)
        told = await self._run(replace(job, point=trial.point))
        cut = trial.point is not None and trial.point.moment in CUTS
        struck = bool(self._proxy and self._proxy.was_cut) if cut else told.code == _KILLED
        broken = [] if told.code == (_KILLED if struck and not cut else 0) else [_failed(told)]
        records = await read_records(self._owner)
        broken += lost_schedules(records)
        if not struck:
            broken += _wrong_end(trial, [each["status"] for each in records.payments])
        if self._proxy:
            self._proxy.choose(None)
        recovered = await self._run(self._job(trial, trial.comeback, books))
        if recovered.code:
            broken.append(_failed(recovered))
        broken += broken_invariants(await read_records(self._owner), books)
        return Verdict(trial=trial, struck=struck, broken=tuple(broken))

    async def learn(self, story: str) -> Mapping[str, int]:
        """Have the zygote tell a story itself, so that its children need not learn it.

        Returns how often the story reaches each moment when nothing happens to it. Raises
        `RuntimeError` when the story cannot be told.
        """
        if story not in self._learned:
            quiet = Trial(story=story)
            books = await self._begin(quiet)
            for part in (Part.TELL, Part.ALONE):
                done = await self._run(replace(self._job(quiet, part, books), forked=False))
                if done.code:
                    raise RuntimeError(f"the story {story} cannot even be told\n{done.error}")
            self._learned[story] = books.reached or {}
        return self._learned[story]

    async def _begin(self, trial: Trial) -> GatewayBooks:
        self._tries += 1
        await forget_everything(self._owner)
        if self._tries % _TIDY_EVERY == 0:
            await tidy(self._owner)
        books = GatewayBooks(_BEGAN, STORIES[trial.story].habits)
        self._door.books = books
        if self._proxy:
            self._proxy.choose(trial.point)
            self._door.on_begin = self._proxy.begin
        return books

    def _job(self, trial: Trial, part: Part, books: GatewayBooks) -> Job:
        at = books.now if part is Part.TELL else books.now + _RESTART
        return Job(story=trial.story, part=part, at=at, door=self._door.port, variant=trial.variant)

    async def _run(self, job: Job) -> Done:
        """Have the zygote do a job; return how its process ended."""
        if self._zygote.stdin is None or self._zygote.stdout is None:
            raise RuntimeError("the zygote has no pipes")
        self._zygote.stdin.write(msgspec.json.encode(job) + b"\n")
        line = await self._zygote.stdout.readline()
        if not line:
            raise RuntimeError("the zygote is gone")
        return msgspec.json.decode(line, type=Done)


@asynccontextmanager
async def open_lane(owner_url: str, app_url: str, *, cuts: bool = False) -> AsyncIterator[Lane]:
    """Open a lane on a migrated database of its own, which it empties again and again.

    `owner_url`: of a superuser. `cuts`: whether the database is reached through a proxy that can
    break commits.
    """
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(open_door())
        proxy = await stack.enter_async_context(commit_proxy(app_url)) if cuts else None
        owner = await connect(owner_url)
        stack.push_async_callback(owner.close)
        zygote = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "proofs.crash.zygote",
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        stack.push_async_callback(_end, zygote)
        if zygote.stdin is not None:
            zygote.stdin.write(f"{proxy.url if proxy else app_url}\n".encode())
        yield Lane(owner, door, zygote, proxy)


async def _end(zygote: asyncio.subprocess.Process) -> None:
    """Send no more jobs; a zygote without work ends by itself."""
    if zygote.stdin is not None:
        zygote.stdin.close()
    await zygote.wait()


def _failed(done: Done) -> str:
    return f"FAILED: a process ended with {done.code}\n{done.error}"


def _wrong_end(trial: Trial, statuses: list[str]) -> list[str]:
    wanted = STORIES[trial.story].ends
    if statuses == [wanted]:
        return []
    return [f"the story ended with {statuses} instead of {wanted}"]
