"""A payments service that remembers what it was given and answers as a test tells it to."""

import asyncio
from typing import Any

from kit.errors import ErrorCode, ServiceError
from protos.payments.v1.gateway_events_service_pb2 import (
    GATEWAY_EVENT_RECORDING_RECORDED,
    RecordGatewayEventRequest,
    RecordGatewayEventResponse,
)
from protos.payments.v1.gateway_events_service_pb2_grpc import GatewayEventsServiceServicer

SERVICE = "payments.v1.GatewayEventsService"


class ScriptedPayments(GatewayEventsServiceServicer):
    """Records every event and answers `answer`, or raises it; holds the answer while told to.

    `refused`: bodies that it does not take, whatever the answer.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: nothing received, every event answered "recorded"."""
        self.received: list[RecordGatewayEventRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.answer: RecordGatewayEventResponse | ServiceError = RecordGatewayEventResponse(
            result=GATEWAY_EVENT_RECORDING_RECORDED, gateway_event_id="event-1"
        )
        self.refused: set[bytes] = set()
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def RecordGatewayEvent(  # noqa: N802 - the name in the proto
        self, request: RecordGatewayEventRequest, context: Any
    ) -> RecordGatewayEventResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        self.asked.set()
        await self.may_answer.wait()
        if isinstance(self.answer, ServiceError):
            raise self.answer
        if request.raw_body in self.refused:
            raise ServiceError(ErrorCode.INVALID_ARGUMENT, "SCRIPTED_REFUSAL", "not this one")
        self.received.append(request)
        return self.answer
