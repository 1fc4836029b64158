"""Migrating an empty database: once, again, from several processes at once, and with bad roles."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from db.migrate import RolesError, migrate
from tests.database.conftest import connected
from tests.databases import Database, DatabaseServer


@pytest.fixture
async def empty(postgres: DatabaseServer) -> AsyncIterator[Database]:
    async with postgres.temporary_database() as name:
        yield postgres.database(name)


async def counts(connection: asyncpg.Connection) -> tuple[int, ...]:
    """Return how many revisions, price books and guards of payments there are."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM alembic_version), (SELECT count(*) FROM price_book),"
        " (SELECT count(*) FROM pg_trigger WHERE tgname = 'guard_payment')"
    )
    return tuple(row)


async def test_migrating_again_changes_nothing(database: Database) -> None:
    async with connected(database.owner_url) as owner:
        before = await owner.fetch("SELECT * FROM price_book")
        await migrate(database.owner_url, database.app_url)
        assert await owner.fetch("SELECT * FROM price_book") == before
        assert await counts(owner) == (1, 1, 1)


async def test_processes_that_start_at_once_migrate_once(empty: Database) -> None:
    await asyncio.gather(*(migrate(empty.owner_url, empty.app_url) for _ in range(4)))
    async with connected(empty.owner_url) as owner:
        assert await counts(owner) == (1, 1, 1)


@pytest.mark.parametrize("app_url", ["the owner's", "nobody's"])
async def test_the_services_may_not_use_the_owners_role(empty: Database, app_url: str) -> None:
    nobody = urlsplit(empty.app_url)._replace(netloc="127.0.0.1").geturl()
    url = {"the owner's": empty.owner_url, "nobody's": nobody}[app_url]
    with pytest.raises(RolesError, match="another role"):
        await migrate(empty.owner_url, url)
    async with connected(empty.owner_url) as owner:
        assert await owner.fetch("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_missing_role_is_created_with_the_services_rights_and_any_password(
    database: Database,
) -> None:
    role, password = 'it\'s a "role"', "p'a%s \"w:ord"
    parts = urlsplit(database.app_url)
    netloc = f"{quote(role)}:{quote(password)}@{parts.hostname}:{parts.port}"
    app_url = parts._replace(netloc=netloc).geturl()
    async with connected(database.owner_url) as owner:
        try:
            await migrate(database.owner_url, app_url)
            app = await asyncpg.connect(app_url, timeout=5)
            try:
                assert await app.fetchval("SELECT count(*) FROM price_book") == 1
                assert await app.fetchval("SELECT current_user") == role
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute("DELETE FROM payment_audit_log")
            finally:
                await app.close()
        finally:
            await owner.execute('DROP ROLE IF EXISTS "it\'s a ""role"""')
