"""A throw-away PostgreSQL for a test session."""

import asyncio
import contextlib
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from dev.accounts import account_for_postgres
from dev.checkout import Checkout
from dev.ports import first_free_port
from dev.postgres import Cluster
from dev.postgres_install import find_installation
from dev.postgres_setup import (
    PostgresFailedError,
    initialise,
    kept_password,
)
from dev.processes import RunningProcess
from dev.watchdog import Watchdog

_LOOK_EVERY_SECONDS = 0.02
_START_SECONDS = 60.0
_LOG_LINES = 40
# Below the ports that the system gives to outgoing connections; parallel sessions start apart.
_LOWEST_PORT, _PORT_RANGE = 16_000, 12_000


@asynccontextmanager
async def temporary_cluster() -> AsyncIterator[Cluster]:
    """Run a cluster for tests, fast and forgetful; nothing is left when the context ends.

    Raises `PostgresFailedError`, `NoPostgresError`, `NoAccountError` or `ForeignFolderError`.
    """
    account = account_for_postgres()
    folder = gettempdir()
    if account and not account.may_enter(Path(folder)):
        folder = "/var/tmp"  # noqa: S108 - mkdtemp makes a fresh private folder in it
    home = Path(mkdtemp(prefix="creator-payments-test-", dir=folder))
    if account:
        os.chown(home, account.uid, account.gid)
    try:
        cluster = Cluster(
            installation=await find_installation(account, Checkout().programs),
            account=account,
            home=home,
            port=first_free_port(_LOWEST_PORT + os.getpid() % _PORT_RANGE),
            durable=False,
            password=kept_password(home / "owner.password", account),
            app_password=kept_password(home / "application.password", account),
        )
        await initialise(cluster)
        async with running(cluster):
            yield cluster
    finally:
        await asyncio.to_thread(shutil.rmtree, home)


@asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[RunningProcess]:
    """Run a set-up cluster while the context lasts; a kill -9 of this process stops it too.

    Raises `PostgresFailedError` with the end of the server's log when it does not start.
    """
    log: deque[str] = deque(maxlen=_LOG_LINES)
    watchdog = Watchdog()
    await watchdog.start()
    server, ended = await RunningProcess.start(cluster.command(), watchdog, log.append)
    try:
        if not await _becomes_ready(cluster, ended):
            raise PostgresFailedError("PostgreSQL did not start:\n" + "\n".join(log))
        yield server
    finally:
        await server.stop()
        await ended
        await watchdog.close()


async def _becomes_ready(cluster: Cluster, ended: asyncio.Task[int]) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while not ended.done():
                if await cluster.is_ready():
                    return True
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return False
