"""Reading a request's body within limits, before anybody looks at it."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request

from kit.http_protocol import REQUEST_BEGAN


class BodyTooLargeError(Exception):
    """The body is larger than a gateway ever sends."""


class BodyTooSlowError(Exception):
    """The request did not arrive in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, and how long a whole request may take, headers included."""

    max_bytes: int
    request_seconds: float


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """Return the exact bytes of the body.

    A body that announces too much is refused unread; one that does not is counted as it comes.
    Raises `BodyTooLargeError`, `BodyTooSlowError`, and Starlette's `ClientDisconnect`.
    """
    if int(request.headers.get("content-length", "0")) > limits.max_bytes:
        raise BodyTooLargeError
    try:
        async with asyncio.timeout_at(request.scope[REQUEST_BEGAN] + limits.request_seconds):
            return await _read_counted(request, limits.max_bytes)
    except TimeoutError:
        raise BodyTooSlowError from None


async def _read_counted(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLargeError
    return bytes(body)
