"""Which calls of a member are counted together, and how many a minute are too many.

What may reach a gateway is limited: creating, retrying, confirming and cancelling together, and
asking the gateway apart from them, so that looking never costs the chance to pay. Services that
act for nobody are not limited.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from kit.errors import ErrorCode, ServiceError
from services.payments.ports.limits import Ask, Rate, RateLimits

_SERVICE = "/payments.v1.PaymentsService"
_CREATE = f"{_SERVICE}/CreatePayment"
PAYING = "payment_requests"
CHECKING = "payment_checks"
BUCKETS: Mapping[str, str] = {
    _CREATE: PAYING,
    f"{_SERVICE}/RetryPayment": PAYING,
    f"{_SERVICE}/SubmitPaymentAction": PAYING,
    f"{_SERVICE}/CancelPayment": PAYING,
    f"{_SERVICE}/VerifyPayment": CHECKING,
}
# Sent again with the same key it reaches no gateway, and a lost answer must cost nothing. The
# others may ask the gateway again each time.
_FREE_TO_REPEAT = frozenset({_CREATE})


class MemberLimits:
    """Implements `kit.interceptors.CallLimiter`. `per_minute`: how often, by bucket."""

    def __init__(self, limits: RateLimits, per_minute: Mapping[str, int]) -> None:
        self._limits = limits
        self._rates = {bucket: Rate.per_minute(times) for bucket, times in per_minute.items()}

    async def take(self, method: str, user_id: str, request: Any) -> None:
        """Count a call, whether it will succeed or not.

        Raises `ServiceError` (RESOURCE_EXHAUSTED, with `retry_after_seconds` in its metadata).
        """
        bucket = BUCKETS.get(method)
        if bucket is None:
            return
        ask = Ask(
            bucket=bucket,
            user_id=user_id,
            request=_digest(method, request),
            repeats_are_free=method in _FREE_TO_REPEAT,
        )
        wait = await self._limits.take(ask, self._rates[bucket])
        if wait > 0:
            raise _too_many(math.ceil(wait))


def _digest(method: str, request: Any) -> bytes:
    serialized = request.SerializeToString(deterministic=True)
    return hashlib.sha256(method.encode() + b"\n" + serialized).digest()


def _too_many(seconds: int) -> ServiceError:
    return ServiceError(
        ErrorCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        f"too many requests for this member; try again in {seconds} seconds",
        metadata={"retry_after_seconds": str(seconds)},
    )
