"""The two stores that keep the promises: PostgreSQL, and the simulation's twin in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from proofs.simulation.storage import ConstraintViolationError, Database, TwinStorage
from services.payments.domain.pricing import PriceBook, Tier
from services.payments.ports import Storage
from tests.database.waiting import becomes_true
from tests.databases import DatabaseServer

_WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock')
"""
# Only the owner can, and only with the guards off: the application may delete nothing of this.
_FORGET_EVERYTHING = """
DO $$ DECLARE
    name text;
    names text[] := ARRAY(SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tablename <> 'alembic_version' AND NOT starts_with(tablename, 'price_book'));
BEGIN
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', name);
    END LOOP;
    EXECUTE 'TRUNCATE ' || array_to_string(names, ', ');
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', name);
    END LOOP;
END $$;
"""
_PRICES = PriceBook(version=1, tiers=(Tier(name="free", display_name="Free", rank=0, features=()),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One store under test.

    `refused`: what its own guards raise. `is_waited_in`: whether a unit of work waits for another.
    """

    storage: Storage
    refused: type[Exception]
    is_waited_in: Callable[[], Awaitable[bool]]

    async def somebody_waits(self) -> None:
        """Return as soon as a unit of work waits for another one to end."""
        await becomes_true(self.is_waited_in)


@pytest.fixture(params=["postgres_store", "twin_store"])
def store(request: pytest.FixtureRequest) -> Store:
    """Open each of the stores, without any rows."""
    opened: Store = request.getfixturevalue(request.param)
    return opened


@pytest.fixture
def storage(store: Store) -> Storage:
    return store.storage


@pytest.fixture
def twin_store() -> Store:
    database = Database(_PRICES)

    async def waited_in() -> bool:
        return any(unit.waits_for is not None for unit in database.open_units)

    return Store(
        storage=TwinStorage(database), refused=ConstraintViolationError, is_waited_in=waited_in
    )


@pytest.fixture(scope="package")
async def owner_and_engine(
    postgres: DatabaseServer, database_template: str
) -> AsyncIterator[tuple[asyncpg.Connection, AsyncEngine]]:
    """Clone one database for all tests here: emptying it takes less time than cloning."""
    async with postgres.temporary_database(database_template) as name:
        database = postgres.database(name)
        owner = await connect(database.owner_url)
        engine = open_engine(DatabaseOptions(url=database.app_url))
        yield owner, engine
        await engine.dispose()
        await owner.close()


@pytest.fixture
async def postgres_store(
    owner_and_engine: tuple[asyncpg.Connection, AsyncEngine],
) -> Store:
    owner, engine = owner_and_engine
    await owner.execute(_FORGET_EVERYTHING)

    async def waited_in() -> bool:
        waits: bool = await owner.fetchval(_WAITING)
        return waits

    return Store(storage=PostgresStorage(engine), refused=IntegrityError, is_waited_in=waited_in)
