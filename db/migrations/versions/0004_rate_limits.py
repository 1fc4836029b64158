"""How often each member has asked for what lately."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# One row for each member and kind of call, updated in place; fillfactor leaves room for that.
TABLE = """
CREATE TABLE rate_limits (
    bucket text NOT NULL,
    user_id text NOT NULL,
    next_at timestamptz NOT NULL,
    last_request bytea NOT NULL,
    admitted boolean NOT NULL,
    PRIMARY KEY (bucket, user_id)
) WITH (fillfactor = 70)
"""
RIGHTS = "GRANT SELECT, INSERT, UPDATE ON rate_limits TO payments_app"


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE rate_limits")
