"""The client side of every RPC: credentials, request id and a deadline on each call."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit.deadlines import time_left
from kit.interceptors import AUTHORIZATION_KEY, USER_TOKEN_KEY
from kit.request_scope import PAYMENT_ID_KEY, REQUEST_ID_KEY, current_scope

_OPTIONS = (
    # A restarted server is found again within a second, not after gRPC's default two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The library's own retries would send a charge twice; ours know what is safe.
    ("grpc.enable_retries", 0),
)
_HEALTH_SECONDS = 1.0


class ServiceChannel:
    """A connection to one of our services.

    `address`: "host:port". `token`: this process's service token for it.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._token = token

    async def call(
        self,
        method: Callable[..., Any],
        request: Any,
        *,
        timeout: float,  # noqa: ASYNC109 - gRPC enforces it, on both sides of the wire
        user_token: str | None = None,
        wait_for_ready: bool = False,
    ) -> Any:
        """Make one unary call.

        `method`: a method of a stub made from `channel`. `timeout`: seconds; less when our own
        caller waits less long. `wait_for_ready`: wait for a service that is just restarting
        instead of failing at once. Raises `grpc.aio.AioRpcError`.
        """
        return await method(
            request,
            timeout=time_left(timeout),
            metadata=self.metadata(user_token),
            wait_for_ready=wait_for_ready,
        )

    def stream(
        self, method: Callable[..., Any], request: Any, *, user_token: str | None = None
    ) -> AsyncIterator[Any]:
        """Open one server stream; it ends with the service's stream or by cancelling the task."""
        stream: AsyncIterator[Any] = method(request, metadata=self.metadata(user_token))
        return stream

    async def serves(self, service: str) -> bool:
        """Ask by `grpc.health.v1` whether the other side serves `service` (its full name)."""
        check = health_pb2_grpc.HealthStub(self.channel).Check
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = await self.call(check, request, timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def metadata(self, user_token: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call made now."""
        scope = current_scope()
        pairs: tuple[tuple[str, str], ...] = (
            (AUTHORIZATION_KEY, f"Bearer {self._token}"),
            (REQUEST_ID_KEY, scope.request_id),
        )
        if scope.payment_id is not None:
            pairs += ((PAYMENT_ID_KEY, scope.payment_id),)
        return pairs if user_token is None else (*pairs, (USER_TOKEN_KEY, user_token))

    async def close(self) -> None:
        """Close the connection."""
        await self.channel.close()
