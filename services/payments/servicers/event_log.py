"""The log of callbacks as staff read and replay it; part of OperationsService."""

from typing import Any

from kit.errors import FieldViolation
from protos.operations.v1 import operations_service_pb2 as pb
from services.payments import validation as v
from services.payments.domain.events import EventStatus, GatewayEvent
from services.payments.mapping import datetime_of, timestamp
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.replay_events import (
    LONGEST_RANGE,
    ReplayEventsCommand,
    list_events,
    replay_events,
)
from services.payments.page_tokens import keyset_in, page_size, page_token
from services.payments.ports import EventFilter

_MOST_IDS = 1_000
_STATUSES = frozenset(EventStatus)
_TIMES = (v.Field("received_after", (v.in_range,)), v.Field("received_before", (v.in_range,)))
_LIST_FIELDS = (
    v.Field("gateway", (v.at_most(40), v.plain)),
    v.Field("event_type", (v.at_most(200), v.plain)),
    v.Field("status", (v.one_of(_STATUSES, f"must be one of: {', '.join(sorted(_STATUSES))}"),)),
    v.Field("payment_id", (v.at_most(64), v.optional_uuid("a payment"))),
    *_TIMES,
    v.PAGE_TOKEN,
)
_REPLAY_FIELDS = (
    v.Field("payment_id", (v.at_most(64), v.optional_uuid("a payment"))),
    v.Field("gateway_event_ids", (v.each(v.optional_uuid("an event")),)),
    *_TIMES,
    v.IDEMPOTENCY_KEY,
)


async def list_gateway_events(
    deps: Dependencies, request: pb.ListGatewayEventsRequest
) -> pb.ListGatewayEventsResponse:
    """Read a page of callbacks."""
    v.check(request, *_LIST_FIELDS)
    filters = (
        "events",
        *(request.gateway, request.status, request.event_type, request.payment_id),
        request.received_after.SerializeToString(),
        request.received_before.SerializeToString(),
    )
    size = page_size(request.page_size)
    wanted = EventFilter(
        gateway=request.gateway or None,
        status=request.status or None,
        event_type=request.event_type or None,
        payment_id=v.uuid_of(request.payment_id) if request.payment_id else None,
        received_from=_time_of(request, "received_after"),
        received_before=_time_of(request, "received_before"),
        before=keyset_in(request.page_token, filters),
    )
    found = await list_events(deps, wanted, size + 1)
    last = found[size - 1] if len(found) > size else None
    return pb.ListGatewayEventsResponse(
        gateway_events=[event_message(event) for event in found[:size]],
        next_page_token=page_token(last.received_at, last.id, filters) if last else "",
    )


async def replay_gateway_events(
    deps: Dependencies, request: pb.ReplayGatewayEventsRequest
) -> pb.ReplayGatewayEventsResponse:
    """Handle callbacks again."""
    v.check(request, *_REPLAY_FIELDS, further=_replay_violations(request))
    command = ReplayEventsCommand(
        idempotency_key=request.idempotency_key,
        event_ids=tuple(sorted(v.uuid_of(each) for each in request.gateway_event_ids)),
        payment_id=v.uuid_of(request.payment_id) if request.payment_id else None,
        received_from=_time_of(request, "received_after"),
        received_before=_time_of(request, "received_before"),
    )
    replayed = await replay_events(deps, command)
    return pb.ReplayGatewayEventsResponse(replayed_count=replayed.count)


def event_message(event: GatewayEvent) -> pb.GatewayEvent:
    """Return a callback as staff see it."""
    return pb.GatewayEvent(
        gateway_event_id=str(event.id),
        gateway=event.gateway,
        event_key=event.event_key,
        event_type=event.event_type,
        status=event.status,
        reference=event.reference,
        payment_id=str(event.payment_id or ""),
        receive_time=timestamp(event.received_at),
        gateway_transaction_id=event.gateway_transaction_id,
        note=event.note,
        try_count=event.tries,
        next_try_time=timestamp(event.next_try_at),
        duplicate_count=event.duplicates,
    )


def _replay_violations(request: pb.ReplayGatewayEventsRequest) -> list[FieldViolation]:
    times = request.HasField("received_after"), request.HasField("received_before")
    ways = [bool(request.gateway_event_ids), bool(request.payment_id), any(times)]
    if sum(ways) != 1:
        text = "give event ids, a payment or a time range, and only one of them"
        return [FieldViolation("gateway_event_ids", text)]
    if len(request.gateway_event_ids) > _MOST_IDS:
        return [FieldViolation("gateway_event_ids", f"has more than {_MOST_IDS} ids")]
    if any(times) and not all(times):
        return [FieldViolation("received_before", "a time range has a beginning and an end")]
    return [] if not all(times) else _range_violations(request)


def _range_violations(request: pb.ReplayGatewayEventsRequest) -> list[FieldViolation]:
    if v.in_range(request.received_after) or v.in_range(request.received_before):
        return []
    length = datetime_of(request.received_before) - datetime_of(request.received_after)
    if length <= length * 0 or length > LONGEST_RANGE:
        text = f"must be after received_after, by at most {LONGEST_RANGE.days} days"
        return [FieldViolation("received_before", text)]
    return []


def _time_of(request: Any, field: str) -> Any:
    return datetime_of(getattr(request, field)) if request.HasField(field) else None
