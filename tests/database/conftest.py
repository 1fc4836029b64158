"""Connections of both roles, and storage, on a database that the tests of one module share.

Tests that share it keep to members of their own; one that needs all rows for itself asks for
`database` and opens what it needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from tests.databases import Database, DatabaseServer


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(DatabaseOptions(url=url))
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture(scope="module")
async def shared_database(
    postgres: DatabaseServer, database_template: str
) -> AsyncIterator[Database]:
    async with postgres.temporary_database(database_template) as name:
        yield postgres.database(name)


@pytest.fixture(scope="module")
async def owner(shared_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the role that owns the tables."""
    async with connected(shared_database.owner_url) as connection:
        yield connection


@pytest.fixture(scope="module")
async def app(shared_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the role that the services use."""
    async with connected(shared_database.app_url) as connection:
        yield connection


@pytest.fixture(scope="module")
async def storage(shared_database: Database) -> AsyncIterator[PostgresStorage]:
    async with opened(shared_database.app_url) as engine:
        yield PostgresStorage(engine)


@pytest.fixture
async def own_storage(database: Database) -> AsyncIterator[PostgresStorage]:
    """Open storage on a database that has no other rows than the test's."""
    async with opened(database.app_url) as engine:
        yield PostgresStorage(engine)
