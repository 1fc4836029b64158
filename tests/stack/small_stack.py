"""A plan of small processes, run as `make run` runs the real ones: `small_stack <folder>`."""

import asyncio
import io
import sys
from pathlib import Path

from rich.console import Console

from dev.output import Output
from dev.processes import Command
from dev.services import Service, never_well
from dev.supervisor import Patience, Supervision, Supervisor
from dev.watchdog import Watchdog

# Says that it is up by making a file, and removes it when asked to end.
POLITE = """
import pathlib, signal, sys
mark = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (mark.unlink(), sys.exit(0)))
mark.touch()
print('up', flush=True)
while True:
    signal.pause()
"""
STUBBORN = POLITE.replace("signal.signal(", "signal.signal(signal.SIGTERM, signal.SIG_IGN); (")


def command(folder: Path, name: str, program: str) -> Command:
    """Return how to run `program`, Python source that gets the path of its mark."""
    return Command(
        name=name,
        argv=(sys.executable, "-I", "-S", "-c", program, str(folder / f"{name}.up")),
        environment={},
        folder=folder,
        stop_seconds=1.0,
    )


def service(folder: Path, name: str, program: str = POLITE, needs: tuple[str, ...] = ()) -> Service:
    """Return a service that is well once its mark is there."""

    async def is_well() -> bool:
        return (folder / f"{name}.up").exists()

    return Service(
        command=command(folder, name, program), purpose="", where="", is_well=is_well, needs=needs
    )


def task(folder: Path, name: str, program: str, needs: tuple[str, ...] = ()) -> Service:
    """Return a service that runs once."""
    return Service(
        command=command(folder, name, program),
        purpose="",
        where="",
        is_well=never_well,
        needs=needs,
        runs_once=True,
    )


def supervision(folder: Path, watchdog: Watchdog, terminal: io.StringIO) -> Supervision:
    """Return what an impatient supervisor works with; `terminal` receives what people would see."""
    return Supervision(
        watchdog=watchdog,
        output=Output(Console(file=terminal, width=200), folder, verbose=False),
        pids=folder,
        patience=Patience(start=2.0, starts=2, first_delay=0.02, look_every=0.02),
    )


async def main(folder: Path) -> None:
    """Run two processes until killed, and make the file `ready` once both are up."""
    watchdog = Watchdog(patience=1.0)
    await watchdog.start()
    (folder / "watchdog.pid").write_text(str(watchdog.pid))
    plan = [service(folder, "first"), service(folder, "second", STUBBORN)]
    supervisor = Supervisor(plan, supervision(folder, watchdog, io.StringIO()))
    await supervisor.run(asyncio.Event(), (folder / "ready").touch)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
