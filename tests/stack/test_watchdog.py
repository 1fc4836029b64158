"""A supervisor that is killed leaves nothing running."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.checkout import ROOT
from dev.processes import RunningProcess
from dev.watchdog import Watchdog
from tests.stack.conditions import is_alive, until
from tests.stack.small_stack import POLITE, command


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallStack:
    """A supervisor in a process of its own, and the processes it has started."""

    supervisor: asyncio.subprocess.Process
    folder: Path

    def pid(self, name: str) -> int:
        """Return the process id of "first", "second" (ignores SIGTERM) or "watchdog"."""
        return int((self.folder / f"{name}.pid").read_text())


@pytest.fixture
async def small_stack(tmp_path: Path) -> AsyncIterator[SmallStack]:
    """Run two small processes under a supervisor in a process of its own."""
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stack.small_stack", str(tmp_path), cwd=ROOT
    )
    await until((tmp_path / "ready").exists)
    yield SmallStack(supervisor=supervisor, folder=tmp_path)
    if supervisor.returncode is None:
        supervisor.kill()
    await supervisor.wait()


async def test_a_killed_supervisor_leaves_no_process(small_stack: SmallStack) -> None:
    pids = [small_stack.pid(name) for name in ("first", "second", "watchdog")]
    small_stack.supervisor.kill()
    await until(lambda: not any(is_alive(pid) for pid in pids), seconds=20)


async def test_processes_are_asked_to_end_before_they_are_killed(small_stack: SmallStack) -> None:
    small_stack.supervisor.kill()
    # Only a process that was asked removes its mark.
    await until(lambda: not (small_stack.folder / "first.up").exists())


async def test_a_killed_watchdog_has_a_successor(small_stack: SmallStack) -> None:
    first, server = small_stack.pid("watchdog"), small_stack.pid("first")
    os.kill(first, signal.SIGKILL)
    await until(lambda: not is_alive(first))
    children = Path(
        f"/proc/{small_stack.supervisor.pid}/task/{small_stack.supervisor.pid}/children"
    )
    await until(lambda: len(children.read_text().split()) == 3)
    small_stack.supervisor.kill()
    await until(lambda: not is_alive(server))


async def test_closing_the_watchdog_stops_what_is_still_watched(tmp_path: Path) -> None:
    watchdog = Watchdog()
    await watchdog.start()
    process, ended = await RunningProcess.start(command(tmp_path, "first", POLITE), watchdog, print)
    await until((tmp_path / "first.up").exists)
    await watchdog.close()
    assert await ended == 0
    assert process.has_ended


async def test_a_released_process_is_left_alone(tmp_path: Path) -> None:
    watchdog = Watchdog()
    await watchdog.start()
    process, ended = await RunningProcess.start(command(tmp_path, "first", POLITE), watchdog, print)
    await until((tmp_path / "first.up").exists)
    watchdog.forget(process.pid)
    await watchdog.close()
    assert not process.has_ended
    await process.stop()
    await ended
