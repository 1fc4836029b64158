"""Where verified deliveries go: the seam, and its implementation over gRPC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import grpc

from kit.channel import ServiceChannel
from kit.errors import ErrorCode, ServiceError
from kit.http_health import Readiness
from kit.status import from_rpc_error
from protos.payments.v1 import gateway_events_service_pb2 as events
from protos.payments.v1.gateway_events_service_pb2_grpc import GatewayEventsServiceStub

_SERVICE = events.DESCRIPTOR.services_by_name["GatewayEventsService"].full_name


class Recording(StrEnum):
    """What became of a delivery that is safely stored."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    SPOOLED = "spooled"


class RecorderUnavailableError(Exception):
    """The delivery is not known to be stored.

    `reason`: an UPPER_SNAKE name for whoever operates the receiver; the gateway never sees it.
    `about_delivery`: whether the answer was about this very delivery, so that others may fare
    better.
    """

    def __init__(self, reason: str, *, about_delivery: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.about_delivery = about_delivery


# `kit.status` names so what the service itself never answered: no connection, no time left.
_TRANSPORT_FAILURE = "TRANSPORT_FAILURE"
# Answers that say nothing about the delivery that was sent: all would fare the same.
_ABOUT_THE_SERVICE = frozenset(
    {ErrorCode.UNAVAILABLE, ErrorCode.RESOURCE_EXHAUSTED, ErrorCode.ABORTED,
     ErrorCode.UNAUTHENTICATED, ErrorCode.PERMISSION_DENIED, ErrorCode.UNIMPLEMENTED}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery.

    `event_key`: what makes two deliveries the same one. `reference`, `gateway_transaction_id`:
    as the body has them, possibly empty. `raw_body`: the exact bytes that were verified.
    `headers`: without signatures and secrets. `received_time`: when the receiver took it (UTC).
    `request_id`: of the request that brought it, the same in every process's log.
    """

    gateway: str
    event_key: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    raw_body: bytes
    headers: Mapping[str, str]
    received_time: datetime
    request_id: str


class Recorder(Protocol):
    """Stores deliveries durably."""

    async def record(self, delivery: Delivery) -> Recording:
        """Store a delivery and return once it is durable. Raises `RecorderUnavailableError`."""
        ...

    async def readiness(self) -> Readiness:
        """Whether a delivery that came now could be stored."""
        ...


class GrpcRecorder:
    """Stores deliveries through `GatewayEventsService`, which answers after its commit.

    `timeout`: seconds that one call may take.
    """

    def __init__(self, channel: ServiceChannel, *, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout
        self._events = GatewayEventsServiceStub(channel.channel)

    async def record(self, delivery: Delivery) -> Recording:
        """Store a delivery. Anything but a clear answer raises `RecorderUnavailableError`."""
        try:
            response = await self._channel.call(
                self._events.RecordGatewayEvent, _request(delivery), timeout=self._timeout
            )
        except grpc.aio.AioRpcError as error:
            answer = from_rpc_error(error)
            raise RecorderUnavailableError(
                answer.reason, about_delivery=_is_about_the_delivery(answer)
            ) from error
        if response.result == events.GATEWAY_EVENT_RECORDING_RECORDED:
            return Recording.RECORDED
        if response.result == events.GATEWAY_EVENT_RECORDING_DUPLICATE:
            return Recording.DUPLICATE
        raise RecorderUnavailableError("RESULT_UNSPECIFIED")

    async def readiness(self) -> Readiness:
        """Whether the payments service takes events."""
        serves = await self._channel.serves(_SERVICE)
        return Readiness(ready=serves, facts={"payments": "serving" if serves else "away"})


def _is_about_the_delivery(answer: ServiceError) -> bool:
    return answer.reason != _TRANSPORT_FAILURE and answer.code not in _ABOUT_THE_SERVICE


def _request(delivery: Delivery) -> events.RecordGatewayEventRequest:
    request = events.RecordGatewayEventRequest(
        gateway=delivery.gateway,
        event_key=delivery.event_key,
        event_type=delivery.event_type,
        reference=delivery.reference,
        gateway_transaction_id=delivery.gateway_transaction_id,
        raw_body=delivery.raw_body,
        headers=delivery.headers,
    )
    request.received_time.FromDatetime(delivery.received_time)
    return request
