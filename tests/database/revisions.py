"""Brings a database to one revision of the migrations, forwards or back."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

import db
from db.engine import DatabaseOptions, open_engine


async def upgrade(owner_url: str, revision: str) -> None:
    """Apply the migrations up to a revision."""
    await _run(owner_url, lambda config: command.upgrade(config, revision))


async def downgrade(owner_url: str, revision: str) -> None:
    """Undo the migrations after a revision."""
    await _run(owner_url, lambda config: command.downgrade(config, revision))


async def _run(owner_url: str, step: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = Config(str(Path(db.__file__).parent / "alembic.ini"))
        config.attributes["connection"] = connection
        step(config)

    engine = open_engine(DatabaseOptions(url=owner_url, pool_size=1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()
