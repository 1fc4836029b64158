"""Money that was taken before captures and a journal were kept is on record after the migration."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from services.payments.domain.captures import CaptureUse
from services.payments.domain.ledger import REVENUE, SURPLUS, clearing
from services.payments.domain.membership import period_end
from services.payments.domain.payment import BillingCycle
from services.payments.domain.refunds import RefundAttemptOutcome, RefundPurpose, RefundStatus
from services.payments.ports import Work
from tests.database.conftest import connected, opened
from tests.database.revisions import downgrade, upgrade
from tests.database.rows import move
from tests.databases import Database, DatabaseServer
from tests.unit.factories import NOW

_PAYMENT = """
INSERT INTO creators_membership (id, user_id, new_tier, previous_tier, billing_cycle, amount,
    currency, price_book_version, payment_method, customer, return_url, status, idempotency_key,
    version, created_at, updated_at)
VALUES ($1, $2, 'pro', 'free', 'monthly', 499.50, 'KES', 1, 'card', '{"email": "a@b.example"}',
    'https://creators.example/return', 'pending', 'key', 1, $3, $3)
"""
_ATTEMPT = """
INSERT INTO payment_attempts (id, payment_id, number, gateway, reference, gateway_transaction_id,
    sender, flow, outcome, amount, currency, surplus_amount, surplus_currency, created_at)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, 'server', 'hosted', $6, 499.50, 'KES', $7, $8, $9)
"""
_BOUGHT = """
UPDATE creators_membership SET gateway = 'eversend', gateway_reference = $2, completed_at = $3
WHERE id = $1
"""
_MEMBERSHIP = """
INSERT INTO memberships VALUES ($1, 'pro', 'active', 'monthly', $2, $3, $4, $2)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A payment as the first revision knows it; the attempts' last is the one that bought it."""

    id: UUID
    owner: asyncpg.Connection

    @classmethod
    async def begun(cls, owner: asyncpg.Connection, at: datetime = NOW) -> "Earlier":
        payment_id = uuid4()
        await owner.execute(_PAYMENT, payment_id, f"member-{payment_id}", at)
        return cls(id=payment_id, owner=owner)

    async def attempt(
        self,
        reference: str,
        outcome: str,
        *,
        transaction_id: str = "",
        surplus: tuple[str, str] | None = None,
    ) -> None:
        number = 1 + await self.owner.fetchval(
            "SELECT count(*) FROM payment_attempts WHERE payment_id = $1", self.id
        )
        amount, currency = surplus or (None, None)
        await self.owner.execute(
            _ATTEMPT,
            self.id,
            number,
            "eversend",
            reference,
            transaction_id,
            outcome,
            Decimal(amount) if amount else None,
            currency,
            NOW,
        )

    async def became(self, *statuses: str) -> None:
        for status in statuses:
            await move(self.owner, self.id, status)

    async def bought_with(self, reference: str, at: datetime = NOW) -> None:
        await self.became("processing", "completed")
        await self.owner.execute(_BOUGHT, self.id, reference, at)

    async def granted(self, start: datetime, end: datetime) -> None:
        await self.owner.execute(_MEMBERSHIP, f"member-{self.id}", start, end, self.id)


@pytest.fixture
async def first(postgres: DatabaseServer) -> AsyncIterator[Database]:
    """Yield a database at the first revision."""
    async with postgres.temporary_database() as name:
        database = postgres.database(name)
        await upgrade(database.owner_url, "0001")
        yield database


@pytest.fixture
async def before(first: Database) -> AsyncIterator[asyncpg.Connection]:
    async with connected(first.owner_url) as owner:
        yield owner


@pytest.fixture
async def earlier(before: asyncpg.Connection, first: Database) -> dict[str, Earlier]:
    """Store every story of money that the first revision can tell, then migrate."""
    stories = {
        name: await Earlier.begun(before)
        for name in ("exact", "too much", "cancelled", "twice", "failed", "open", "unnamed")
    }
    await stories["exact"].attempt("cp1", "succeeded", transaction_id="tx-1")
    await stories["exact"].bought_with("cp1")
    await stories["too much"].attempt(
        "cp2", "succeeded", transaction_id="tx-2", surplus=("0.50", "KES")
    )
    await stories["too much"].bought_with("cp2")
    await stories["cancelled"].attempt(
        "cp3", "succeeded", transaction_id="tx-3", surplus=("35000", "UGX")
    )
    await stories["cancelled"].became("cancelled")
    await stories["twice"].attempt(
        "cp4", "succeeded", transaction_id="tx-4", surplus=("499.50", "KES")
    )
    await stories["twice"].attempt("cp5", "succeeded", transaction_id="tx-5")
    await stories["twice"].bought_with("cp5")
    await stories["failed"].attempt("cp6", "rejected", transaction_id="tx-6")
    await stories["failed"].became("failed")
    await stories["open"].attempt("cp7", "live")
    await stories["open"].became("processing")
    await stories["unnamed"].attempt("cp8", "succeeded")
    await stories["unnamed"].bought_with("cp8")
    await upgrade(first.owner_url, "head")
    return stories


@pytest.fixture
async def work(earlier: dict[str, Earlier], first: Database) -> AsyncIterator[Work]:
    """Open a unit of work on the migrated database, as the services would."""
    assert earlier
    async with opened(first.owner_url) as engine, PostgresStorage(engine).work() as unit:
        yield unit


CAPTURED = {
    "exact": [("kept", "KES 499.50", "KES 0.00", "tx-1")],
    "too much": [("kept", "KES 500.00", "KES 0.50", "tx-2")],
    "cancelled": [("surplus", "UGX 35,000", "UGX 35,000", "tx-3")],
    "twice": [
        ("kept", "KES 499.50", "KES 0.00", "tx-5"),
        ("surplus", "KES 499.50", "KES 499.50", "tx-4"),
    ],
    "failed": [],
    "open": [],
    "unnamed": [("kept", "KES 499.50", "KES 0.00", "cp8")],
}


async def test_every_success_is_a_capture_that_counts_as_it_did(
    earlier: dict[str, Earlier], work: Work
) -> None:
    found = {}
    for name, story in earlier.items():
        captures = await work.captures.of_payment(story.id)
        found[name] = sorted(
            (each.use, str(each.amount), str(each.excess), each.gateway_transaction_id)
            for each in captures
        )
        attempts = {each.id for each in await work.attempts.of_payment(story.id)}
        assert {each.attempt_id for each in captures} <= attempts
        assert {each.fee for each in captures} <= {None}
    assert found == CAPTURED


async def test_all_of_it_is_in_the_journal(earlier: dict[str, Earlier], work: Work) -> None:
    for name, story in earlier.items():
        entries = await work.ledger.of_payment(story.id)
        assert len(entries) == len(CAPTURED[name])
        for entry in entries:
            assert sum(line.amount.minor for line in entry.lines) == 0
    held = {
        account: [str(each) for each in await work.ledger.balances(account)]
        for account in (clearing("eversend"), REVENUE, SURPLUS)
    }
    assert held == {
        "clearing:eversend": ["KES 2,498.00", "UGX 35,000"],
        "revenue:memberships": ["KES -1,998.00"],
        "liability:surplus": ["KES -500.00", "UGX -35,000"],
    }


async def test_what_nobody_needed_goes_back_once_and_now(
    earlier: dict[str, Earlier], work: Work
) -> None:
    refunds = {
        name: list(await work.refunds.of_payment(story.id)) for name, story in earlier.items()
    }
    amounts = {name: [str(each.amount) for each in made] for name, made in refunds.items() if made}
    assert amounts == {
        "too much": ["KES 0.50"],
        "cancelled": ["UGX 35,000"],
        "twice": ["KES 499.50"],
    }
    made = [refund for each in refunds.values() for refund in each]
    for refund in made:
        assert (refund.purpose, refund.status) == (RefundPurpose.SURPLUS, RefundStatus.PENDING)
    due = await work.refund_attempts.claim_due(
        max(refund.created_at for refund in made), timedelta(minutes=1), 10
    )
    assert {attempt.refund_id for attempt in due} == {refund.id for refund in made}
    assert {attempt.outcome for attempt in due} == {RefundAttemptOutcome.RECORDED}
    references = {attempt.reference for attempt in due}
    assert len(references) == len(due) == 3
    for reference in references:
        assert reference.isalnum()
        assert reference.islower()
        assert len(reference) == 26


async def test_attempts_go_on_as_they_were(earlier: dict[str, Earlier], work: Work) -> None:
    (attempt,) = await work.attempts.of_payment(earlier["open"].id)
    assert (attempt.outcome, attempt.round, attempt.sent_at) == ("live", 1, attempt.created_at)
    assert (attempt.absence.count, attempt.action_state) == (0, "")


async def test_money_that_is_reported_again_after_the_migration_is_on_record_already(
    earlier: dict[str, Earlier], work: Work
) -> None:
    (kept,) = await work.captures.of_payment(earlier["exact"].id)
    assert await work.captures.by_transaction_id("eversend", "tx-1") == kept
    assert kept.use is CaptureUse.KEPT


async def test_a_first_purchase_has_the_period_that_it_granted(
    first: Database, before: asyncpg.Connection
) -> None:
    bought, end = NOW - timedelta(days=3), period_end(NOW - timedelta(days=3), BillingCycle.MONTHLY)
    story = await Earlier.begun(before)
    await story.attempt("cp1", "succeeded", transaction_id="tx-1")
    await story.bought_with("cp1", bought)
    await story.granted(bought, end)
    await upgrade(first.owner_url, "head")
    row = await before.fetchrow("SELECT * FROM creators_membership WHERE id = $1", story.id)
    assert (row["period_start"], row["period_end"]) == (bought, end)


async def test_an_extension_has_the_time_that_it_added(
    first: Database, before: asyncpg.Connection
) -> None:
    began = NOW - timedelta(days=28)
    first_end = period_end(began, BillingCycle.MONTHLY)
    second_end = period_end(first_end, BillingCycle.MONTHLY)
    story = await Earlier.begun(before)
    await story.attempt("cp1", "succeeded", transaction_id="tx-1")
    await story.bought_with("cp1", NOW)
    await story.granted(began, second_end)
    await upgrade(first.owner_url, "head")
    row = await before.fetchrow("SELECT * FROM creators_membership WHERE id = $1", story.id)
    assert (row["period_start"], row["period_end"]) == (first_end, second_end)


async def test_a_payment_that_bought_nothing_has_no_period(
    earlier: dict[str, Earlier], before: asyncpg.Connection
) -> None:
    rows = await before.fetch("SELECT id FROM creators_membership WHERE period_end IS NULL")
    unpaid = {earlier[name].id for name in ("cancelled", "failed", "open")}
    assert {row["id"] for row in rows} == unpaid


async def test_the_migrations_can_be_undone_and_applied_again_without_refunding_twice(
    earlier: dict[str, Earlier], first: Database, before: asyncpg.Connection
) -> None:
    await downgrade(first.owner_url, "0001")
    columns = await before.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'payment_attempts'"
    )
    assert {"surplus_amount", "surplus_currency"} <= {row["column_name"] for row in columns}
    assert await before.fetchval("SELECT count(*) FROM payment_attempts") == 8
    await upgrade(first.owner_url, "head")
    assert await before.fetchval("SELECT count(*) FROM refunds") == 0
    kept = await before.fetchval("SELECT count(*) FROM captures WHERE use = 'kept'")
    assert kept == sum(each[0] == "kept" for rows in CAPTURED.values() for each in rows)
    assert await before.fetchval("SELECT count(*) FROM creators_membership") == len(earlier)


async def test_an_empty_database_can_be_migrated_back_to_nothing(first: Database) -> None:
    await upgrade(first.owner_url, "head")
    await downgrade(first.owner_url, "base")
    async with connected(first.owner_url) as owner:
        left = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        functions = await owner.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
    assert [row["tablename"] for row in left] == ["alembic_version"]
    assert functions == []
