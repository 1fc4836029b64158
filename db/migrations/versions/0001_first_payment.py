"""The tables of the first payment, their guards, and what the application's role may do."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PAYMENTS = """
CREATE TABLE creators_membership (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    new_tier text NOT NULL,
    previous_tier text NOT NULL,
    billing_cycle text NOT NULL CHECK (billing_cycle IN ('monthly', 'annual')),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    price_book_version integer NOT NULL,
    payment_method text NOT NULL CHECK (payment_method IN ('card', 'mobile_money', 'express')),
    payment_option text NOT NULL DEFAULT '',
    mobile_money_network text NOT NULL DEFAULT '',
    customer jsonb NOT NULL,
    return_url text NOT NULL,
    gateway text NOT NULL DEFAULT '',
    gateway_reference text NOT NULL DEFAULT '',
    gateway_transaction_id text NOT NULL DEFAULT '',
    status text NOT NULL,
    next_action_kind text NOT NULL DEFAULT 'none',
    next_action_value text NOT NULL DEFAULT '',
    next_action_expires_at timestamptz,
    error_code text,
    error_message text,
    failed_at timestamptz,
    refunded_amount numeric NOT NULL DEFAULT 0
        CHECK (refunded_amount >= 0 AND refunded_amount <= amount),
    review_reason text,
    verification_count integer NOT NULL DEFAULT 0,
    last_verified_at timestamptz,
    webhook_count integer NOT NULL DEFAULT 0,
    webhook_received_at timestamptz,
    idempotency_key text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    CHECK ((error_code IS NULL) = (failed_at IS NULL)),
    CHECK (status <> 'completed' OR completed_at IS NOT NULL)
);
-- Business uniqueness: with or without an idempotency key, a member pays once for one thing.
CREATE UNIQUE INDEX creators_membership_one_open ON creators_membership
    (user_id, new_tier, billing_cycle) WHERE status IN ('pending', 'processing');
CREATE INDEX creators_membership_newest ON creators_membership (created_at DESC, id DESC);
CREATE INDEX creators_membership_of_user ON creators_membership
    (user_id, created_at DESC, id DESC);
"""

ATTEMPTS = """
CREATE TABLE payment_attempts (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    number integer NOT NULL CHECK (number > 0),
    gateway text NOT NULL,
    reference text NOT NULL,
    gateway_transaction_id text NOT NULL DEFAULT '',
    sender text NOT NULL,
    flow text NOT NULL CHECK (flow IN ('hosted', 'prompt')),
    outcome text NOT NULL CHECK (outcome IN ('sending', 'live', 'unknown', 'succeeded',
        'rejected', 'cancelled', 'expired', 'undelivered')),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    link text NOT NULL DEFAULT '',
    error_code text,
    error_message text,
    failed_at timestamptz,
    surplus_amount numeric,
    surplus_currency text,
    expires_at timestamptz,
    next_check_at timestamptz,
    checks integer NOT NULL DEFAULT 0,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (gateway, reference),
    UNIQUE (payment_id, number)
);
-- At most one attempt of a payment may be able to take money.
CREATE UNIQUE INDEX payment_attempts_one_unsettled ON payment_attempts (payment_id)
    WHERE outcome IN ('sending', 'live', 'unknown');
CREATE INDEX payment_attempts_due ON payment_attempts (next_check_at)
    WHERE next_check_at IS NOT NULL;
CREATE INDEX payment_attempts_sending ON payment_attempts (sender) WHERE outcome = 'sending';
CREATE INDEX payment_attempts_transaction ON payment_attempts (gateway, gateway_transaction_id)
    WHERE gateway_transaction_id <> '';
"""

EVENTS = """
CREATE TABLE webhook_events (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    reference text NOT NULL,
    gateway_transaction_id text NOT NULL,
    status text NOT NULL DEFAULT 'received'
        CHECK (status IN ('received', 'processed', 'unattributed')),
    headers jsonb NOT NULL,
    raw_body bytea NOT NULL,
    request_id text NOT NULL,
    received_at timestamptz NOT NULL,
    duplicate_count integer NOT NULL DEFAULT 0,
    last_duplicate_at timestamptz,
    payment_id uuid REFERENCES creators_membership (id),
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    note text NOT NULL DEFAULT '',
    processed_at timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    UNIQUE (source, event_id)
);
CREATE INDEX webhook_events_due ON webhook_events (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX webhook_events_of_payment ON webhook_events (payment_id);
"""

AUDIT = """
CREATE TABLE payment_audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    kind text NOT NULL CHECK (kind IN ('request', 'attempt', 'event', 'check', 'move', 'effect')),
    actor text NOT NULL,
    action text NOT NULL,
    from_status text,
    to_status text,
    reason text NOT NULL,
    rule text NOT NULL,
    details jsonb NOT NULL,
    request_id text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX payment_audit_log_of_payment ON payment_audit_log (payment_id, id);
"""

MEMBERSHIPS = """
CREATE TABLE memberships (
    user_id text PRIMARY KEY,
    tier text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'past_due', 'cancelled', 'expired')),
    billing_cycle text CHECK (billing_cycle IN ('monthly', 'annual')),
    current_period_start timestamptz,
    current_period_end timestamptz,
    payment_id uuid REFERENCES creators_membership (id),
    updated_at timestamptz NOT NULL,
    CHECK (current_period_end > current_period_start)
);
CREATE TABLE price_book (
    version integer PRIMARY KEY,
    content_sha256 bytea NOT NULL,
    published_at timestamptz NOT NULL
);
CREATE TABLE price_book_tiers (
    version integer NOT NULL REFERENCES price_book (version),
    tier text NOT NULL,
    display_name text NOT NULL,
    rank integer NOT NULL,
    features jsonb NOT NULL,
    PRIMARY KEY (version, tier)
);
CREATE TABLE price_book_prices (
    version integer NOT NULL,
    tier text NOT NULL,
    billing_cycle text NOT NULL CHECK (billing_cycle IN ('monthly', 'annual')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    PRIMARY KEY (version, tier, billing_cycle, currency),
    FOREIGN KEY (version, tier) REFERENCES price_book_tiers (version, tier)
);
"""

KEYS_AND_OUTBOX = """
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    user_id text NOT NULL,
    method text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    owner uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    payment_id uuid NOT NULL,
    response bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, user_id, method, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
"""

# The same table as TRANSITIONS in services/payments/domain/states.py; a test compares them.
PAYMENT_GUARD = """
CREATE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a payment begins as pending, not as %', NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('pending', 'processing'), ('pending', 'failed'), ('pending', 'cancelled'),
        ('pending', 'expired'),
        ('processing', 'completed'), ('processing', 'failed'), ('processing', 'cancelled'),
        ('processing', 'expired'),
        ('failed', 'processing'), ('failed', 'completed'),
        ('expired', 'processing'), ('expired', 'completed'),
        ('completed', 'partially_refunded'), ('completed', 'refunded'), ('completed', 'disputed'),
        ('partially_refunded', 'refunded'), ('partially_refunded', 'disputed'),
        ('disputed', 'completed'), ('disputed', 'partially_refunded'),
        ('disputed', 'charged_back'), ('disputed', 'refunded')
    ) THEN
        RAISE EXCEPTION 'illegal payment transition: % -> %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.version < OLD.version OR (NEW.status <> OLD.status AND NEW.version = OLD.version) THEN
        RAISE EXCEPTION 'a version never shrinks, and a transition is a new one'
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.id, NEW.user_id, NEW.new_tier, NEW.billing_cycle, NEW.amount, NEW.currency,
        NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.user_id, OLD.new_tier, OLD.billing_cycle, OLD.amount, OLD.currency,
        OLD.created_at) THEN
        RAISE EXCEPTION 'what was bought, by whom and for how much never changes'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_payment BEFORE INSERT OR UPDATE ON creators_membership
    FOR EACH ROW EXECUTE FUNCTION guard_payment();
"""

AUDIT_GUARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON payment_audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON payment_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_payments BEFORE DELETE ON creators_membership
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# payments_app is what the services may do, and nothing more; login roles are granted it.
RIGHTS = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_app') THEN
        CREATE ROLE payments_app NOLOGIN;
    END IF;
END $$;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO payments_app;
GRANT SELECT, INSERT, UPDATE ON creators_membership, payment_attempts, webhook_events,
    memberships, idempotency_keys, outbox TO payments_app;
GRANT DELETE ON idempotency_keys TO payments_app;
GRANT SELECT, INSERT ON payment_audit_log TO payments_app;
GRANT SELECT ON price_book, price_book_tiers, price_book_prices TO payments_app;
"""

_TABLES = (
    "outbox, idempotency_keys, price_book_prices, price_book_tiers, price_book, memberships,"
    " payment_audit_log, webhook_events, payment_attempts, creators_membership"
)


def upgrade() -> None:
    for script in (PAYMENTS, ATTEMPTS, EVENTS, AUDIT, MEMBERSHIPS, KEYS_AND_OUTBOX):
        _run(script)
    op.execute(PAYMENT_GUARD.split("CREATE TRIGGER", maxsplit=1)[0])
    op.execute("CREATE TRIGGER" + PAYMENT_GUARD.split("CREATE TRIGGER")[1])
    function, *triggers = AUDIT_GUARD.split("CREATE TRIGGER")
    op.execute(function)
    for trigger in triggers:
        op.execute("CREATE TRIGGER" + trigger)
    role, grants = RIGHTS.split("REVOKE", 1)
    op.execute(role)
    _run("REVOKE" + grants)


def downgrade() -> None:
    op.execute(f"DROP TABLE {_TABLES} CASCADE")
    op.execute("DROP FUNCTION guard_payment, refuse_change")


def _run(script: str) -> None:
    """Execute the statements of a script one by one: the driver takes one at a time."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)
