"""The BFF's calls to the payments service."""

from collections.abc import Callable
from typing import Any

import grpc

from kit.channel import ServiceChannel
from kit.status import from_rpc_error
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub

_MEMBERSHIPS_SERVICE = memberships.DESCRIPTOR.services_by_name["MembershipsService"].full_name


class PaymentsClient:
    """What the routes ask of the payments service.

    `timeout`: seconds that one call may take. Every call raises `kit.errors.ServiceError`.
    """

    def __init__(self, channel: ServiceChannel, *, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout
        self._memberships = MembershipsServiceStub(channel.channel)

    async def list_tiers(self, currency: str) -> memberships.ListTiersResponse:
        """Return the price book in `currency` (ISO 4217)."""
        request = memberships.ListTiersRequest(currency_code=currency)
        response: memberships.ListTiersResponse = await self._call(
            self._memberships.ListTiers, request
        )
        return response

    async def is_ready(self) -> bool:
        """Whether the payments service serves."""
        return await self._channel.serves(_MEMBERSHIPS_SERVICE)

    async def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return await self._channel.call(method, request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
