"""The suite: one process's operations on a database of its own, two gateways, time at rest."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from kit.tasks import OwnedTasks
from services.payments.domain.attempts import Flow
from services.payments.domain.payment import PaymentMethod
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Capability, Routing
from services.payments.router import Router
from services.payments.settings import PaymentsSettings, parse_pairs
from tests.databases import Database, DatabaseServer
from tests.operations.books import broken_promises
from tests.operations.fakes import (
    ManualClock,
    RecordingWakeups,
    ScriptedGateways,
    SeededIds,
)
from tests.operations.suite import Suite
from tests.operations.witness import Witness
from tests.unit.described_gateways import offer
from tests.unit.factories import NOW

# Only the owner can, and only with the guards off: the application may delete nothing of this.
_FORGET_EVERYTHING = """
BEGIN;
ALTER TABLE journal_lines DISABLE TRIGGER USER;
ALTER TABLE journal_entries DISABLE TRIGGER USER;
ALTER TABLE refunds DISABLE TRIGGER USER;
ALTER TABLE captures DISABLE TRIGGER USER;
ALTER TABLE payment_audit_log DISABLE TRIGGER USER;
ALTER TABLE creators_membership DISABLE TRIGGER USER;
DELETE FROM outbox;
DELETE FROM idempotency_keys;
DELETE FROM memberships;
DELETE FROM payment_audit_log;
DELETE FROM webhook_events;
DELETE FROM journal_lines;
DELETE FROM journal_entries;
DELETE FROM refund_attempts;
DELETE FROM refunds;
DELETE FROM captures;
DELETE FROM payment_attempts;
DELETE FROM creators_membership;
ALTER TABLE journal_lines ENABLE TRIGGER USER;
ALTER TABLE journal_entries ENABLE TRIGGER USER;
ALTER TABLE refunds ENABLE TRIGGER USER;
ALTER TABLE captures ENABLE TRIGGER USER;
ALTER TABLE payment_audit_log ENABLE TRIGGER USER;
ALTER TABLE creators_membership ENABLE TRIGGER USER;
COMMIT;
"""
OFFERS: dict[str, list[Capability]] = {
    "eversend": [
        offer(PaymentMethod.CARD, "UGX"),
        offer(PaymentMethod.MOBILE_MONEY, "UGX", "UG", flow=Flow.PROMPT),
    ],
    "flutterwave": [
        offer(PaymentMethod.CARD, "UGX"),
        offer(PaymentMethod.MOBILE_MONEY, "UGX", "UG"),
        offer(PaymentMethod.EXPRESS, "UGX"),
        offer(PaymentMethod.EXPRESS, "NGN"),
    ],
}


def default_routing() -> Routing:
    """Return the preferences that the service has when nobody changes them."""
    pairs = parse_pairs(PaymentsSettings.model_fields["routing"].default)
    return Routing(
        preferences={PaymentMethod(method): names.split("+") for method, names in pairs.items()}
    )


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
async def suite(engine: AsyncEngine, owner: asyncpg.Connection) -> AsyncIterator[Suite]:
    """Open the operations on a database without a past; what they began is ended with them."""
    await owner.execute(_FORGET_EVERYTHING)
    clock, wakeups, witness = ManualClock(NOW), RecordingWakeups(), Witness(owner)
    gateways = ScriptedGateways(OFFERS, witness)
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
    yield Suite(deps=deps, clock=clock, gateways=gateways, wakeups=wakeups, witness=witness)
    await deps.tasks.drain(0)
    assert await broken_promises(witness) == []
