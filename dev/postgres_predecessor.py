"""Ends the server that a crash left on our data, and removes the traces of one that is gone."""

import asyncio
import contextlib
import os
import signal
from enum import Enum, auto
from pathlib import Path

import asyncpg

from dev.ports import HOST
from dev.postgres import OWNER, Cluster, connect

_LOOK_EVERY_SECONDS = 0.05
# How long a predecessor may take to get as far as listening, and to end.
_START_SECONDS = 10.0
_END_SECONDS = 60.0
# postmaster.pid: process id, data, start time, port, socket, address, shared memory, status.
_PORT_LINE = 3
_LINES_WHEN_LISTENING = 8


class PredecessorStaysError(Exception):
    """A server uses the data and does not end."""


class _Answer(Enum):
    OURS = auto()
    STARTING_OR_STOPPING = auto()
    NOT_OURS = auto()


async def end_predecessor(cluster: Cluster) -> None:
    """Make the data free for a new server.

    PostgreSQL refuses to start while postmaster.pid names a live process, and after a crash the
    number may belong to a stranger: only a server that knows our password and serves our data is
    stopped. The file of one that is still at work is never removed: a server whose file is gone
    shuts itself down, and one that ends removes whatever file is there. Raises
    `PredecessorStaysError`.
    """
    pid_file = cluster.data / "postmaster.pid"
    loop = asyncio.get_running_loop()
    started = loop.time()
    predecessor: int | None = None
    while lines := _lines(pid_file):
        pid, waited = int(lines[0]), loop.time() - started
        if waited > _END_SECONDS:
            raise PredecessorStaysError(f"process {pid} uses {cluster.data} and does not end")
        if not _is_alive(pid):
            pid_file.unlink(missing_ok=True)
        elif len(lines) >= _LINES_WHEN_LISTENING or waited > _START_SECONDS:
            answer = await _ask(cluster, lines)
            if answer is _Answer.OURS:
                _interrupt(pid)
            if answer is not _Answer.NOT_OURS:
                predecessor = pid
            elif pid != predecessor:
                pid_file.unlink(missing_ok=True)
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _lines(pid_file: Path) -> list[str]:
    """Return the file's lines, or none when it is gone or has not been written yet."""
    with contextlib.suppress(FileNotFoundError):
        return pid_file.read_text().splitlines()
    return []


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _interrupt(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)


async def _ask(cluster: Cluster, lines: list[str]) -> _Answer:
    """Ask the server that the file tells of whose data it serves."""
    port = lines[_PORT_LINE] if len(lines) > _PORT_LINE else "0"
    try:
        connection = await connect(
            f"postgresql://{OWNER}:{cluster.password}@{HOST}:{port}/postgres"
        )
    except asyncpg.CannotConnectNowError:
        return _Answer.STARTING_OR_STOPPING
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return _Answer.NOT_OURS
    try:
        served = await connection.fetchval("SELECT current_setting('data_directory')")
    finally:
        await connection.close()
    return _Answer.OURS if Path(served) == cluster.data else _Answer.NOT_OURS
