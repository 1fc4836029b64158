"""What every HTTP request gets: an id, a scope, security headers, a log line, a net for errors."""

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.clock import Clock
from kit.http_problems import problem_response
from kit.logs import get_logger
from kit.request_scope import REQUEST_ID_KEY, RequestScope, enter_scope, new_request_id

_SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# Asked every few seconds by whatever watches the process.
_PROBES = frozenset({"/healthz", "/readyz"})
_SERVER_ERROR = 500
# A client that is answered before it has sent everything must get to read the answer: closing at
# once would reset the connection under it. So the rest is discarded, for so long and so much.
_LINGER_SECONDS = 0.5
_LINGER_BYTES = 1024 * 1024
_FACTS = "kit.log_facts"

_log = get_logger(__name__)


class RequestMiddleware:
    """Scopes, guards, times and logs every request.

    The request id is our own, never the client's: what we log and audit cannot be chosen from
    outside. Put it first in an application's middleware.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(
            scope=scope,
            receive=receive,
            send=send,
            clock=self._clock,
            request_id=new_request_id(),
        )
        enter_scope(RequestScope(request_id=exchange.request_id))
        try:
            await self._app(scope, exchange.receive_message, exchange.send_message)
        except Exception as error:
            _log.error("http_failed_unexpectedly", route=exchange.route, exc_info=error)
            if exchange.status is not None:
                raise  # half an answer is out: the server can only cut the connection
            await exchange.fail()
        finally:
            exchange.report()


def note(request: Request, **facts: object) -> None:
    """Add facts to the log line of a request."""
    request.scope.setdefault(_FACTS, {}).update(facts)


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """One request and what has become of it."""

    scope: Scope
    receive: Receive
    send: Send
    clock: Clock
    request_id: str
    status: int | None = None
    body_read: bool = field(init=False)
    started: float = field(init=False)
    answered: float | None = None

    def __post_init__(self) -> None:
        headers = dict(self.scope["headers"])
        announced = headers.get(b"content-length", b"0") != b"0"
        self.body_read = not announced and b"transfer-encoding" not in headers
        self.started = self.clock.monotonic()

    @property
    def route(self) -> str:
        """The path's template: the path itself may carry personal data."""
        return getattr(self.scope.get("route"), "path", "unmatched")

    async def receive_message(self) -> Message:
        message = await self.receive()
        if not message.get("more_body", False):
            self.body_read = True
        return message

    async def send_message(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
        elif not self.body_read and not message.get("more_body", False):
            await self.send({**message, "more_body": True})
            await self._discard_body()
            message = {"type": "http.response.body", "body": b""}
        await self.send(message)

    async def fail(self) -> None:
        """Answer 500 without a word about the cause."""
        answer = problem_response(
            _SERVER_ERROR, f"an unexpected error; quote request id {self.request_id}"
        )
        await answer(self.scope, self.receive_message, self.send_message)

    def report(self) -> None:
        """Log the request."""
        log = _log.info
        if self.status is None or self.status >= _SERVER_ERROR:
            log = _log.warning
        elif self.route in _PROBES:
            log = _log.debug
        seconds = (self.answered or self.clock.monotonic()) - self.started
        facts: dict[str, object] = self.scope.get(_FACTS, {})
        log(
            "http",
            method=self.scope["method"],
            route=self.route,
            status=self.status,
            duration_ms=round(seconds * 1000, 1),
            **facts,
        )

    def _begin(self, message: Message) -> None:
        self.status = message["status"]
        self.answered = self.clock.monotonic()
        headers = MutableHeaders(scope=message)
        headers[REQUEST_ID_KEY] = self.request_id
        for name, value in _SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if not self.body_read:
            headers["connection"] = "close"

    async def _discard_body(self) -> None:
        discarded = 0
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self.body_read and discarded < _LINGER_BYTES:
                    discarded += len((await self.receive_message()).get("body", b""))
        except TimeoutError:
            return
