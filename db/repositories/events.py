"""Gateway callbacks as rows of webhook_events, with the leases of workers that handle them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, case, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.leases import Claim, claim_statement
from db.tables import webhook_events as table
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.events import Delivery, EventStatus, GatewayEvent, Handling
from services.payments.ports import EVERYTHING, After, EventFilter, Share

# Literal, as in the index.
_IS_UNATTRIBUTED = text("status = 'unattributed'")


class EventRepository:
    """Implements the port `GatewayEvents`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, event_id: UUID, delivery: Delivery, request_id: str) -> tuple[UUID, bool]:
        """Store a delivery, or count it as a duplicate of the one already stored.

        A duplicate of one whose handling found nothing final is handled again.
        """
        new = insert(table).values(
            id=event_id,
            source=delivery.gateway,
            event_id=delivery.event_key,
            event_type=delivery.event_type,
            reference=delivery.reference,
            gateway_transaction_id=delivery.gateway_transaction_id,
            status=EventStatus.RECEIVED.value,
            headers=dict(delivery.headers),
            raw_body=delivery.raw_body,
            request_id=request_id,
            received_at=delivery.received_at,
            duplicate_count=0,
            tries=0,
            next_try_at=delivery.received_at,
            note="",
            lease_token=0,
        )
        statement = new.on_conflict_do_update(
            index_elements=[table.c.source, table.c.event_id],
            set_={
                "duplicate_count": table.c.duplicate_count + 1,
                "last_duplicate_at": delivery.received_at,
                "next_try_at": case(
                    (
                        and_(
                            table.c.status == EventStatus.PROCESSED.value,
                            table.c.note != literal(""),
                        ),
                        delivery.received_at,
                    ),
                    else_=table.c.next_try_at,
                ),
            },
        ).returning(table.c.id)
        stored: UUID = (await self._connection.execute(statement)).scalar_one()
        return stored, stored == event_id

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[GatewayEvent]:
        """Lease unhandled events that are due: the raised token fences whoever held them before."""
        claim = Claim(now, lease, limit, share)
        statement = claim_statement(table, table.c.next_try_at, table.c.source, claim)
        return [_event(row) for row in await self._connection.execute(statement)]

    async def mark(self, event: GatewayEvent, handling: Handling, at: datetime) -> None:
        """Record how far an event was handled and release its lease."""
        processed = handling.status is EventStatus.PROCESSED
        statement = (
            update(table)
            .where(table.c.id == event.id, table.c.lease_token == event.lease_token)
            .values(
                status=handling.status.value,
                payment_id=handling.payment_id,
                tries=event.tries + 1,
                next_try_at=handling.next_try_at,
                note=handling.note,
                processed_at=at if processed else None,
                lease_until=None,
            )
            .returning(table.c.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            raise StaleWriteError(f"event {event.id} was claimed by another worker")

    async def lock(self, event_id: UUID) -> GatewayEvent | None:
        """Read an event and hold its row."""
        statement = select(table).where(table.c.id == event_id).with_for_update()
        row = (await self._connection.execute(statement)).first()
        return _event(row) if row else None

    async def page(self, wanted: EventFilter, limit: int) -> Sequence[GatewayEvent]:
        """Read events, newest first; the keyset is (received_at, id)."""
        statement = (
            select(table)
            .where(*_conditions(wanted))
            .order_by(table.c.received_at.desc(), table.c.id.desc())
            .limit(limit)
        )
        return [_event(row) for row in await self._connection.execute(statement)]

    async def handle_again(self, wanted: EventFilter, now: datetime) -> int:
        """Make events due now; a lease that holds goes on, and then they are handled again."""
        statement = update(table).where(*_conditions(wanted)).values(next_try_at=now)
        return (await self._connection.execute(statement)).rowcount

    async def count(self, wanted: EventFilter) -> int:
        """Count events."""
        statement = select(func.count()).select_from(table).where(*_conditions(wanted))
        return (await self._connection.execute(statement)).scalar_one()

    async def unattributed(self, after: After | None, limit: int) -> Sequence[GatewayEvent]:
        """Read events that match no payment, oldest first; the keyset is (received_at, id)."""
        statement = (
            select(table).where(_IS_UNATTRIBUTED).order_by(table.c.received_at, table.c.id)
        ).limit(limit)
        if after is not None:
            seen = tuple_(table.c.received_at, table.c.id)
            statement = statement.where(seen > tuple_(after.at, after.id))
        return [_event(row) for row in await self._connection.execute(statement)]

    async def count_unattributed(self) -> int:
        """Count the events that match no payment."""
        statement = select(func.count()).select_from(table).where(_IS_UNATTRIBUTED)
        return (await self._connection.execute(statement)).scalar_one()


def _conditions(wanted: EventFilter) -> list[Any]:
    conditions = [
        column == value
        for column, value in (
            (table.c.source, wanted.gateway),
            (table.c.status, wanted.status),
            (table.c.event_type, wanted.event_type),
            (table.c.payment_id, wanted.payment_id),
        )
        if value is not None
    ]
    if wanted.ids:
        conditions.append(table.c.id.in_(wanted.ids))
    if wanted.received_from is not None:
        conditions.append(table.c.received_at >= wanted.received_from)
    if wanted.received_before is not None:
        conditions.append(table.c.received_at < wanted.received_before)
    if wanted.before is not None:
        conditions.append(tuple_(table.c.received_at, table.c.id) < tuple_(*wanted.before))
    return conditions


def _event(row: Row[Any]) -> GatewayEvent:
    return GatewayEvent(
        id=row.id,
        gateway=row.source,
        event_type=row.event_type,
        reference=row.reference,
        gateway_transaction_id=row.gateway_transaction_id,
        request_id=row.request_id,
        event_key=row.event_id,
        received_at=row.received_at,
        status=EventStatus(row.status),
        note=row.note,
        payment_id=row.payment_id,
        next_try_at=row.next_try_at,
        duplicates=row.duplicate_count,
        tries=row.tries,
        lease_token=row.lease_token,
    )
