"""Reconciliation: its runs, the breaks that they found, and the settlements of the gateways."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RUNS = """
CREATE TABLE reconciliation_runs (
    id uuid PRIMARY KEY,
    gateway text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    requested_by text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    compared_count integer NOT NULL DEFAULT 0 CHECK (compared_count >= 0),
    break_count integer NOT NULL DEFAULT 0 CHECK (break_count >= 0),
    healed_count integer NOT NULL DEFAULT 0 CHECK (healed_count >= 0),
    CHECK (period_start < period_end),
    CHECK (healed_count <= break_count)
);
CREATE INDEX reconciliation_runs_newest ON reconciliation_runs (gateway, started_at DESC);
CREATE TABLE reconciliation_breaks (
    id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES reconciliation_runs (id),
    last_run_id uuid NOT NULL REFERENCES reconciliation_runs (id),
    gateway text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('missing_here', 'missing_there', 'amount', 'currency',
        'fee', 'duplicate', 'status', 'late', 'refunded_there', 'chargeback', 'wrong_reference',
        'day_boundary')),
    subject text NOT NULL CHECK (subject IN ('charge', 'refund', 'chargeback', 'settlement')),
    gateway_transaction_id text NOT NULL CHECK (gateway_transaction_id <> ''),
    reference text NOT NULL,
    payment_id uuid REFERENCES creators_membership (id),
    summary text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'healed')),
    occurred_at timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    healed_at timestamptz,
    CHECK ((status = 'healed') = (healed_at IS NOT NULL)),
    -- Whatever runs how often: one difference is one row.
    UNIQUE (gateway, kind, subject, gateway_transaction_id)
);
CREATE INDEX reconciliation_breaks_newest ON reconciliation_breaks (found_at DESC, id DESC);
CREATE INDEX reconciliation_breaks_open ON reconciliation_breaks (gateway, occurred_at)
    WHERE status = 'open';
CREATE INDEX reconciliation_breaks_of_payment ON reconciliation_breaks (payment_id);
"""

SETTLEMENTS = """
CREATE TABLE settlements (
    id uuid PRIMARY KEY,
    gateway text NOT NULL,
    settlement_id text NOT NULL CHECK (settlement_id <> ''),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    net_amount numeric NOT NULL,
    gross_amount numeric NOT NULL,
    fees_amount numeric NOT NULL,
    refunds_amount numeric NOT NULL,
    chargebacks_amount numeric NOT NULL,
    settled_at timestamptz NOT NULL,
    imported_at timestamptz NOT NULL,
    UNIQUE (gateway, settlement_id)
);
CREATE TABLE settlement_lines (
    settlement_id uuid NOT NULL REFERENCES settlements (id),
    gateway_transaction_id text NOT NULL CHECK (gateway_transaction_id <> ''),
    gateway text NOT NULL,
    reference text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    gross_amount numeric NOT NULL,
    fee_amount numeric,
    PRIMARY KEY (settlement_id, gateway_transaction_id)
);
CREATE INDEX settlement_lines_of_transaction ON settlement_lines
    (gateway, gateway_transaction_id);
"""

# What a statement is compared by.
LOOK_UPS = """
CREATE INDEX refund_attempts_at_gateway ON refund_attempts (gateway, gateway_refund_id)
    WHERE gateway_refund_id <> '';
CREATE INDEX refund_attempts_by_time ON refund_attempts (gateway, sent_at, id)
    WHERE sent_at IS NOT NULL;
CREATE INDEX webhook_events_by_reference ON webhook_events (source, reference)
    WHERE reference <> '';
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON reconciliation_runs, reconciliation_breaks TO payments_app;
GRANT SELECT, INSERT ON settlements, settlement_lines TO payments_app;
"""

_TABLES = "settlement_lines, settlements, reconciliation_breaks, reconciliation_runs"
_INDEXES = "refund_attempts_at_gateway, refund_attempts_by_time, webhook_events_by_reference"


def upgrade() -> None:
    for script in (RUNS, SETTLEMENTS, LOOK_UPS, RIGHTS):
        _run(script)


def downgrade() -> None:
    op.execute(f"DROP TABLE {_TABLES}")
    op.execute(f"DROP INDEX {_INDEXES}")


def _run(script: str) -> None:
    """Execute the statements of a script one by one: the driver takes one at a time."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)
