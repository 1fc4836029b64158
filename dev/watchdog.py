"""Stops what a killed supervisor left running: a process of its own that reads a pipe.

The pipe's other end is held by the supervisor alone. While it lives it says which processes it has
started; when it dies, however it dies, the pipe ends and the watchdog stops them.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LOOK_EVERY_SECONDS = 0.05


class Watchdog:
    """The supervisor's end.

    `keep_open`: file descriptors that stay open until the watchdog has stopped everything, for
    example the lock that says a stack is running. `patience`: how many seconds processes have for
    an orderly end before they are killed.
    """

    def __init__(self, keep_open: Sequence[int] = (), patience: float = 12.0) -> None:
        self._keep_open = tuple(keep_open)
        self._patience = patience
        self._watched: dict[int, signal.Signals] = {}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The watchdog's process id, or None before `start`."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the watchdog, and tell it about everything that is already watched."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dev.watchdog",
            str(self._patience),
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._keep_open,
        )
        for pid, number in self._watched.items():
            self._tell(f"watch {pid} {int(number)}")

    async def keep_alive(self) -> None:
        """Start the watchdog again whenever it dies; runs until cancelled."""
        while self._process is not None:
            await self._process.wait()
            await self.start()

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """Make the watchdog responsible for `pid`, which leads a session of its own."""
        self._watched[pid] = stop_signal
        self._tell(f"watch {pid} {int(stop_signal)}")

    def forget(self, pid: int) -> None:
        """Release `pid`, which has ended."""
        if self._watched.pop(pid, None) is not None:
            self._tell(f"forget {pid}")

    async def close(self) -> None:
        """End the watchdog. Whatever is still watched is stopped."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        self._process = None

    def _tell(self, line: str) -> None:
        # A line to a watchdog that has just died is not lost: its successor is told everything.
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n".encode())


def main() -> int:
    """Read the pipe to its end, then stop what is left. Returns the process's exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, int] = {}
    for line in sys.stdin:
        match line.split():
            case ["watch", pid, stop_signal]:
                watched[int(pid)] = int(stop_signal)
            case ["forget", pid]:
                watched.pop(int(pid), None)
    _stop_all(watched, patience=float(sys.argv[1]))
    return 0


def _stop_all(watched: dict[int, int], patience: float) -> None:
    for pid, number in reversed(watched.items()):
        _send(pid, number)
    give_up = time.monotonic() + patience
    while any(_send(pid, 0) for pid in watched) and time.monotonic() < give_up:
        time.sleep(_LOOK_EVERY_SECONDS)
    for pid in watched:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> bool:
    """Signal one process; tell whether it was there and still ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
