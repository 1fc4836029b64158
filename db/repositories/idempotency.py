"""Used idempotency keys as rows of idempotency_keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import idempotency_keys as table
from services.payments.ports import IdempotencyRecord, IdempotencyScope


class IdempotencyRepository:
    """Implements the port `IdempotencyKeys`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, scope: IdempotencyScope) -> IdempotencyRecord | None:
        """Read a key."""
        row = (await self._connection.execute(select(table).where(_is(scope)))).first()
        if row is None:
            return None
        return IdempotencyRecord(
            scope=scope,
            fingerprint=row.fingerprint,
            owner=row.owner,
            lease_until=row.lease_until,
            payment_id=row.payment_id,
            response=row.response,
        )

    async def add(self, record: IdempotencyRecord, at: datetime) -> bool:
        """Store a key; False when it is already there."""
        scope = record.scope
        statement = (
            insert(table)
            .values(
                caller=scope.caller,
                user_id=scope.user_id,
                method=scope.method,
                key=scope.key,
                fingerprint=record.fingerprint,
                owner=record.owner,
                lease_until=record.lease_until,
                payment_id=record.payment_id,
                created_at=at,
            )
            .on_conflict_do_nothing()
            .returning(table.c.key)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def finish(self, scope: IdempotencyScope, payment_id: UUID, response: bytes) -> None:
        """Store the answer of a key, unless it has one: the first answer stays the answer."""
        statement = (
            update(table)
            .where(_is(scope), table.c.response.is_(None))
            .values(payment_id=payment_id, response=response)
        )
        await self._connection.execute(statement)

    async def forget(self, scope: IdempotencyScope) -> None:
        """Remove a key whose request was refused, so that it may be used again."""
        await self._connection.execute(delete(table).where(_is(scope)))


def _is(scope: IdempotencyScope) -> Any:
    return and_(
        table.c.caller == scope.caller,
        table.c.user_id == scope.user_id,
        table.c.method == scope.method,
        table.c.key == scope.key,
    )
