"""The HTTP boundary: one exchange with a gateway, within the deadline and with one log line."""

import asyncio
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

from gateway_adapters.errors import (
    GatewayFailureError,
    NotSentError,
    OutcomeUnknownError,
)
from gateway_adapters.json_body import MAX_BODY_BYTES, JsonBodyError, JsonObject, read_json_object
from gateway_adapters.verdicts import HttpReply, Progress, Verdict, classify_break
from kit.clock import Clock
from kit.deadlines import time_left
from kit.errors import ServiceError
from kit.ids import Ids
from kit.logs import get_logger
from kit.request_scope import current_scope

_CONNECT_SECONDS = 5.0
# Shorter than the five seconds after which the most impatient common servers close an idle
# connection: a POST that meets such a close would have to be reported as unknown.
_KEEPALIVE_SECONDS = 4.0
_RETRY_SECONDS = 0.4

# Everything that a broken exchange raises. aiohttp's own errors are listed because the transport
# lets those through that it has no httpx name for.
_BREAKS = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, TimeoutError, OSError)

# Read by the callbacks of the connection pool, which run inside the exchange's own task.
_progress: ContextVar[Progress | None] = ContextVar("exchange_progress", default=None)

_encoder = msgspec.json.Encoder(decimal_format="number")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One request to a gateway.

    `operation`: its name in the log. `route`: the path as a template, for example
    "/transactions/{id}/verify"; `parts` fills it. `body`: sent as JSON, decimals as exact numbers.
    `reference`: ours, for the log. GETs may be sent twice, POSTs never are.
    """

    operation: str
    method: Literal["GET", "POST"]
    route: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    reference: str = ""

    @property
    def path(self) -> str:
        """The route with every part filled in and escaped."""
        escaped = {name: quote(value, safe="") for name, value in self.parts.items()}
        return self.route.format(**escaped)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to reach a gateway.

    `timeout_seconds`: limit of one exchange, less when our own caller waits less long.
    `proxy`: URL of an outbound proxy, for gateways that only let listed addresses in.
    `max_connections`: more calls than this wait for one of them to end.
    """

    gateway: str
    base_url: str
    timeout_seconds: float
    proxy: str | None = None
    max_connections: int = 100


class HttpBoundary:
    """Sends requests to one gateway, within the caller's deadline, one log line each."""

    def __init__(self, options: HttpOptions, clock: Clock, ids: Ids) -> None:
        self._options = options
        self._clock = clock
        self._ids = ids
        tls = _trusted_authorities()
        self._client = httpx.AsyncClient(
            base_url=options.base_url,
            transport=AiohttpTransport(
                verify=tls,
                client=partial(_new_session, tls, options.max_connections),
                proxy=httpx.Proxy(options.proxy) if options.proxy else None,
            ),
            timeout=httpx.Timeout(
                options.timeout_seconds, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS
            ),
            headers={
                "User-Agent": "creator-payments",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def exchange(self, call: HttpCall) -> HttpReply:
        """Send a request and return the reply, whatever its status.

        A GET that broke or met a 429 or 5xx is sent once more while there is time. Raises
        `NotSentError` or `OutcomeUnknownError` when there is no reply.
        """
        if call.method != "GET":
            return await self._send_once(call)
        try:
            reply = await self._send_once(call)
        except GatewayFailureError:
            if not self._has_time_for_another():
                raise
        else:
            if not _worth_another(reply) or not self._has_time_for_another():
                return reply
        await self._clock.sleep(self._ids.jitter(_RETRY_SECONDS))
        return await self._send_once(call)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _send_once(self, call: HttpCall) -> HttpReply:
        progress = Progress()
        reset = _progress.set(progress)
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(_seconds_left(self._options.timeout_seconds)):
                reply = await self._receive(self._request(call))
        except _BREAKS as error:
            failure = classify_break(progress, _cause_of(error))
            self._record(call, started, failure=failure)
            raise failure from error
        except GatewayFailureError as failure:
            self._record(call, started, failure=failure)
            raise
        except asyncio.CancelledError as error:
            # Nobody waits for the answer any more; the line is all that tells of the request.
            self._record(call, started, failure=classify_break(progress, _cause_of(error)))
            raise
        finally:
            _progress.reset(reset)
        self._record(call, started, reply=reply)
        return reply

    def _request(self, call: HttpCall) -> httpx.Request:
        headers = {**call.headers, "X-Request-Id": current_scope().request_id}
        content = None
        if call.body is not None:
            content = _encoder.encode(call.body)
            headers["Content-Type"] = "application/json"
        return self._client.build_request(
            call.method, call.path, params=call.query or None, headers=headers, content=content
        )

    async def _receive(self, request: httpx.Request) -> HttpReply:
        response = await self._client.send(request, stream=True)
        try:
            raw = bytearray()
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise OutcomeUnknownError("unreadable_reply", "the reply is too large")
        finally:
            await response.aclose()
        return HttpReply(status=response.status_code, document=_read(bytes(raw)))

    def _has_time_for_another(self) -> bool:
        try:
            return time_left(self._options.timeout_seconds) > 2 * _RETRY_SECONDS
        except ServiceError:
            return False

    def _record(
        self,
        call: HttpCall,
        started: float,
        *,
        reply: HttpReply | None = None,
        failure: GatewayFailureError | None = None,
    ) -> None:
        outcome: str = reply.verdict if reply else Verdict.UNKNOWN
        if isinstance(failure, NotSentError):
            outcome = "not_sent"
        facts: dict[str, Any] = {
            "gateway": self._options.gateway,
            "operation": call.operation,
            "http_method": call.method,
            "route": call.route,
            "http_status": reply.status if reply else None,
            "duration_ms": round((self._clock.monotonic() - started) * 1000, 1),
            "outcome": outcome,
            "reference": call.reference,
        }
        if failure:
            facts["detail"] = failure.detail
        calm = outcome in (Verdict.ANSWERED, Verdict.REFUSED)
        (_log.info if calm else _log.warning)("gateway_call", **facts)


async def _on_connection(*_signal: object) -> None:
    """Note that the current exchange has a connection, so that its bytes may be leaving."""
    progress = _progress.get()
    if progress is not None:
        progress.connected = True


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """Read the certificate authorities we trust, once: it takes 27 ms and never changes."""
    return httpx.create_ssl_context()


def _new_session(tls: ssl.SSLContext, max_connections: int) -> aiohttp.ClientSession:
    """Make the transport's session; called inside the event loop, at the first request."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_on_connection)
    trace.on_connection_reuseconn.append(_on_connection)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=max_connections,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            ssl=tls,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    )


def _cause_of(error: BaseException) -> str:
    """Name what broke: aiohttp's own error where the transport has wrapped one."""
    inner = error.__cause__
    return type(inner if isinstance(inner, aiohttp.ClientError) else error).__name__


def _seconds_left(limit: float) -> float:
    try:
        return time_left(limit)
    except ServiceError as error:
        raise NotSentError("deadline_too_short", error.message) from error


def _worth_another(reply: HttpReply) -> bool:
    return (
        reply.status == HTTPStatus.TOO_MANY_REQUESTS
        or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _read(raw: bytes) -> JsonObject | None:
    try:
        return read_json_object(raw)
    except JsonBodyError:
        return None
