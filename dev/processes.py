"""One process of our own: started in its own session, its output read, stopped in order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.accounts import Account, process_options
from dev.watchdog import Watchdog

_CHUNK_BYTES = 65_536
_MAX_LINE_BYTES = 1_048_576
# How long the output of a process that has ended may still trickle in (from its own children).
_LAST_WORDS_SECONDS = 1.0

LineSink = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.

    `environment`: all of it, nothing is inherited. `folder`: the working directory. `account`: who
    runs it, or None for the present user. `stop_signal`: asks for an orderly end.
    `stop_seconds`: how long that may take before the process is killed.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 12.0


class RunningProcess:
    """A started process. Make it with `start`; it leads its own session and process group."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self.pid = process.pid
        self._process = process

    @classmethod
    async def start(
        cls, command: Command, watchdog: Watchdog, each_line: LineSink
    ) -> "tuple[RunningProcess, asyncio.Task[int]]":
        """Start `command`; return the process and the task that ends with its exit code.

        `each_line` gets every line of its output (standard output and error together). The task
        must be awaited: it reads the output, reaps the process and releases it from `watchdog`.
        Raises `OSError` when the program cannot be run.
        """
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=command.folder,
                env=dict(command.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                **process_options(command.account),
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        watchdog.watch(process.pid, command.stop_signal)
        running = cls(command, process)
        ended = asyncio.create_task(running._run(reading, watchdog, each_line))
        return running, ended

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, to nobody when the process is gone."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self) -> None:
        """Ask for an orderly end, and kill the process when that takes too long."""
        self.send(self.command.stop_signal)
        try:
            async with asyncio.timeout(self.command.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()

    async def _run(self, reading: int, watchdog: Watchdog, each_line: LineSink) -> int:
        reader = asyncio.create_task(_read_lines(reading, each_line))
        try:
            code = await self._process.wait()
            # Children of a killed process may hold the pipe for a moment: do not wait for them.
            await asyncio.wait([reader], timeout=_LAST_WORDS_SECONDS)
        finally:
            if self.has_ended:
                watchdog.forget(self.pid)
            reader.cancel()
            await asyncio.wait([reader])
        return code


async def _read_lines(descriptor: int, each_line: LineSink) -> None:
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "rb")
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    rest = b""
    try:
        while chunk := await stream.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                each_line(line.decode(errors="replace"))
        if rest:
            each_line(rest.decode(errors="replace"))
    finally:
        transport.close()
