"""How long a call may still take, derived from the caller's own deadline."""

import asyncio

from kit.errors import ErrorCode, ServiceError
from kit.request_scope import current_scope

# Kept back from the caller's time for recording what happened after the call.
_RESERVE_SECONDS = 0.25


def time_left(limit: float) -> float:
    """Return how many seconds a call may take: `limit`, or less when the caller waits less long.

    Raises `ServiceError` (UNAVAILABLE, DEADLINE_TOO_SHORT) when no useful time is left.
    """
    deadline = current_scope().deadline
    if deadline is None:
        return limit
    left = deadline - asyncio.get_running_loop().time() - _RESERVE_SECONDS
    if left <= 0:
        raise ServiceError(
            ErrorCode.UNAVAILABLE, "DEADLINE_TOO_SHORT", "no time is left for the call; try again"
        )
    return min(limit, left)
