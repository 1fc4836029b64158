"""Starts the processes of a plan, keeps them running, and stops them in reverse order."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.output import Output, ProcessLog
from dev.processes import RunningProcess
from dev.services import Service
from dev.watchdog import Watchdog
from kit.settings import EXIT_BAD_CONFIGURATION


class ServiceFailedError(Exception):
    """A process cannot be started; the message names it and holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait and how often to try; times in seconds.

    `start`: for a process to become well. `starts`: failed starts in a row that end the run.
    `first_delay`, `longest_delay`: between the end of a process and its restart; the delay doubles
    with every failed start.
    """

    start: float = 60.0
    starts: int = 5
    first_delay: float = 0.25
    longest_delay: float = 5.0
    look_every: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What a supervisor works with. `pids`: the folder of the files with process ids."""

    watchdog: Watchdog
    output: Output
    pids: Path
    patience: Patience = Patience()


class Supervisor:
    """Runs the services of a plan. One that dies is started again.

    `plan`: in the order of starting; a service's needs come before it.
    """

    def __init__(self, plan: Sequence[Service], supervision: Supervision) -> None:
        self.plan = plan
        self._with = supervision
        self._well = {service.name: asyncio.Event() for service in plan}
        self._running: dict[str, tuple[RunningProcess, asyncio.Task[int]]] = {}

    async def run(self, stop: asyncio.Event, when_ready: Callable[[], None]) -> None:
        """Run everything until `stop` is set; on return nothing is running.

        `when_ready` is called once, when every service is well. Raises `ServiceFailedError` when
        a service cannot be started.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._keep_running(each)) for each in self.plan]
                tasks.append(group.create_task(self._with.watchdog.keep_alive()))
                tasks.append(group.create_task(self._announce(when_ready)))
                await stop.wait()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as group:
            failures = [each for each in group.exceptions if isinstance(each, ServiceFailedError)]
            if not failures:
                raise
            raise failures[0] from None
        finally:
            await self._stop_all()

    def kill_all(self) -> None:
        """Kill whatever still runs, for somebody who will not wait for an orderly end."""
        for process, _ in self._running.values():
            process.send(signal.SIGKILL)

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for event in self._well.values():
            await event.wait()
        when_ready()

    async def _keep_running(self, service: Service) -> None:
        for need in service.needs:
            await self._well[need].wait()
        # What runs once has only its end to report; if that is bad, its last lines are shown then.
        log = self._with.output.open_log(service.name, shown=not service.runs_once)
        failed_starts = 0
        while True:
            became_well, code = await self._run_once(service, log)
            if service.runs_once and code == 0:
                self._report_well(service)
                return
            failed_starts = 0 if became_well else failed_starts + 1
            if failed_starts >= self._with.patience.starts or code == EXIT_BAD_CONFIGURATION:
                raise ServiceFailedError(_obituary(service, code, log))
            await self._pause(service, code, failed_starts)

    async def _run_once(self, service: Service, log: ProcessLog) -> tuple[bool, int]:
        """Run the process until it ends; tell whether it became well, and its exit code."""
        log.begin()
        try:
            process, ended = await RunningProcess.start(
                service.command, self._with.watchdog, log.write
            )
        except OSError as error:
            log.write(f"cannot run {service.command.argv[0]}: {error}")
            return False, 1
        self._running[service.name] = process, ended
        pid_file = self._with.pids / f"{service.name}.pid"
        pid_file.write_text(f"{process.pid}\n")
        became_well = await self._becomes_well(service, ended)
        if became_well:
            self._report_well(service)
        elif not ended.done():
            log.write(f"not well after {self._with.patience.start:.0f} s: stopping it")
            await process.stop()
        await asyncio.wait([ended])
        self._forget(service)
        return became_well, ended.result()

    async def _becomes_well(self, service: Service, ended: asyncio.Task[int]) -> bool:
        if service.runs_once:
            await asyncio.wait([ended], timeout=self._with.patience.start)
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._with.patience.start):
                while not ended.done():
                    if await service.is_well():
                        return True
                    await asyncio.sleep(self._with.patience.look_every)
        return False

    def _report_well(self, service: Service) -> None:
        again = self._well[service.name].is_set()
        self._well[service.name].set()
        done = "done" if service.runs_once else "is back" if again else "ready"
        self._with.output.say(f"  {service.name:<22} {done:<8} {service.where}", "green")

    async def _pause(self, service: Service, code: int, failed_starts: int) -> None:
        patience = self._with.patience
        delay = min(patience.first_delay * 2**failed_starts, patience.longest_delay)
        self._with.output.say(
            f"  {service.name} ended ({_meaning(code)}); starting it again in {delay:g} s", "yellow"
        )
        await asyncio.sleep(delay)

    async def _stop_all(self) -> None:
        for service in reversed(self.plan):
            if service.name in self._running:
                process, ended = self._running[service.name]
                await process.stop()
                await ended
                self._forget(service)

    def _forget(self, service: Service) -> None:
        del self._running[service.name]
        (self._with.pids / f"{service.name}.pid").unlink(missing_ok=True)


def _meaning(code: int) -> str:
    """Return what an exit code says; negative ones are signals."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _obituary(service: Service, code: int, log: ProcessLog) -> str:
    last = "\n".join(f"    {line}" for line in log.last_lines)
    summary = f"{service.name} does not start ({_meaning(code)})."
    return f"{summary} Its last lines, from {log.path}:\n{last}"
