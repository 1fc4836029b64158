"""The PostgreSQL of a run: a throw-away cluster with one migrated database for each lane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.migrate import migrate
from dev.postgres import Cluster, connect
from dev.postgres_temporary import temporary_cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDatabase:
    """How to reach one database. `owner_url`: as a superuser. `app_url`: as the application."""

    owner_url: str
    app_url: str


@asynccontextmanager
async def lane_databases(count: int) -> AsyncIterator[list[LaneDatabase]]:
    """Run a cluster with `count` migrated databases while the context lasts."""
    async with temporary_cluster() as cluster:
        yield [await _migrated(cluster, f"lane_{number}") for number in range(1, count + 1)]


async def _migrated(cluster: Cluster, name: str) -> LaneDatabase:
    owner = await connect(cluster.owner_url("postgres"))
    try:
        await owner.execute(f'CREATE DATABASE "{name}"')
    finally:
        await owner.close()
    database = LaneDatabase(owner_url=cluster.owner_url(name), app_url=cluster.app_url(name))
    await migrate(database.owner_url, database.app_url)
    return database
