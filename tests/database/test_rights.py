"""What the application's role may do, and what not even the owner's role can do to history."""

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from services.payments.domain.audit import AuditEntry, AuditKind
from tests.database.rows import stored_payment
from tests.unit.factories import NOW

FORBIDDEN = {
    "change history": "UPDATE payment_audit_log SET reason = ''",
    "delete history": "DELETE FROM payment_audit_log",
    "empty history": "TRUNCATE payment_audit_log",
    "delete payments": "DELETE FROM creators_membership",
    "empty payments": "TRUNCATE creators_membership CASCADE",
    "delete attempts": "DELETE FROM payment_attempts",
    "delete captures": "DELETE FROM captures",
    "empty captures": "TRUNCATE captures CASCADE",
    "delete refunds": "DELETE FROM refunds",
    "delete attempts to refund": "DELETE FROM refund_attempts",
    "change the journal": "UPDATE journal_lines SET amount = -amount",
    "change what the journal says": "UPDATE journal_entries SET summary = ''",
    "delete of the journal": "DELETE FROM journal_lines",
    "delete entries of the journal": "DELETE FROM journal_entries",
    "empty the journal": "TRUNCATE journal_entries CASCADE",
    "take the journal's guard away": "DROP TRIGGER balanced ON journal_lines",
    "delete callbacks": "DELETE FROM webhook_events",
    "delete memberships": "DELETE FROM memberships",
    "delete facts": "DELETE FROM outbox",
    "add prices": "INSERT INTO price_book VALUES (99, '', now())",
    "change prices": "UPDATE price_book_prices SET amount = 1",
    "delete prices": "DELETE FROM price_book_prices",
    "switch a trigger off": "ALTER TABLE payment_audit_log DISABLE TRIGGER append_only",
    "switch all triggers off": "ALTER TABLE creators_membership DISABLE TRIGGER ALL",
    "drop a trigger": "DROP TRIGGER guard_payment ON creators_membership",
    "replace a guard": (
        "CREATE OR REPLACE FUNCTION guard_payment() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'"
    ),
    "act as a replica": "SET session_replication_role = replica",
    "become the owner": "SET ROLE payments_owner",
    "create a table": "CREATE TABLE public.mine (id integer)",
    "create a schema": "CREATE SCHEMA mine",
    "add a column": "ALTER TABLE creators_membership ADD COLUMN mine text",
    "drop a constraint": (
        "ALTER TABLE creators_membership DROP CONSTRAINT creators_membership_amount_check"
    ),
    "drop an index": "DROP INDEX creators_membership_one_open",
    "drop a table": "DROP TABLE outbox",
    "create a role": "CREATE ROLE mine SUPERUSER",
    "read files": "SELECT pg_read_file('/etc/passwd')",
    "run programs": "COPY (SELECT 1) TO PROGRAM 'true'",
}
TAMPERING = {
    "change": "UPDATE payment_audit_log SET reason = ''",
    "delete": "DELETE FROM payment_audit_log",
    "empty": "TRUNCATE payment_audit_log",
    "empty with what refers to it": "TRUNCATE creators_membership CASCADE",
    "delete the payment": "DELETE FROM creators_membership",
}


@pytest.fixture(scope="module", autouse=True)
async def history(storage: PostgresStorage) -> None:
    """Store a payment with a line of history, so that there is something to lose."""
    payment = await stored_payment(storage)
    line = AuditEntry(
        payment_id=payment.id,
        kind=AuditKind.REQUEST,
        actor="bff",
        action="payment_requested",
        reason="pro monthly",
        request_id="r-1",
        at=NOW,
    )
    async with storage.work() as work:
        await work.audit.append([line])


@pytest.mark.parametrize("statement", list(FORBIDDEN.values()), ids=list(FORBIDDEN))
async def test_the_applications_role_may_not(app: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(statement)


@pytest.mark.parametrize("statement", list(TAMPERING.values()), ids=list(TAMPERING))
async def test_not_even_the_owner_can_rewrite_history(
    owner: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
        await owner.execute(statement)
    assert await owner.fetchval("SELECT count(*) FROM payment_audit_log") == 1


async def test_the_applications_role_is_powerless_and_owns_nothing(
    app: asyncpg.Connection,
) -> None:
    powers = await app.fetchrow(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert not any(powers.values())
    owned = await app.fetch(
        "SELECT relname FROM pg_class WHERE pg_has_role(relowner, 'USAGE')"
        " UNION ALL SELECT proname FROM pg_proc WHERE pg_has_role(proowner, 'USAGE')"
        " UNION ALL SELECT nspname FROM pg_namespace WHERE pg_has_role(nspowner, 'USAGE')"
    )
    assert owned == []


async def test_the_applications_role_has_exactly_these_rights(app: asyncpg.Connection) -> None:
    rows = await app.fetch(
        "SELECT relname, string_agg(lower(left(name, 1)), '' ORDER BY number) AS rights"
        " FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
        " 'REFERENCES', 'TRIGGER']) WITH ORDINALITY AS may (name, number)"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND has_table_privilege(oid, name) GROUP BY relname"
    )
    assert {row["relname"]: row["rights"] for row in rows} == {
        "creators_membership": "siu",
        "payment_attempts": "siu",
        "webhook_events": "siu",
        "memberships": "siu",
        "idempotency_keys": "siud",
        "outbox": "siu",
        "payment_audit_log": "si",
        "captures": "siu",
        "refunds": "siu",
        "refund_attempts": "siu",
        "journal_entries": "si",
        "journal_lines": "si",
        "reconciliation_runs": "siu",
        "reconciliation_breaks": "siu",
        "settlements": "si",
        "settlement_lines": "si",
        "rate_limits": "siu",
        "price_book": "s",
        "price_book_tiers": "s",
        "price_book_prices": "s",
    }
