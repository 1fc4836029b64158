"""GatewayEventsService."""

from typing import Any

from protos.payments.v1 import gateway_events_service_pb2 as pb
from protos.payments.v1.gateway_events_service_pb2_grpc import GatewayEventsServiceServicer
from services.payments import validation as v
from services.payments.domain.events import Delivery
from services.payments.mapping import datetime_of
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.record_gateway_event import record_gateway_event


class GatewayEventsServicer(GatewayEventsServiceServicer):
    """Serves payments.v1.GatewayEventsService; every call is documented in its proto."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def RecordGatewayEvent(self, request: pb.RecordGatewayEventRequest, _context: Any) -> Any:
        """Store one verified delivery."""
        v.check(request, *_FIELDS)
        event_id, new = await record_gateway_event(self._deps, self._delivery(request))
        result = (
            pb.GATEWAY_EVENT_RECORDING_RECORDED if new else pb.GATEWAY_EVENT_RECORDING_DUPLICATE
        )
        return pb.RecordGatewayEventResponse(result=result, gateway_event_id=str(event_id))

    def _delivery(self, request: pb.RecordGatewayEventRequest) -> Delivery:
        received = request.HasField("received_time") and datetime_of(request.received_time)
        return Delivery(
            gateway=request.gateway,
            event_key=request.event_key,
            event_type=request.event_type,
            reference=request.reference,
            gateway_transaction_id=request.gateway_transaction_id,
            raw_body=request.raw_body,
            headers=dict(request.headers),
            received_at=received or self._deps.clock.now(),
        )


_MAX_HEADERS, _MAX_NAME, _MAX_VALUE = 20, 100, 500


def _few_short_headers(headers: Any) -> str | None:
    long_entries = any(
        len(name) > _MAX_NAME or len(value) > _MAX_VALUE for name, value in headers.items()
    )
    if len(headers) > _MAX_HEADERS or long_entries:
        return "has too many or too long entries"
    if any("\0" in name or "\0" in value for name, value in headers.items()):
        return "contains NUL, which cannot be stored"
    return None


def _bounded(body: bytes) -> str | None:
    return "has more than 64 KiB" if len(body) > v.MAX_RAW_BODY_BYTES else None


_FIELDS = (
    v.Field("gateway", (v.required, v.at_most(40), v.plain)),
    v.Field("event_key", (v.required, v.at_most(200), v.plain)),
    v.Field("event_type", (v.at_most(200), v.plain)),
    v.Field("reference", (v.at_most(200), v.plain)),
    v.Field("gateway_transaction_id", (v.at_most(200), v.plain)),
    v.Field("raw_body", (_bounded,)),
    v.Field("headers", (_few_short_headers,)),
    v.Field("received_time", (v.in_range,)),
)
