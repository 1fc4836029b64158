"""The PostgreSQL server of a test session, and fresh databases in it."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dev.postgres import connect
from dev.postgres_temporary import temporary_cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database with the schema and the price book.

    `owner_url`: for the role that owns the schema. `app_url`: for the application's role. Both as
    "postgresql://user:password@host:port/name".
    """

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseServer:
    """A server that tests may create databases in. The URLs name its maintenance database."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)

    def database(self, name: str) -> Database:
        """Return how to reach the database `name`."""
        return Database(
            owner_url=urlsplit(self.owner_url)._replace(path=f"/{name}").geturl(),
            app_url=urlsplit(self.app_url)._replace(path=f"/{name}").geturl(),
        )

    @asynccontextmanager
    async def temporary_database(self, template: str | None = None) -> AsyncIterator[str]:
        """Create a database, empty or as a clone of `template`, yield its name, and drop it."""
        name = f"test_{secrets.token_hex(6)}"
        # A file copy of the template takes half the time of a copy through the log.
        source = f'TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        await self._execute(f'CREATE DATABASE "{name}" {source}')
        try:
            yield name
        finally:
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await connect(self.owner_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def database_server() -> AsyncIterator[DatabaseServer]:
    """Yield the server named by DATABASE_OWNER_URL and DATABASE_URL, else an embedded one."""
    owner_url, app_url = os.environ.get("DATABASE_OWNER_URL"), os.environ.get("DATABASE_URL")
    if owner_url and app_url:
        yield DatabaseServer(owner_url=owner_url, app_url=app_url)
        return
    async with temporary_cluster() as cluster:
        yield DatabaseServer(
            owner_url=cluster.owner_url("postgres"), app_url=cluster.app_url("postgres")
        )
