"""Flutterwave's envelopes and its ways to say no (contract A1, A12)."""

import html
import secrets

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway_sandboxes.fault_gate import Endpoint, FaultReplies
from gateway_sandboxes.json_http import InvalidJsonError, json_reply

NOT_FOUND = "No transaction was found for this id"
INACTIVE_LINK = "This payment link is currently inactive"


class RefusedError(Exception):
    """The request is refused with an error envelope."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def success(message: str, data: object, **more: object) -> Response:
    """Answer with the success envelope."""
    return json_reply({"status": "success", "message": message, **more, "data": data})


def error(message: str, status: int, **more: object) -> Response:
    """Answer with the error envelope."""
    return json_reply({"status": "error", "message": message, "data": None, **more}, status)


async def refused(_: Request, refusal: Exception) -> Response:
    """Turn `RefusedError` into its envelope."""
    status = refusal.status if isinstance(refusal, RefusedError) else 400
    return error(str(refusal), status)


async def invalid_json(_: Request, problem: Exception) -> Response:
    """Answer a body that is not JSON."""
    return error(str(problem), 400)


async def unknown_route(request: Request, _: Exception) -> Response:
    """Answer as the framework behind the real API does: an HTML page."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        f"</head>\n<body>\n<pre>Cannot {request.method} {_escaped_path(request)}</pre>\n"
        "</body>\n</html>\n"
    )
    return HTMLResponse(page, 404)


EXCEPTION_HANDLERS = {
    RefusedError: refused,
    InvalidJsonError: invalid_json,
    404: unknown_route,
    405: unknown_route,
}

FAULT_REPLIES = FaultReplies(
    rate_limited=lambda: error("Too many requests", 429),
    server_error=lambda: error("An error occurred", 500, error_id=f"ERRNO{secrets.token_hex(5)}"),
    timed_out=lambda: error("An error occurred. Please contact support", 503),
)


def authenticated(secret_key: str, endpoint: Endpoint) -> Endpoint:
    """Let only requests through that carry the secret key."""

    async def checked(request: Request) -> Response:
        header = request.headers.get("authorization")
        if header is None:
            return error("Authorization required", 401)
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return error("merchant secret key required", 401)
        if not secrets.compare_digest(key.strip().encode(), secret_key.encode()):
            return error("Invalid authorization key", 401)
        return await endpoint(request)

    return checked


def _escaped_path(request: Request) -> str:
    return html.escape(request.url.path)
