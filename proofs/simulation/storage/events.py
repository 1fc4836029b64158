"""The twin of the callbacks' table: unique event keys, duplicates, leases with fencing tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from proofs.simulation.storage.leases import claim
from proofs.simulation.storage.rows import EventRow
from proofs.simulation.storage.unit import Unit
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.events import Delivery, EventStatus, GatewayEvent, Handling
from services.payments.ports import EVERYTHING, After, EventFilter, Share


class TwinEvents:
    """Implements the port `GatewayEvents`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.events

    async def add(self, event_id: UUID, delivery: Delivery, request_id: str) -> tuple[UUID, bool]:
        """Store a delivery, or count it as a duplicate of the one already stored."""
        await self._unit.step(f"events.add {delivery.event_key}")
        wanted = (delivery.gateway, delivery.event_key)
        stored = await self._unit.conflicting(
            self._table,
            event_id,
            lambda row: (row.delivery.gateway, row.delivery.event_key) == wanted,
        )
        if stored is None:
            new = EventRow(
                id=event_id,
                delivery=delivery,
                request_id=request_id,
                next_try_at=delivery.received_at,
            )
            self._unit.put(self._table, event_id, new)
            return event_id, True
        await self._unit.hold(self._table, stored.id)
        stored = self._unit.get(self._table, stored.id) or stored
        # One whose handling found nothing final is handled again.
        again = stored.status is EventStatus.PROCESSED and stored.note
        counted = replace(
            stored,
            duplicates=stored.duplicates + 1,
            next_try_at=delivery.received_at if again else stored.next_try_at,
        )
        self._unit.put(self._table, stored.id, counted)
        return stored.id, False

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[GatewayEvent]:
        """Lease unhandled events that are due: the raised token fences whoever held them before."""
        await self._unit.step("events.claim_due")
        claimed = claim(self._unit, self._table, share, now, now + lease)
        return [row.event for row in islice(claimed, limit)]

    async def mark(self, event: GatewayEvent, handling: Handling, at: datetime) -> None:  # noqa: ARG002 - when it was processed is for people
        """Record how far an event was handled and release its lease."""
        await self._unit.step(f"events.mark {handling.status}")
        await self._unit.hold(self._table, event.id)
        row = self._unit.get(self._table, event.id)
        if row is None or row.lease_token != event.lease_token:
            raise StaleWriteError(f"event {event.id} was claimed by another worker")
        marked = replace(
            row,
            status=handling.status,
            payment_id=handling.payment_id,
            tries=event.tries + 1,
            next_try_at=handling.next_try_at,
            note=handling.note,
            lease_until=None,
        )
        self._unit.put(self._table, event.id, marked)

    async def lock(self, event_id: UUID) -> GatewayEvent | None:
        """Read an event and keep others from handling it until this unit of work ends."""
        await self._unit.step("events.lock")
        await self._unit.hold(self._table, event_id)
        row = self._unit.get(self._table, event_id)
        return row.event if row else None

    async def page(self, wanted: EventFilter, limit: int) -> Sequence[GatewayEvent]:
        """Read events, newest first; the keyset is (received_at, id)."""
        await self._unit.step("events.page")
        rows = sorted(self._wanted(wanted), key=_age, reverse=True)
        return [row.event for row in rows[:limit]]

    async def handle_again(self, wanted: EventFilter, now: datetime) -> int:
        """Make events due now; a lease that holds goes on, and then they are handled again."""
        await self._unit.step("events.handle_again")
        found = self._wanted(wanted)
        for row in found:
            await self._unit.hold(self._table, row.id)
            held = self._unit.get(self._table, row.id) or row
            self._unit.put(self._table, row.id, replace(held, next_try_at=now))
        return len(found)

    async def count(self, wanted: EventFilter) -> int:
        """Count events."""
        await self._unit.step("events.count")
        return len(self._wanted(wanted))

    async def unattributed(self, after: After | None, limit: int) -> Sequence[GatewayEvent]:
        """Read events that match no payment, oldest first."""
        await self._unit.step("events.unattributed")
        rows = sorted(self._inbox(), key=_age)
        return [row.event for row in rows if after is None or _age(row) > (after.at, after.id)][
            :limit
        ]

    async def count_unattributed(self) -> int:
        """Count the events that match no payment."""
        await self._unit.step("events.count_unattributed")
        return sum(1 for _ in self._inbox())

    def _wanted(self, wanted: EventFilter) -> list[EventRow]:
        return [row for _, row in self._unit.rows(self._table) if _matches(row, wanted)]

    def _inbox(self) -> Iterable[EventRow]:
        rows = self._unit.rows(self._table)
        return (row for _, row in rows if row.status is EventStatus.UNATTRIBUTED)


def _age(row: EventRow) -> tuple[datetime, UUID]:
    return row.delivery.received_at, row.id


def _matches(row: EventRow, wanted: EventFilter) -> bool:
    at = row.delivery.received_at
    return (
        (not wanted.ids or row.id in wanted.ids)
        and wanted.gateway in (None, row.delivery.gateway)
        and wanted.status in (None, row.status)
        and wanted.event_type in (None, row.delivery.event_type)
        and wanted.payment_id in (None, row.payment_id)
        and (wanted.received_from is None or at >= wanted.received_from)
        and (wanted.received_before is None or at < wanted.received_before)
        and (wanted.before is None or (at, row.id) < wanted.before)
    )
