"""Claims due rows for one worker: whoever held them before is fenced off by the raised token."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select, update


def claim_statement(
    table: Table, due_at: ColumnElement[Any], now: datetime, lease: timedelta, limit: int
) -> Any:
    """Return the statement that leases at most `limit` rows whose `due_at` has come.

    Rows that another transaction is claiming are skipped, not waited for. The table has the columns
    `id`, `lease_token` and `lease_until`.
    """
    free = or_(table.c.lease_until.is_(None), table.c.lease_until <= now)
    due = (
        select(table.c.id)
        .where(due_at <= now, free)
        .order_by(due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # A common table expression is evaluated once, so the limit holds whatever the plan.
        .cte("due")
    )
    return (
        update(table)
        .where(table.c.id.in_(select(due.c.id)))
        .values(lease_token=table.c.lease_token + 1, lease_until=now + lease)
        .returning(table)
    )
