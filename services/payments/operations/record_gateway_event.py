"""RecordGatewayEvent: one verified delivery, stored before it is acknowledged."""

from dataclasses import replace
from uuid import UUID

from kit.request_scope import current_scope
from services.payments.domain.events import Delivery
from services.payments.operations.dependencies import Dependencies


async def record_gateway_event(deps: Dependencies, delivery: Delivery) -> tuple[UUID, bool]:
    """Store a delivery; return the stored event's id and whether it is new.

    Raises `ServiceError` (UNAVAILABLE) when nothing was stored: the gateway must deliver again.
    """
    # A receiver whose clock is ahead must not put the handling off.
    delivery = replace(delivery, received_at=min(delivery.received_at, deps.clock.now()))
    async with deps.storage.work() as work:
        stored = await work.events.add(deps.ids.new_id(), delivery, current_scope().request_id)
    deps.wakeups.event_recorded()
    return stored
