"""Sending a call again when that is safe: every call of this interface is idempotent.

What changes something carries an idempotency key, and the same bytes are sent again. So nothing is
done twice, and a lost answer is not lost.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from payments_client.errors import reason_of

_IN_PROGRESS = "REQUEST_IN_PROGRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a call is sent again.

    `attempts`: tries in all. `first_seconds`: the wait before the second one; it doubles each time
    up to `longest_seconds`, and is shortened by chance so that clients do not come in step.
    """

    attempts: int = 5
    first_seconds: float = 0.2
    longest_seconds: float = 2.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = field(default=random.SystemRandom().random)

    def wait_before(self, attempt: int) -> float:
        """Return how many seconds to wait before try number `attempt` (the first is 1)."""
        longest = min(self.first_seconds * 2.0 ** (attempt - 2), self.longest_seconds)
        return longest * (0.5 + self.chance() / 2)


class RetryInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives every call its credentials and a deadline, and sends it again when that may help.

    `metadata`: what every call carries. `timeout`: seconds that one try may take when the caller
    does not say. A caller's own timeout is for each try, too.
    """

    def __init__(
        self, metadata: tuple[tuple[str, str], ...], timeout: float, policy: RetryPolicy
    ) -> None:
        self._metadata = metadata
        self._timeout = timeout
        self._policy = policy

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Make one call, in up to `policy.attempts` tries."""
        details = self._completed(client_call_details)
        attempt = 1
        while True:
            call = await continuation(details, request)
            error = await _failure_of(call)
            if error is None or attempt >= self._policy.attempts or not may_be_repeated(error):
                return call
            attempt += 1
            await self._policy.sleep(self._policy.wait_before(attempt))

    def _completed(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*self._metadata, *(details.metadata or ()))
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=details.timeout or self._timeout,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


def may_be_repeated(error: grpc.aio.AioRpcError) -> bool:
    """Whether the same call may succeed a moment later."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return True
    return error.code() is grpc.StatusCode.ABORTED and reason_of(error) == _IN_PROGRESS


async def _failure_of(call: Any) -> grpc.aio.AioRpcError | None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    return None
