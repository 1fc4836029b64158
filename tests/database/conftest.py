"""Connections of both roles to the test's own database, and storage on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from tests.databases import Database


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the role that owns the tables."""
    async with connected(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def app(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the role that the services use."""
    async with connected(database.app_url) as connection:
        yield connection


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(DatabaseOptions(url=database.app_url))
    yield opened
    await opened.dispose()


@pytest.fixture
def storage(engine: AsyncEngine) -> PostgresStorage:
    return PostgresStorage(engine)
