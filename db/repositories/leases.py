"""Claims due rows for one worker: whoever held them before is fenced off by the raised token."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select, update

from services.payments.ports import Share


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's claim at `now`: at most `limit` rows of its `share`, held for `lease`."""

    now: datetime
    lease: timedelta
    limit: int
    share: Share


def claim_statement(
    table: Table, due_at: ColumnElement[Any], gateway: ColumnElement[str], claim: Claim
) -> Any:
    """Return the statement that leases rows whose `due_at` has come and whose `gateway` is shared.

    Rows that another transaction is claiming are skipped, not waited for. The table has the columns
    `id`, `lease_token` and `lease_until`.
    """
    only = claim.share.only
    mine = gateway.not_in(claim.share.never) if only is None else gateway == only
    free = or_(table.c.lease_until.is_(None), table.c.lease_until <= claim.now)
    due = (
        select(table.c.id)
        .where(due_at <= claim.now, free, mine)
        .order_by(due_at)
        .limit(claim.limit)
        .with_for_update(skip_locked=True)
        # A common table expression is evaluated once, so the limit holds whatever the plan.
        .cte("due")
    )
    return (
        update(table)
        .where(table.c.id.in_(select(due.c.id)))
        .values(lease_token=table.c.lease_token + 1, lease_until=claim.now + claim.lease)
        .returning(table)
    )
