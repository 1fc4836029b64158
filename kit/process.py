"""The life of a process: settings, logs, event loop, signals, and an orderly end."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import uvloop

from kit.logs import configure_logs, get_logger
from kit.server import AddressInUseError
from kit.settings import ProcessSettings, SettingsError, load_settings, refuse_to_start

SettingsT = TypeVar("SettingsT", bound=ProcessSettings)

_log = get_logger(__name__)


def run_process(
    service: str,
    kind: type[SettingsT],
    serve: Callable[[SettingsT, asyncio.Event], Awaitable[None]],
    *,
    further_problems: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Load the settings of a process and serve until SIGTERM or SIGINT.

    `serve` builds the process, runs until the event is set, and closes what it opened.
    `further_problems` looks at the environment beyond the settings class. Bad settings end the
    process with every problem listed; a busy port with one line.
    """
    settings = _load_or_refuse(service, kind, further_problems())
    configure_logs(service, level=settings.log_level, form=settings.log_format)
    try:
        uvloop.run(_until_signalled(settings, serve))
    except AddressInUseError as error:
        sys.stderr.write(f"{service} cannot start: {error}\n")
        sys.exit(1)


def _load_or_refuse(service: str, kind: type[SettingsT], problems: Sequence[str]) -> SettingsT:
    try:
        settings = load_settings(kind)
    except SettingsError as error:
        refuse_to_start(service, SettingsError([*error.problems, *problems]))
    if problems:
        refuse_to_start(service, SettingsError(list(problems)))
    return settings


async def _until_signalled(
    settings: SettingsT, serve: Callable[[SettingsT, asyncio.Event], Awaitable[None]]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _log.info("starting", environment=settings.environment)
    await serve(settings, stop)
    _log.info("stopped")
