"""Lanes that tests try points on, each with a database of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from proofs.crash.lane import Lane, open_lane
from tests.databases import DatabaseServer

_LANES = 2


@pytest.fixture(scope="package")
async def killing_lanes(
    postgres: DatabaseServer, database_template: str
) -> AsyncIterator[list[Lane]]:
    """Open lanes that kill processes."""
    async with _lanes(postgres, database_template, cuts=False) as lanes:
        yield lanes


@pytest.fixture(scope="package")
async def cutting_lanes(
    postgres: DatabaseServer, database_template: str
) -> AsyncIterator[list[Lane]]:
    """Open lanes that lose the replies to commits."""
    async with _lanes(postgres, database_template, cuts=True) as lanes:
        yield lanes


@asynccontextmanager
async def _lanes(server: DatabaseServer, template: str, *, cuts: bool) -> AsyncIterator[list[Lane]]:
    async with AsyncExitStack() as stack:
        lanes: list[Lane] = []
        for _ in range(_LANES):
            name = await stack.enter_async_context(server.temporary_database(template))
            urls = server.database(name)
            lane = open_lane(urls.owner_url, urls.app_url, cuts=cuts)
            lanes.append(await stack.enter_async_context(lane))
        yield lanes
