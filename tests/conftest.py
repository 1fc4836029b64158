"""Fixtures for every suite: a fresh, migrated PostgreSQL database for each test that asks."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import Database, DatabaseServer, database_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and those of a named group too."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[DatabaseServer]:
    """Run one server for the session (each pytest-xdist worker has its own)."""
    async with database_server() as server:
        yield server


@pytest.fixture(scope="session")
async def database_template(postgres: DatabaseServer) -> AsyncIterator[str]:
    """Migrate one database and return its name."""
    from db.migrate import migrate  # noqa: PLC0415 - suites without a database start faster

    async with postgres.temporary_database() as name:
        template = postgres.database(name)
        await migrate(template.owner_url, template.app_url)
        yield name


@pytest.fixture
async def database(postgres: DatabaseServer, database_template: str) -> AsyncIterator[Database]:
    """Give the test a database of its own: a clone of the template, dropped afterwards."""
    async with postgres.temporary_database(database_template) as name:
        yield postgres.database(name)
