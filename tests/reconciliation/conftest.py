"""The reconciler on a database of its own, with gateways that list what they recorded."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from kit.request_scope import RequestScope, enter_scope
from kit.tasks import OwnedTasks
from services.payments.operations.dependencies import Dependencies
from services.payments.router import Router
from tests.databases import Database, DatabaseServer
from tests.operations.conftest import _FORGET_EVERYTHING, OFFERS, default_routing
from tests.operations.fakes import ManualClock, RecordingWakeups, SeededIds
from tests.operations.suite import Suite
from tests.operations.witness import Witness
from tests.reconciliation.listing import Books, ListingGateways
from tests.unit.factories import NOW

_FORGET_RECONCILIATIONS = """
DELETE FROM reconciliation_breaks;
DELETE FROM reconciliation_runs;
DELETE FROM settlement_lines;
DELETE FROM settlements;
"""


@pytest.fixture(scope="package")
async def emptied(postgres: DatabaseServer, database_template: str) -> AsyncIterator[Database]:
    """Clone one database for all tests here: emptying it takes a tenth of the time of cloning."""
    async with postgres.temporary_database(database_template) as name:
        yield postgres.database(name)


@pytest.fixture(scope="package")
async def engine(emptied: Database) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(DatabaseOptions(url=emptied.app_url))
    yield opened
    await opened.dispose()


@pytest.fixture(scope="package")
async def owner(emptied: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(emptied.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def books(engine: AsyncEngine, owner: asyncpg.Connection) -> AsyncIterator[Books]:
    """Open the operations on a database without a past; what they began is ended with them."""
    await owner.execute(_FORGET_RECONCILIATIONS)
    await owner.execute(_FORGET_EVERYTHING)
    enter_scope(RequestScope(request_id="tests", caller="operator"))
    clock, wakeups, witness = ManualClock(NOW), RecordingWakeups(), Witness(owner)
    gateways = ListingGateways(OFFERS, witness)
    deps = Dependencies(
        storage=PostgresStorage(engine),
        gateways=gateways,
        router=Router(gateways, default_routing()),
        clock=clock,
        ids=SeededIds(20260314),
        wakeups=wakeups,
        tasks=OwnedTasks(),
        sender="server",
    )
    suite = Suite(deps=deps, clock=clock, gateways=gateways, wakeups=wakeups, witness=witness)
    yield Books(suite=suite, lists=gateways)
    await deps.tasks.drain(0)
