"""ListGatewayEvents and ReplayGatewayEvents: the log of callbacks, and handling them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kit.logs import get_logger
from services.payments.domain.errors import invalid
from services.payments.domain.events import GatewayEvent
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import OneUnit, fingerprint, once, scope_of
from services.payments.ports import EventFilter, Work

_log = get_logger(__name__)

MOST_EVENTS = 10_000
LONGEST_RANGE = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEventsCommand:
    """A validated request to handle callbacks again; exactly one way of choosing is given."""

    idempotency_key: str
    event_ids: tuple[UUID, ...] = ()
    payment_id: UUID | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many callbacks are handled again."""

    count: int


async def list_events(
    deps: Dependencies, wanted: EventFilter, limit: int
) -> Sequence[GatewayEvent]:
    """Read at most `limit` callbacks, newest first."""
    async with deps.storage.work() as work:
        return await work.events.page(wanted, limit)


async def replay_events(deps: Dependencies, command: ReplayEventsCommand) -> Replayed:
    """Have the worker handle callbacks again. Each is a hint, so that its effect stays one.

    Raises `ServiceError`: see ReplayGatewayEvents in protos/operations/v1/operations_service.proto.
    """
    wanted = EventFilter(
        ids=command.event_ids,
        payment_id=command.payment_id,
        received_from=command.received_from,
        received_before=command.received_before,
    )

    async def act(work: Work) -> Replayed:
        found = await work.events.count(wanted)
        if found > MOST_EVENTS:
            raise invalid(
                "received_after", f"{found} events; at most {MOST_EVENTS} are handled at once"
            )
        return Replayed(await work.events.handle_again(wanted, deps.clock.now()))

    unit = OneUnit(
        scope=scope_of("", "ReplayGatewayEvents", command.idempotency_key),
        fingerprint=fingerprint(command),
        subject=command.payment_id or UUID(int=0),
        answer=Replayed,
    )
    replayed = await once(deps, unit, act)
    _log.info("events_replayed", count=replayed.count)
    deps.wakeups.event_recorded()
    return replayed
