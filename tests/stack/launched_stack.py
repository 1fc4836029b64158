"""The real stack, run by its command line in a folder and on ports of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.checkout import ROOT, Checkout
from dev.ports import Ports, is_free, taken
from tests.stack.conditions import until

_START_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedStack:
    """A supervisor that runs the stack. `terminal`: the file that receives what people see."""

    checkout: Checkout
    offset: int
    supervisor: asyncio.subprocess.Process
    terminal: Path

    def pids(self) -> dict[str, int]:
        """Return the process ids by process."""
        return {path.stem: int(path.read_text()) for path in self.checkout.pids.glob("*.pid")}

    def seen(self) -> str:
        """Return what people have seen so far."""
        return self.terminal.read_text()

    def ports_are_free(self) -> bool:
        """Tell whether nobody listens any more."""
        return all(is_free(port) for port in Ports.shifted(self.offset).by_owner().values())


def free_offset() -> int:
    """Return an offset at which every port of the stack is free; parallel sessions start apart."""
    start = 1000 + os.getpid() % 100 * 100
    return next(offset for offset in range(start, 15_000, 20) if not taken(Ports.shifted(offset)))


async def dev(folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Run `python -m dev` with `folder`; return its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        *_command(folder, *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@asynccontextmanager
async def launched(folder: Path, offset: int) -> AsyncIterator[LaunchedStack]:
    """Start the stack, yield it when it is ready, and end it if the test has not."""
    terminal = folder / "terminal"
    with terminal.open("w") as output:
        supervisor = await asyncio.create_subprocess_exec(
            *_command(folder, "run", "--port-offset", str(offset)),
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    stack = LaunchedStack(
        checkout=Checkout(run=folder), offset=offset, supervisor=supervisor, terminal=terminal
    )
    try:
        await until(
            lambda: "Ready in" in stack.seen() or supervisor.returncode is not None, _START_SECONDS
        )
        assert supervisor.returncode is None, stack.seen()
        yield stack
    finally:
        if supervisor.returncode is None:
            supervisor.terminate()
        await supervisor.wait()


def _command(folder: Path, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "dev", "--folder", str(folder), *arguments)
