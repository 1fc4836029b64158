"""Only over HTTPS outside of development, and only for known pages of other origins."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.http_sources import Network, source_of
from services.bff.problems import Problem, problem_answer

# Two years, as the preload lists of browsers ask for.
_HSTS = "max-age=63072000; includeSubDomains"
# Whatever watches the process asks it directly and sends no secret.
_PROBES = frozenset({"/healthz", "/readyz"})
_FORWARDED_PROTO = "x-forwarded-proto"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsRule:
    """Whether plain HTTP is refused, and `trusted_proxies`: whose X-Forwarded-Proto is believed."""

    required: bool
    trusted_proxies: Sequence[Network] = ()


class HttpsMiddleware:
    """Refuses what did not come over HTTPS, and tells browsers to stay with it."""

    def __init__(self, app: ASGIApp, rule: HttpsRule) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not self._rule.required or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        if not self._is_secure(scope):
            # No redirect: it would hide that a token has just travelled in the clear.
            problem = Problem(status=403, reason="HTTPS_REQUIRED")
            await problem_answer(Request(scope), problem)(scope, receive, send)
            return

        async def send_securely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["strict-transport-security"] = _HSTS
            await send(message)

        await self._app(scope, receive, send_securely)

    def _is_secure(self, scope: Scope) -> bool:
        if scope["scheme"] == "https":
            return True
        if not source_of(scope, self._rule.trusted_proxies).proxied:
            return False
        # Each proxy appends what it saw, or replaces it: the last word is our own proxy's.
        claims = ",".join(Headers(scope=scope).getlist(_FORWARDED_PROTO)).split(",")
        return claims[-1].strip().lower() == "https"


class CorsMiddleware(CORSMiddleware):
    """Lets the pages of allowed origins in; a refusal is a problem document like every other."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "idempotency-key", "last-event-id"],
            expose_headers=["location", "retry-after", "x-request-id"],
            max_age=600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether it may ask."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == _OK:
            return answer
        raw = [(name.encode(), value.encode()) for name, value in request_headers.items()]
        request = Request({"type": "http", "headers": raw})
        return problem_answer(request, Problem(status=403, reason="ORIGIN_NOT_ALLOWED"))
