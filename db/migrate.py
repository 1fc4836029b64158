"""Brings a database up to date: the application's role, the tables, the price book."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from db.engine import DatabaseOptions, open_engine
from db.price_book import SEED, publish
from kit.clock import Clock, SystemClock

_ALEMBIC_INI = Path(__file__).parent / "alembic.ini"
# Serialises concurrent migrations; the number is arbitrary and only has to stay the same.
_MIGRATION_LOCK = 5_318_008_154


class RolesError(Exception):
    """The two database addresses do not name two different roles of one database."""


async def migrate(owner_url: str, app_url: str, clock: Clock | None = None) -> None:
    """Migrate to the newest revision, publish the price book, and admit the application's role.

    `owner_url`: the role that owns the tables. `app_url`: the role that the services use; it is
    created when it is missing and gets the rights of "payments_app", never ownership. Safe to
    repeat and to run at the same time twice. Raises `RolesError` and `PriceBookError`.
    """
    owner, app = make_url(owner_url), make_url(app_url)
    if not app.username or owner.username == app.username:
        raise RolesError("DATABASE_URL must name another role than DATABASE_OWNER_URL")
    engine = open_engine(DatabaseOptions(url=owner_url, pool_size=1))
    try:
        async with engine.begin() as connection:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
            )
            await connection.run_sync(_upgrade)
            await _admit(connection, app)
            now = (clock or SystemClock()).now()
            await publish(connection, SEED.read_text(encoding="utf-8"), now)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config(str(_ALEMBIC_INI))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _admit(connection: AsyncConnection, app: URL) -> None:
    """Create the login role of the services when it is missing, and grant it its rights."""
    known = await connection.execute(
        text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": app.username}
    )
    if known.first() is None:
        await _run_formatted(
            connection, "CREATE ROLE %I LOGIN PASSWORD %L", app.username, app.password
        )
    await _run_formatted(connection, "GRANT payments_app TO %I", app.username)


async def _run_formatted(connection: AsyncConnection, template: str, *values: Any) -> None:
    """Run a statement that takes no parameters, with the server doing the quoting."""
    names = ", ".join(f"CAST(:v{index} AS text)" for index in range(len(values)))
    formatted = await connection.execute(
        text(f"SELECT format('{template}', {names})"),
        {f"v{index}": value for index, value in enumerate(values)},
    )
    await connection.exec_driver_sql(formatted.scalar_one())
