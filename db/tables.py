"""The tables as the repositories query them; a test compares them with the migrations."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

_TIME = DateTime(timezone=True)
_PAYMENT_ID = "creators_membership.id"

creators_membership = Table(
    "creators_membership",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("new_tier", Text, nullable=False),
    Column("previous_tier", Text, nullable=False),
    Column("billing_cycle", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("price_book_version", Integer, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_option", Text, nullable=False),
    Column("mobile_money_network", Text, nullable=False),
    Column("customer", JSONB, nullable=False),
    Column("return_url", Text, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("gateway_reference", Text, nullable=False),
    Column("gateway_transaction_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("next_action_kind", Text, nullable=False),
    Column("next_action_value", Text, nullable=False),
    Column("next_action_expires_at", _TIME),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("failed_at", _TIME),
    Column("refunded_amount", Numeric, nullable=False),
    Column("review_reason", Text),
    Column("verification_count", Integer, nullable=False),
    Column("last_verified_at", _TIME),
    Column("webhook_count", Integer, nullable=False),
    Column("webhook_received_at", _TIME),
    Column("idempotency_key", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Column("completed_at", _TIME),
)

payment_attempts = Table(
    "payment_attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("payment_id", Uuid, ForeignKey(_PAYMENT_ID), nullable=False),
    Column("number", Integer, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("gateway_transaction_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("failed_at", _TIME),
    Column("surplus_amount", Numeric),
    Column("surplus_currency", Text),
    Column("expires_at", _TIME),
    Column("next_check_at", _TIME),
    Column("checks", Integer, nullable=False),
    Column("lease_token", BigInteger, nullable=False),
    Column("lease_until", _TIME),
    Column("created_at", _TIME, nullable=False),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("gateway_transaction_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("raw_body", LargeBinary, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("received_at", _TIME, nullable=False),
    Column("duplicate_count", Integer, nullable=False),
    Column("last_duplicate_at", _TIME),
    Column("payment_id", Uuid, ForeignKey(_PAYMENT_ID)),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", _TIME),
    Column("note", Text, nullable=False),
    Column("processed_at", _TIME),
    Column("lease_token", BigInteger, nullable=False),
    Column("lease_until", _TIME),
)

payment_audit_log = Table(
    "payment_audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("payment_id", Uuid, ForeignKey(_PAYMENT_ID), nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("from_status", Text),
    Column("to_status", Text),
    Column("reason", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("tier", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("billing_cycle", Text),
    Column("current_period_start", _TIME),
    Column("current_period_end", _TIME),
    Column("payment_id", Uuid, ForeignKey(_PAYMENT_ID)),
    Column("updated_at", _TIME, nullable=False),
)

price_book = Table(
    "price_book",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content_sha256", LargeBinary, nullable=False),
    Column("published_at", _TIME, nullable=False),
)

price_book_tiers = Table(
    "price_book_tiers",
    metadata,
    Column("version", Integer, ForeignKey("price_book.version"), primary_key=True),
    Column("tier", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("features", JSONB, nullable=False),
)

price_book_prices = Table(
    "price_book_prices",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("tier", Text, primary_key=True),
    Column("billing_cycle", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("amount", Numeric, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("owner", Uuid, nullable=False),
    Column("lease_until", _TIME, nullable=False),
    Column("payment_id", Uuid, nullable=False),
    Column("response", LargeBinary),
    Column("created_at", _TIME, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("payment_id", Uuid, ForeignKey(_PAYMENT_ID), nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("published_at", _TIME),
)
