"""The append-only history as rows of payment_audit_log."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import payment_audit_log as table
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.states import PaymentStatus


class AuditRepository:
    """Implements the port `AuditTrail`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add lines of history."""
        rows = [
            {
                "payment_id": entry.payment_id,
                "kind": entry.kind.value,
                "actor": entry.actor,
                "action": entry.action,
                "from_status": entry.from_status,
                "to_status": entry.to_status,
                "reason": entry.reason,
                "rule": entry.rule,
                "details": dict(entry.details),
                "request_id": entry.request_id,
                "created_at": entry.at,
            }
            for entry in entries
        ]
        if rows:
            await self._connection.execute(insert(table).values(rows))

    async def of_payment(self, payment_id: UUID) -> Sequence[AuditEntry]:
        """Read a payment's history, oldest first."""
        statement = select(table).where(table.c.payment_id == payment_id).order_by(table.c.id)
        return [
            AuditEntry(
                payment_id=row.payment_id,
                kind=AuditKind(row.kind),
                actor=row.actor,
                action=row.action,
                reason=row.reason,
                rule=row.rule,
                from_status=PaymentStatus(row.from_status) if row.from_status else None,
                to_status=PaymentStatus(row.to_status) if row.to_status else None,
                request_id=row.request_id,
                at=row.created_at,
                details=row.details,
            )
            for row in await self._connection.execute(statement)
        ]
