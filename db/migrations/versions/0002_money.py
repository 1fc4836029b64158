"""Captures, refunds and the double-entry journal; retries of payments; quiet times."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE creators_membership
    ADD COLUMN period_start timestamptz,
    ADD COLUMN period_end timestamptz,
    ADD CHECK (period_end > period_start);
ALTER TABLE payment_attempts
    ADD COLUMN round integer NOT NULL DEFAULT 1 CHECK (round > 0),
    ADD COLUMN sent_at timestamptz,
    ADD COLUMN action_state text NOT NULL DEFAULT '',
    ADD COLUMN not_found_count integer NOT NULL DEFAULT 0,
    ADD COLUMN last_not_found_at timestamptz;
CREATE INDEX webhook_events_unattributed ON webhook_events (received_at, id)
    WHERE status = 'unattributed';
UPDATE payment_attempts SET sent_at = created_at;
ALTER TABLE payment_attempts ALTER COLUMN sent_at SET NOT NULL;
"""

CAPTURES = """
CREATE TABLE captures (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    attempt_id uuid NOT NULL REFERENCES payment_attempts (id),
    gateway text NOT NULL,
    gateway_transaction_id text NOT NULL CHECK (gateway_transaction_id <> ''),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    use text NOT NULL CHECK (use IN ('kept', 'surplus', 'held')),
    excess_amount numeric NOT NULL CHECK (excess_amount >= 0 AND excess_amount <= amount),
    fee_amount numeric CHECK (fee_amount >= 0),
    held_because text NOT NULL DEFAULT '',
    captured_at timestamptz NOT NULL,
    UNIQUE (gateway, gateway_transaction_id),
    CHECK (use <> 'surplus' OR excess_amount = amount),
    CHECK ((use = 'held') = (held_because <> ''))
);
-- A member pays once: one capture of a payment buys it, every other one goes back.
CREATE UNIQUE INDEX captures_one_kept ON captures (payment_id) WHERE use = 'kept';
CREATE INDEX captures_of_payment ON captures (payment_id);
CREATE INDEX captures_held ON captures (captured_at, id) WHERE use = 'held';
CREATE INDEX captures_by_time ON captures (gateway, captured_at);
"""

REFUNDS = """
CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    capture_id uuid NOT NULL REFERENCES captures (id),
    purpose text NOT NULL CHECK (purpose IN ('requested', 'surplus')),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text NOT NULL,
    requested_by text NOT NULL,
    gateway text NOT NULL,
    status text NOT NULL,
    error_code text,
    error_message text,
    failed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((error_code IS NULL) = (failed_at IS NULL))
);
CREATE INDEX refunds_of_payment ON refunds (payment_id);
CREATE INDEX refunds_of_capture ON refunds (capture_id);
CREATE INDEX refunds_failed ON refunds (created_at, id) WHERE status = 'failed';
CREATE TABLE refund_attempts (
    id uuid PRIMARY KEY,
    refund_id uuid NOT NULL REFERENCES refunds (id),
    payment_id uuid NOT NULL REFERENCES creators_membership (id),
    number integer NOT NULL CHECK (number > 0),
    gateway text NOT NULL,
    reference text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('recorded', 'sending', 'accepted', 'unknown',
        'succeeded', 'failed')),
    gateway_refund_id text NOT NULL DEFAULT '',
    error_code text,
    error_message text,
    failed_at timestamptz,
    sent_at timestamptz,
    next_check_at timestamptz,
    checks integer NOT NULL DEFAULT 0,
    not_found_count integer NOT NULL DEFAULT 0,
    last_not_found_at timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (gateway, reference),
    UNIQUE (refund_id, number),
    CHECK ((error_code IS NULL) = (failed_at IS NULL)),
    CHECK (outcome = 'recorded' OR sent_at IS NOT NULL OR outcome = 'failed')
);
-- At most one attempt of a refund may be able to send money.
CREATE UNIQUE INDEX refund_attempts_one_unsettled ON refund_attempts (refund_id)
    WHERE outcome IN ('recorded', 'sending', 'accepted', 'unknown');
CREATE INDEX refund_attempts_due ON refund_attempts (next_check_at)
    WHERE next_check_at IS NOT NULL;
"""

LEDGER = """
CREATE TABLE journal_entries (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('capture', 'fee', 'release', 'refund', 'refund_fee',
        'chargeback', 'settlement')),
    source text NOT NULL UNIQUE,
    payment_id uuid REFERENCES creators_membership (id),
    summary text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX journal_entries_of_payment ON journal_entries (payment_id);
CREATE TABLE journal_lines (
    entry_id uuid NOT NULL REFERENCES journal_entries (id),
    number integer NOT NULL CHECK (number > 0),
    account text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount numeric NOT NULL CHECK (amount <> 0 AND abs(amount) < 1e15),
    PRIMARY KEY (entry_id, number)
);
CREATE INDEX journal_lines_of_account ON journal_lines (account, currency);
"""

# Never more than was captured, whatever runs at once: the capture's row is the lock.
REFUND_GUARD = """
CREATE FUNCTION guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken record;
    going_back numeric;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
            ('pending', 'processing'), ('pending', 'succeeded'), ('pending', 'failed'),
            ('processing', 'succeeded'), ('processing', 'failed'),
            ('failed', 'pending'), ('failed', 'succeeded')
        ) THEN
            RAISE EXCEPTION 'illegal refund transition: % -> %', OLD.status, NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
        IF (NEW.id, NEW.payment_id, NEW.capture_id, NEW.amount, NEW.currency, NEW.gateway)
            IS DISTINCT FROM
           (OLD.id, OLD.payment_id, OLD.capture_id, OLD.amount, OLD.currency, OLD.gateway) THEN
            RAISE EXCEPTION 'what a refund returns never changes'
                USING ERRCODE = 'check_violation';
        END IF;
        -- Only one that counts again can make it too much; what succeeded late is a fact.
        IF NOT (OLD.status = 'failed' AND NEW.status = 'pending') THEN
            RETURN NEW;
        END IF;
    ELSIF NEW.status <> 'pending' THEN
        RAISE EXCEPTION 'a refund begins as pending, not as %', NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT amount, currency, use INTO taken FROM captures WHERE id = NEW.capture_id FOR UPDATE;
    SELECT coalesce(sum(amount), 0) INTO going_back FROM refunds
        WHERE capture_id = NEW.capture_id AND id <> NEW.id AND status <> 'failed';
    IF NEW.currency <> taken.currency OR going_back + NEW.amount > taken.amount THEN
        RAISE EXCEPTION 'a refund of % % exceeds what is left of the capture', NEW.currency,
            NEW.amount USING ERRCODE = 'check_violation';
    END IF;
    IF taken.use = 'held' THEN
        RAISE EXCEPTION 'held money goes nowhere before it is decided'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_refund BEFORE INSERT OR UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION guard_refund();
"""

CAPTURE_GUARD = """
CREATE FUNCTION guard_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.payment_id, NEW.attempt_id, NEW.gateway, NEW.gateway_transaction_id,
        NEW.captured_at) IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.attempt_id, OLD.gateway, OLD.gateway_transaction_id,
        OLD.captured_at)
        -- A gateway may correct what it said about money that is held.
        OR (OLD.use <> 'held' AND (NEW.amount, NEW.currency, NEW.excess_amount)
            IS DISTINCT FROM (OLD.amount, OLD.currency, OLD.excess_amount)) THEN
        RAISE EXCEPTION 'what was captured never changes' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.use <> OLD.use AND OLD.use <> 'held' THEN
        RAISE EXCEPTION 'only held money is decided, and once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_capture BEFORE UPDATE ON captures
    FOR EACH ROW EXECUTE FUNCTION guard_capture();
"""

# Checked when the unit of work commits, since an entry and its lines are several statements.
LEDGER_GUARD = """
CREATE FUNCTION guard_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry uuid;
BEGIN
    IF TG_TABLE_NAME = 'journal_entries' THEN entry := NEW.id; ELSE entry := NEW.entry_id; END IF;
    IF (SELECT count(*) < 2 FROM journal_lines WHERE entry_id = entry) OR EXISTS (
        SELECT FROM journal_lines WHERE entry_id = entry
        GROUP BY currency HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'journal entry % does not balance', entry
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON journal_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_balance();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON journal_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_balance();
"""

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON journal_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_captures BEFORE DELETE ON captures
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_captures_whole BEFORE TRUNCATE ON captures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_refunds BEFORE DELETE ON refunds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_refunds_whole BEFORE TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON captures, refunds, refund_attempts TO payments_app;
GRANT SELECT, INSERT ON journal_entries, journal_lines TO payments_app;
"""

# Money that was taken before captures were kept: what bought a payment, and what it did not need.
EARLIER_MONEY = """
INSERT INTO captures (id, payment_id, attempt_id, gateway, gateway_transaction_id, amount, currency,
        use, excess_amount, captured_at)
    SELECT gen_random_uuid(), attempt.payment_id, attempt.id, attempt.gateway,
        coalesce(nullif(attempt.gateway_transaction_id, ''), attempt.reference),
        CASE WHEN bought THEN attempt.amount + coalesce(attempt.surplus_amount, 0)
            ELSE attempt.surplus_amount END,
        CASE WHEN bought THEN attempt.currency ELSE attempt.surplus_currency END,
        CASE WHEN bought THEN 'kept' ELSE 'surplus' END,
        coalesce(attempt.surplus_amount, 0),
        coalesce(payment.completed_at, payment.updated_at)
    FROM payment_attempts attempt
    JOIN creators_membership payment ON payment.id = attempt.payment_id
    CROSS JOIN LATERAL (SELECT payment.completed_at IS NOT NULL
        AND payment.gateway_reference = attempt.reference AS bought) kept
    WHERE attempt.outcome = 'succeeded' AND (bought OR attempt.surplus_amount IS NOT NULL);
INSERT INTO journal_entries (id, kind, source, payment_id, summary, created_at)
    SELECT id, 'capture', 'capture:' || id, payment_id, gateway || ' took ' || currency, captured_at
    FROM captures;
INSERT INTO journal_lines (entry_id, number, account, currency, amount)
    SELECT id, 1, 'clearing:' || gateway, currency, amount FROM captures
    UNION ALL SELECT id, 2, 'revenue:memberships', currency, excess_amount - amount FROM captures
        WHERE excess_amount < amount
    UNION ALL SELECT id, 3, 'liability:surplus', currency, -excess_amount FROM captures
        WHERE excess_amount > 0;
INSERT INTO refunds (id, payment_id, capture_id, purpose, amount, currency, reason, requested_by,
        gateway, status, created_at, updated_at)
    SELECT gen_random_uuid(), payment_id, id, 'surplus', excess_amount, currency,
        'money that the payment did not need', 'worker', gateway, 'pending', now(), now()
    FROM captures WHERE excess_amount > 0;
INSERT INTO refund_attempts (id, refund_id, payment_id, number, gateway, reference, outcome,
        next_check_at, created_at)
    SELECT gen_random_uuid(), id, payment_id, 1, gateway,
        'cp' || substr(translate(gen_random_uuid()::text, '-aeiou', '0bcdfg'), 1, 24), 'recorded',
        now(), now()
    FROM refunds;
ALTER TABLE payment_attempts DROP COLUMN surplus_amount, DROP COLUMN surplus_currency;
"""

# The time that payments granted before it was kept with them. Exact for what members have now; of
# what went before, only where it was bought days before the end of the time that it extended.
EARLIER_PERIODS = """
UPDATE creators_membership SET period_start = completed_at,
    period_end = (completed_at AT TIME ZONE 'UTC' + CASE billing_cycle
        WHEN 'annual' THEN interval '1 year' ELSE interval '1 month' END) AT TIME ZONE 'UTC'
    WHERE completed_at IS NOT NULL;
UPDATE creators_membership AS payment SET period_end = held.current_period_end,
    period_start = greatest(payment.completed_at, (held.current_period_end AT TIME ZONE 'UTC'
        - CASE payment.billing_cycle WHEN 'annual' THEN interval '1 year'
            ELSE interval '1 month' END) AT TIME ZONE 'UTC')
    FROM memberships AS held
    WHERE held.payment_id = payment.id AND held.current_period_end > payment.completed_at;
"""

_TABLES = "journal_lines, journal_entries, refund_attempts, refunds, captures"


def upgrade() -> None:
    for script in (COLUMNS, CAPTURES, REFUNDS, LEDGER):
        _run(script)
    for guard in (REFUND_GUARD, CAPTURE_GUARD, LEDGER_GUARD):
        function, *triggers = guard.split("END $$;\n")
        op.execute(function + "END $$")
        _run(triggers[0])
    _run(APPEND_ONLY + RIGHTS)
    _run(EARLIER_MONEY)
    _run(EARLIER_PERIODS)


def downgrade() -> None:
    op.execute(f"DROP TABLE {_TABLES} CASCADE")
    op.execute("DROP FUNCTION guard_refund, guard_capture, guard_balance")
    op.execute("DROP INDEX webhook_events_unattributed")
    _run("""
ALTER TABLE payment_attempts
    ADD COLUMN surplus_amount numeric,
    ADD COLUMN surplus_currency text,
    DROP COLUMN round, DROP COLUMN sent_at, DROP COLUMN action_state,
    DROP COLUMN not_found_count, DROP COLUMN last_not_found_at;
ALTER TABLE creators_membership DROP COLUMN period_start, DROP COLUMN period_end;
""")


def _run(script: str) -> None:
    """Execute the statements of a script one by one: the driver takes one at a time."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)
