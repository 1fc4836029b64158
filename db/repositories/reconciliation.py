"""Reconciliations as rows of reconciliation_runs, reconciliation_breaks and settlements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, exists, insert, or_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import to_column
from db.repositories.books import read_captures, read_named, read_refunds
from db.tables import creators_membership, settlement_lines, settlements, webhook_events
from db.tables import reconciliation_breaks as breaks
from db.tables import reconciliation_runs as runs
from services.payments.domain.events import EventStatus
from services.payments.domain.reconciliation import (
    BookedCapture,
    BookedRefund,
    Books,
    BreakKind,
    BreakStatus,
    Period,
    Run,
    RunResult,
    Settlement,
    StoredBreak,
    Subject,
    Transaction,
)
from services.payments.domain.states import PaymentStatus
from services.payments.ports import After, BreakFilter, FoundBreak

_ONE_DIFFERENCE = (
    breaks.c.gateway,
    breaks.c.kind,
    breaks.c.subject,
    breaks.c.gateway_transaction_id,
)
# Literal, as in the partial index.
_HAS_REFERENCE = text("webhook_events.reference <> ''")
_RETURNS = (Subject.REFUND.value, Subject.CHARGEBACK.value)


class ReconciliationRepository:
    """Implements the port `Reconciliation`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def named(self, gateway: str, rows: Collection[Transaction]) -> Books:
        """Read what of our books some rows of a statement name."""
        return await read_named(self._connection, gateway, rows)

    async def captures_between(
        self, gateway: str, period: Period, after: After | None, limit: int
    ) -> Sequence[BookedCapture]:
        """Read what we captured in a period, oldest first."""
        return await read_captures(self._connection, gateway, period, after, limit)

    async def refunds_between(
        self, gateway: str, period: Period, after: After | None, limit: int
    ) -> Sequence[BookedRefund]:
        """Read the attempts to send money back that left in a period, oldest first."""
        return await read_refunds(self._connection, gateway, period, after, limit)

    async def is_attributed(self, gateway: str, reference: str, payment_id: UUID) -> bool:
        """Whether a callback under a reference that is not ours was given to a payment."""
        statement = select(
            exists().where(
                _HAS_REFERENCE,
                webhook_events.c.source == gateway,
                webhook_events.c.reference == reference,
                webhook_events.c.payment_id == payment_id,
                webhook_events.c.status == EventStatus.PROCESSED.value,
            )
        )
        return bool((await self._connection.execute(statement)).scalar_one())

    async def begin(self, run: Run) -> None:
        """Store that a run began."""
        statement = insert(runs).values(
            id=run.id,
            gateway=run.gateway,
            period_start=run.period.start,
            period_end=run.period.end,
            requested_by=run.requested_by,
            started_at=run.started_at,
        )
        await self._connection.execute(statement)

    async def end(self, result: RunResult, at: datetime) -> None:
        """Store what a run found."""
        statement = (
            update(runs)
            .where(runs.c.id == result.run_id)
            .values(
                finished_at=at,
                compared_count=result.compared,
                break_count=result.breaks,
                healed_count=result.healed,
            )
        )
        await self._connection.execute(statement)

    async def record(self, run: Run, found: FoundBreak) -> bool:
        """Store a break, or how one that is on record stands now; True when it is newly open."""
        stands = {
            "last_run_id": run.id,
            "payment_id": found.found.payment_id,
            "summary": found.found.summary,
            "status": found.status.value,
            "healed_at": found.at if found.status is BreakStatus.HEALED else None,
        }
        earlier = await self._status_of(run, found)
        statement = (
            postgresql.insert(breaks)
            .values(
                id=found.id,
                run_id=run.id,
                gateway=run.gateway,
                kind=found.found.kind.value,
                subject=found.found.subject.value,
                gateway_transaction_id=found.found.transaction_id,
                reference=found.found.reference,
                occurred_at=found.found.at,
                found_at=found.at,
                **stands,
            )
            .on_conflict_do_update(index_elements=_ONE_DIFFERENCE, set_=stands)
        )
        await self._connection.execute(statement)
        return found.status is BreakStatus.OPEN and earlier is not BreakStatus.OPEN

    async def heal_gone(self, run: Run, followed: Sequence[UUID], at: datetime) -> None:
        """Mark as healed what was open and this run did not find again."""
        in_period = and_(
            breaks.c.occurred_at >= run.period.start, breaks.c.occurred_at < run.period.end
        )
        statement = (
            update(breaks)
            .where(
                breaks.c.gateway == run.gateway,
                breaks.c.status == BreakStatus.OPEN.value,
                breaks.c.last_run_id != run.id,
                or_(in_period, breaks.c.id.in_(followed)),
            )
            .values(status=BreakStatus.HEALED.value, healed_at=at, last_run_id=run.id)
        )
        await self._connection.execute(statement)

    async def undecided(self, gateway: str, limit: int) -> Sequence[After]:
        """Read when the gateway recorded what it has still to decide, the oldest first."""
        disputed = and_(
            breaks.c.kind == BreakKind.CHARGEBACK.value,
            exists().where(
                creators_membership.c.id == breaks.c.payment_id,
                creators_membership.c.status == PaymentStatus.DISPUTED.value,
            ),
        )
        is_open = and_(
            breaks.c.status == BreakStatus.OPEN.value,
            breaks.c.subject.in_(_RETURNS),
            breaks.c.kind != BreakKind.MISSING_THERE.value,
        )
        statement = (
            select(breaks.c.occurred_at, breaks.c.id)
            .where(breaks.c.gateway == gateway, or_(disputed, is_open))
            .order_by(breaks.c.occurred_at, breaks.c.id)
            .limit(limit)
        )
        return [After(row.occurred_at, row.id) for row in await self._connection.execute(statement)]

    async def add_settlement(
        self, settlement_id: UUID, gateway: str, settlement: Settlement, at: datetime
    ) -> bool:
        """Store a settlement with its lines; False when it is on record already."""
        statement = (
            postgresql.insert(settlements)
            .values(
                id=settlement_id,
                gateway=gateway,
                settlement_id=settlement.settlement_id,
                currency=settlement.net.currency,
                net_amount=to_column(settlement.net),
                gross_amount=to_column(settlement.gross),
                fees_amount=to_column(settlement.fees),
                refunds_amount=to_column(settlement.refunds),
                chargebacks_amount=to_column(settlement.chargebacks),
                settled_at=settlement.settled_at,
                imported_at=at,
            )
            .on_conflict_do_nothing(
                index_elements=[settlements.c.gateway, settlements.c.settlement_id]
            )
            .returning(settlements.c.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            return False
        lines = _line_rows(settlement_id, gateway, settlement)
        if lines:
            await self._connection.execute(insert(settlement_lines), lines)
        return True

    async def page(self, wanted: BreakFilter, limit: int) -> Sequence[StoredBreak]:
        """Read breaks, newest first; the keyset is (found_at, id)."""
        statement = (
            select(breaks).order_by(breaks.c.found_at.desc(), breaks.c.id.desc()).limit(limit)
        )
        if wanted.gateway is not None:
            statement = statement.where(breaks.c.gateway == wanted.gateway)
        if wanted.status is not None:
            statement = statement.where(breaks.c.status == wanted.status.value)
        if wanted.before is not None:
            seen = tuple_(*wanted.before)
            statement = statement.where(tuple_(breaks.c.found_at, breaks.c.id) < seen)
        return [_break(row) for row in await self._connection.execute(statement)]

    async def _status_of(self, run: Run, found: FoundBreak) -> BreakStatus | None:
        """Return how a break stands that is on record already."""
        statement = select(breaks.c.status).where(
            breaks.c.gateway == run.gateway,
            breaks.c.kind == found.found.kind.value,
            breaks.c.subject == found.found.subject.value,
            breaks.c.gateway_transaction_id == found.found.transaction_id,
        )
        row = (await self._connection.execute(statement)).first()
        return BreakStatus(row.status) if row else None


def _line_rows(settlement_id: UUID, gateway: str, settlement: Settlement) -> list[dict[str, Any]]:
    return [
        {
            "settlement_id": settlement_id,
            "gateway_transaction_id": line.transaction_id,
            "gateway": gateway,
            "reference": line.reference,
            "currency": line.gross.currency,
            "gross_amount": to_column(line.gross),
            "fee_amount": to_column(line.fee) if line.fee is not None else None,
        }
        for line in settlement.lines
    ]


def _break(row: Row[Any]) -> StoredBreak:
    return StoredBreak(
        id=row.id,
        gateway=row.gateway,
        kind=BreakKind(row.kind),
        subject=Subject(row.subject),
        transaction_id=row.gateway_transaction_id,
        reference=row.reference,
        payment_id=row.payment_id,
        summary=row.summary,
        status=BreakStatus(row.status),
        found_at=row.found_at,
    )
