"""What our database holds after a story, read by its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

Rows = Sequence[dict[str, Any]]

# Only a superuser can, with the guards off: the application may delete nothing of this.
_FORGET_EVERYTHING = """
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM outbox;
DELETE FROM idempotency_keys;
DELETE FROM memberships;
DELETE FROM journal_lines;
DELETE FROM journal_entries;
DELETE FROM refund_attempts;
DELETE FROM refunds;
DELETE FROM captures;
DELETE FROM payment_audit_log;
DELETE FROM webhook_events;
DELETE FROM payment_attempts;
DELETE FROM creators_membership;
COMMIT;
"""
_QUERIES = {
    "payments": "SELECT id::text, user_id, new_tier, billing_cycle, status, amount, currency,"
    " review_reason, refunded_amount FROM creators_membership",
    "attempts": "SELECT payment_id::text, gateway, reference, outcome, next_check_at"
    " FROM payment_attempts",
    "captures": "SELECT id::text, payment_id::text, gateway, gateway_transaction_id, amount,"
    " currency, use, excess_amount FROM captures",
    "refunds": "SELECT id::text, payment_id::text, capture_id::text, amount, currency, status"
    " FROM refunds",
    "refund_attempts": "SELECT refund_id::text, gateway, reference, outcome, next_check_at"
    " FROM refund_attempts",
    "history": "SELECT payment_id::text, kind, action, from_status, to_status"
    " FROM payment_audit_log ORDER BY id",
    "memberships": "SELECT user_id, tier, payment_id::text FROM memberships",
    "lines": "SELECT entry_id::text, account, currency, amount FROM journal_lines",
    "facts": "SELECT payment_id::text, topic FROM outbox",
    "events": "SELECT id::text, status, next_try_at FROM webhook_events",
    "keys": "SELECT key, payment_id::text, response IS NULL AS unanswered FROM idempotency_keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Every row that a story can leave, by table."""

    payments: Rows
    attempts: Rows
    captures: Rows
    refunds: Rows
    refund_attempts: Rows
    history: Rows
    memberships: Rows
    lines: Rows
    facts: Rows
    events: Rows
    keys: Rows


async def read_records(owner: asyncpg.Connection) -> Records:
    """Read everything."""
    found = {name: await owner.fetch(query) for name, query in _QUERIES.items()}
    return Records(**{name: [dict(row) for row in rows] for name, rows in found.items()})


async def forget_everything(owner: asyncpg.Connection) -> None:
    """Empty the database. `owner`: a superuser's connection."""
    await owner.execute(_FORGET_EVERYTHING)


async def tidy(owner: asyncpg.Connection) -> None:
    """Clear away what forgetting left behind; without it, everything becomes slower."""
    await owner.execute("VACUUM")
