"""The connection to the payments service, with its typed stubs."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self

import grpc

from payments_client.retries import RetryInterceptor, RetryPolicy, may_be_repeated
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub
from protos.payments.v1.payment_pb2 import Payment
from protos.payments.v1.payments_service_pb2 import WatchPaymentRequest
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub

if TYPE_CHECKING:
    from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceAsyncStub
    from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

# A charge may take so long at a gateway, and a fallback as long again.
_DEFAULT_SECONDS = 45.0
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The retries are ours: they know which failures are worth another try.
    ("grpc.enable_retries", 0),
)


class PaymentsClient:
    """A client for one calling service.

    `address`: "host:port" of the payments service. `service_token`: the caller's token there.
    `credentials`: for TLS (`grpc.ssl_channel_credentials()`); None speaks plain text, for a private
    network. `timeout`: seconds that one try of a call may take. Use it as a context manager, or
    call `close`.
    """

    def __init__(
        self,
        address: str,
        service_token: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = _DEFAULT_SECONDS,
        retries: RetryPolicy | None = None,
    ) -> None:
        self._metadata = (("authorization", f"Bearer {service_token}"),)
        self._retries = retries or RetryPolicy()
        interceptors = [RetryInterceptor(self._metadata, timeout, self._retries)]
        self._channel = (
            grpc.aio.secure_channel(
                address, credentials, options=_OPTIONS, interceptors=interceptors
            )
            if credentials
            else grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)
        )
        # Only the type stubs know the asynchronous form of a stub.
        self.payments: PaymentsServiceAsyncStub = PaymentsServiceStub(self._channel)
        self.memberships: MembershipsServiceAsyncStub = MembershipsServiceStub(self._channel)

    async def watch(self, payment_id: str, after_version: int = 0) -> AsyncIterator[Payment]:
        """Yield the payment whenever it changes, until nothing more happens to it by itself.

        An interrupted stream is resumed after the last version that was seen; it gives up after as
        many tries in a row as the retry policy allows. Raises `grpc.aio.AioRpcError`.
        """
        seen, attempt = after_version, 1
        while True:
            request = WatchPaymentRequest(payment_id=payment_id, after_version=seen)
            stream: Any = self.payments.WatchPayment(request, metadata=self._metadata)
            try:
                async for response in stream:
                    seen, attempt = response.payment.version, 1
                    yield response.payment
            except grpc.aio.AioRpcError as error:
                if attempt >= self._retries.attempts or not may_be_repeated(error):
                    raise
            else:
                return
            finally:
                stream.cancel()
            attempt += 1
            await self._retries.sleep(self._retries.wait_before(attempt))

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
