"""What the supervisor promises about the processes of its plan."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dev.services import Service
from dev.supervisor import ServiceFailedError, Supervisor
from dev.watchdog import Watchdog
from tests.stack.conditions import is_alive, until
from tests.stack.small_stack import POLITE, STUBBORN, service, supervision, task

PREPARES = """
import pathlib, sys
(pathlib.Path(sys.argv[1]).parent / 'order').open('a').write('start:prepare ')
"""
# Counts its starts in a file and says why it cannot go on.
BROKEN = """
import sys
open(sys.argv[1] + '.starts', 'a').write('x')
print('no disk', flush=True)
sys.exit({code})
"""
HAS_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4)'])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A supervisor at work. `terminal`: what people see."""

    folder: Path
    supervisor: Supervisor
    stop: asyncio.Event
    work: asyncio.Task[None]
    terminal: io.StringIO

    def pid(self, name: str) -> int:
        """Return the process id that the pid file of `name` holds."""
        return int((self.folder / f"{name}.pid").read_text())


@pytest.fixture
async def watchdog() -> AsyncIterator[Watchdog]:
    """Give the test a watchdog of its own."""
    watchdog = Watchdog()
    await watchdog.start()
    yield watchdog
    await watchdog.close()


@asynccontextmanager
async def supervised(
    folder: Path, plan: Sequence[Service], watchdog: Watchdog
) -> AsyncIterator[Running]:
    """Run a plan until it is ready, then until the context ends."""
    terminal, stop, ready = io.StringIO(), asyncio.Event(), asyncio.Event()
    tools = supervision(folder, watchdog, terminal)
    supervisor = Supervisor(plan, tools)
    work = asyncio.create_task(supervisor.run(stop, ready.set))
    try:
        await until(lambda: ready.is_set() or work.done())
        yield Running(folder=folder, supervisor=supervisor, stop=stop, work=work, terminal=terminal)
    finally:
        stop.set()
        await asyncio.wait([work])
        tools.output.close()
    await work


def order_of(folder: Path) -> list[str]:
    return (folder / "order").read_text().split()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def recording(name: str) -> str:
    """Return a program that notes when it is started and when it is asked to stop."""
    note = f"open(str(mark.parent / 'order'), 'a').write('{{}}:{name} ')"
    return POLITE.replace("mark.unlink()", f"({note.format('stop')}, mark.unlink())").replace(
        "mark.touch()", f"{note.format('start')}; mark.touch()"
    )


async def test_processes_start_after_what_they_need_and_stop_in_reverse(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    plan = [
        service(tmp_path, "store", recording("store")),
        task(tmp_path, "prepare", PREPARES, needs=("store",)),
        service(tmp_path, "server", recording("server"), needs=("prepare",)),
    ]
    async with supervised(tmp_path, plan, watchdog):
        assert order_of(tmp_path) == ["start:store", "start:prepare", "start:server"]
    assert order_of(tmp_path)[3:] == ["stop:server", "stop:store"]


async def test_a_killed_process_is_started_again_and_people_are_told(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    async with supervised(tmp_path, [service(tmp_path, "server")], watchdog) as running:
        first = running.pid("server")
        os.kill(first, signal.SIGKILL)
        await until(lambda: "server is back" in " ".join(running.terminal.getvalue().split()))
        assert running.pid("server") != first
        assert "server ended (killed by SIGKILL); starting it again" in running.terminal.getvalue()


async def test_nothing_is_left_after_an_orderly_stop(tmp_path: Path, watchdog: Watchdog) -> None:
    plan = [service(tmp_path, "first"), service(tmp_path, "second")]
    async with supervised(tmp_path, plan, watchdog) as running:
        pids = [running.pid("first"), running.pid("second")]
    assert not any(is_alive(pid) for pid in pids)
    assert names_in(tmp_path) == {"first.log", "second.log"}


async def test_a_process_that_will_not_stop_is_killed(tmp_path: Path, watchdog: Watchdog) -> None:
    plan = [service(tmp_path, "stubborn", STUBBORN)]
    async with supervised(tmp_path, plan, watchdog) as running:
        pid = running.pid("stubborn")
    assert not is_alive(pid)


async def test_a_second_request_to_stop_does_not_wait(tmp_path: Path, watchdog: Watchdog) -> None:
    plan = [service(tmp_path, "stubborn", STUBBORN)]
    async with supervised(tmp_path, plan, watchdog) as running:
        pid = running.pid("stubborn")
        running.stop.set()
        running.supervisor.kill_all()
        await until(lambda: not is_alive(pid), seconds=0.9)


async def test_a_process_that_cannot_start_ends_the_run_with_its_last_lines(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    plan = [service(tmp_path, "sound"), service(tmp_path, "broken", BROKEN.format(code=3))]
    with pytest.raises(
        ServiceFailedError, match=r"(?s)broken does not start \(exit code 3\).*no disk"
    ):
        async with supervised(tmp_path, plan, watchdog):
            pass
    assert (tmp_path / "broken.up.starts").read_text() == "xx"
    assert not (tmp_path / "sound.pid").exists()


async def test_bad_configuration_is_not_tried_twice(tmp_path: Path, watchdog: Watchdog) -> None:
    with pytest.raises(ServiceFailedError, match="exit code 78"):
        async with supervised(
            tmp_path, [service(tmp_path, "broken", BROKEN.format(code=78))], watchdog
        ):
            pass
    assert (tmp_path / "broken.up.starts").read_text() == "x"


async def test_a_process_that_never_becomes_well_is_stopped_and_named(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    mute = POLITE.replace("mark.touch()", "").replace("mark.unlink()", "0")
    with pytest.raises(ServiceFailedError, match="mute does not start"):
        async with supervised(tmp_path, [service(tmp_path, "mute", mute)], watchdog) as running:
            await running.work


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path, watchdog: Watchdog) -> None:
    server = service(tmp_path, "server")
    missing = replace(server.command, argv=(str(tmp_path / "no-such-program"),))
    plan = [replace(server, command=missing)]
    with pytest.raises(ServiceFailedError, match="no-such-program"):
        async with supervised(tmp_path, plan, watchdog):
            pass


async def test_output_after_a_process_has_been_killed_does_not_hold_the_run_up(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    """PostgreSQL's own children keep its output open for a while when it is killed."""
    plan = [service(tmp_path, "parent", HAS_A_CHILD + POLITE)]
    async with supervised(tmp_path, plan, watchdog) as running:
        os.kill(running.pid("parent"), signal.SIGKILL)
        await until(lambda: "is back" in running.terminal.getvalue(), seconds=3.5)
