"""Captured money as rows of captures."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns, to_column
from db.tables import captures as table
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.ports import After

# Literal, as in the index.
_IS_HELD = text("use = 'held'")


class CaptureRepository:
    """Implements the port `Captures`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, capture: Capture) -> bool:
        """Store a capture; False when the gateway's transaction is on record already."""
        statement = (
            insert(table)
            .values(
                id=capture.id,
                payment_id=capture.payment_id,
                attempt_id=capture.attempt_id,
                gateway=capture.gateway,
                gateway_transaction_id=capture.gateway_transaction_id,
                captured_at=capture.captured_at,
                **_changing_columns(capture),
            )
            .on_conflict_do_nothing(
                index_elements=[table.c.gateway, table.c.gateway_transaction_id]
            )
            .returning(table.c.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def of_payment(self, payment_id: UUID) -> Sequence[Capture]:
        """Read a payment's captures, oldest first."""
        statement = (
            select(table)
            .where(table.c.payment_id == payment_id)
            .order_by(table.c.captured_at, table.c.id)
        )
        return [_capture(row) for row in await self._connection.execute(statement)]

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Capture | None:
        """Find the capture of a gateway's transaction."""
        statement = select(table).where(
            table.c.gateway == gateway, table.c.gateway_transaction_id == transaction_id
        )
        row = (await self._connection.execute(statement)).first()
        return _capture(row) if row else None

    async def save(self, capture: Capture) -> None:
        """Store what a capture counts for from now on."""
        statement = (
            update(table).where(table.c.id == capture.id).values(**_changing_columns(capture))
        )
        await self._connection.execute(statement)

    async def held(self, after: After | None, limit: int) -> Sequence[Capture]:
        """Read captures that wait for a decision, oldest first."""
        statement = select(table).where(_IS_HELD).order_by(table.c.captured_at, table.c.id)
        if after is not None:
            seen = tuple_(table.c.captured_at, table.c.id)
            statement = statement.where(seen > tuple_(after.at, after.id))
        return [_capture(row) for row in await self._connection.execute(statement.limit(limit))]

    async def count_held(self) -> int:
        """Count the captures that wait for a decision."""
        statement = select(func.count()).select_from(table).where(_IS_HELD)
        return (await self._connection.execute(statement)).scalar_one()


def _changing_columns(capture: Capture) -> dict[str, object]:
    return {
        "amount": to_column(capture.amount),
        "currency": capture.amount.currency,
        "fee_amount": to_column(capture.fee) if capture.fee else None,
        "use": capture.use.value,
        "excess_amount": to_column(capture.excess),
        "held_because": capture.held_because,
    }


def _capture(row: Row[Any]) -> Capture:
    fee = row.fee_amount
    return Capture(
        id=row.id,
        payment_id=row.payment_id,
        attempt_id=row.attempt_id,
        gateway=row.gateway,
        gateway_transaction_id=row.gateway_transaction_id,
        amount=from_columns(row.currency, row.amount),
        use=CaptureUse(row.use),
        excess=from_columns(row.currency, row.excess_amount),
        captured_at=row.captured_at,
        fee=None if fee is None else from_columns(row.currency, fee),
        held_because=row.held_because,
    )
