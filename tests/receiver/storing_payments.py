"""A payments service that stores each event key once, as the real one does."""

import asyncio
from collections import Counter
from typing import Any

from protos.payments.v1.gateway_events_service_pb2 import (
    GATEWAY_EVENT_RECORDING_DUPLICATE,
    GATEWAY_EVENT_RECORDING_RECORDED,
    RecordGatewayEventRequest,
    RecordGatewayEventResponse,
)
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    GatewayEventsServiceServicer,
    add_GatewayEventsServiceServicer_to_server,
)
from tests.kit.serving import GrpcSetup
from tests.receiver.conftest import payments_setup
from tests.receiver.scripted_payments import SERVICE, ScriptedPayments


class StoringPayments(GatewayEventsServiceServicer):
    """Stores each event key once, as the payments service does, and says which ones were new.

    While `answers` is not set it stores and then never answers.
    """

    def __init__(self) -> None:
        self.asked: Counter[bytes] = Counter()
        self.stored: list[bytes] = []
        self.keys: set[str] = set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.changed = asyncio.Condition()

    async def RecordGatewayEvent(  # noqa: N802 - the name in the proto
        self, request: RecordGatewayEventRequest, _context: Any
    ) -> RecordGatewayEventResponse:
        async with self.changed:
            self.asked[request.raw_body] += 1
            new = request.event_key not in self.keys
            if new:
                self.keys.add(request.event_key)
                self.stored.append(request.raw_body)
            self.changed.notify_all()
        await self.answers.wait()
        result = GATEWAY_EVENT_RECORDING_RECORDED if new else GATEWAY_EVENT_RECORDING_DUPLICATE
        return RecordGatewayEventResponse(result=result, gateway_event_id="event-1")

    async def until_stored(self, bodies: set[bytes]) -> None:
        """Wait until all of these are stored."""
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: bodies <= set(self.stored))


def storing_setup(payments: StoringPayments, port: int) -> GrpcSetup:
    """Return how to serve it on a port; 0 picks a free one."""
    return GrpcSetup(
        service=SERVICE,
        callers=payments_setup(ScriptedPayments()).callers,
        register=lambda server: add_GatewayEventsServiceServicer_to_server(payments, server.server),
        port=port,
    )
