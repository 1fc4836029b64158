"""A database that is stopped without a checkpoint every few seconds, and started again."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from db.migrate import migrate
from dev.postgres import Cluster, connect
from dev.postgres_temporary import running, temporary_cluster

_LOOK_SECONDS = 0.02
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 1.5


@dataclass(slots=True, kw_only=True)
class RestartedDatabase:
    """A cluster with one migrated database. `restarts`: how often it was stopped and started."""

    cluster: Cluster
    restarts: int = 0
    _server: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def owner_url(self) -> str:
        """How to reach the database as a superuser."""
        return self.cluster.owner_url("postgres")

    @property
    def app_url(self) -> str:
        """How to reach the database as the application does."""
        return self.cluster.app_url("postgres")

    async def restart_until(
        self, over: asyncio.Event, seconds: float, chance: random.Random
    ) -> None:
        """Stop and start the server every `seconds` or so, until `over` is set."""
        while not over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(seconds / 2, seconds * 3 / 2)):
                    await over.wait()
                    return
            await self._stop_at_once()
            await asyncio.sleep(chance.uniform(_SHORTEST_PAUSE, _LONGEST_PAUSE))
            await self._server.aclose()
            await self._server.enter_async_context(running(self.cluster))
            self.restarts += 1

    async def close(self) -> None:
        """Stop the server that was started last."""
        await self._server.aclose()

    async def _stop_at_once(self) -> None:
        """Stop the server as `pg_ctl stop -m immediate` does: it recovers at its next start."""
        file = self.cluster.data / "postmaster.pid"
        os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
        while file.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def restarted_database() -> AsyncIterator[RestartedDatabase]:
    """Run a cluster whose commits survive an immediate stop, while the context lasts."""
    async with temporary_cluster() as cluster:
        database = RestartedDatabase(cluster=cluster)
        owner = await connect(database.owner_url)
        try:
            # The cluster is forgetful, to be fast. What is acknowledged here has to be in its log.
            await owner.execute("ALTER DATABASE postgres SET synchronous_commit = on")
        finally:
            await owner.close()
        await migrate(database.owner_url, database.app_url)
        try:
            yield database
        finally:
            await database.close()
