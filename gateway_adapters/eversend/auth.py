"""How Eversend knows us: a short-lived token, fetched once however many calls need it (§2)."""

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from gateway_adapters.errors import GatewayFailureError, NotCreatedError, NotSentError
from gateway_adapters.eversend.states import is_origin_refused, refusal_words
from gateway_adapters.http import HttpBoundary, HttpCall
from gateway_adapters.json_body import JsonObject, identifier_at, object_at
from gateway_adapters.verdicts import GATEWAY_CONFIGURATION, GATEWAY_CREDENTIALS, HttpReply, Verdict
from gateway_adapters.wording import detail_of
from kit.clock import Clock
from kit.deadlines import time_left
from kit.errors import ServiceError

_RENEW_EARLY_SECONDS = 60.0
_REFRESH_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the token call sends. `origin`: the registered domain, where the account needs one."""

    client_id: SecretStr
    client_secret: SecretStr
    origin: str | None
    ttl_fallback_seconds: float

    def origin_headers(self) -> dict[str, str]:
        """Return the Origin header, when there is one; every call carries it (§2)."""
        return {"Origin": self.origin} if self.origin else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    usable_until: float  # on the clock's monotonic seconds


class TokenSource:
    """Hands out the current token, with a single refresh in flight.

    A failed refresh fails everybody who waits for it and is not remembered.
    """

    def __init__(self, http: HttpBoundary, credentials: Credentials, clock: Clock) -> None:
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._token: _Token | None = None
        self._refresh: asyncio.Task[_Token] | None = None

    async def token(self) -> str:
        """Return a usable token.

        Nothing of the caller's own request has been sent meanwhile, so the failures are proofs:
        raises `NotSentError` when Eversend could not be asked, `NotCreatedError` when it refused.
        """
        if self._token and self._clock.monotonic() < self._token.usable_until:
            return self._token.value
        if self._refresh is None:
            # Its own context: the refresh serves everybody, so no caller's deadline may end it.
            self._refresh = asyncio.get_running_loop().create_task(
                self._fetch(), name="eversend-token", context=Context()
            )
            self._refresh.add_done_callback(self._refreshed)
        try:
            async with asyncio.timeout(time_left(_REFRESH_SECONDS)):
                return (await asyncio.shield(self._refresh)).value
        except (TimeoutError, ServiceError) as error:
            raise NotSentError("gateway_unreachable", "no token in time") from error

    def discard(self, value: str) -> None:
        """Forget a token that Eversend no longer accepts, unless it was replaced already."""
        if self._token and self._token.value == value:
            self._token = None

    async def close(self) -> None:
        """Stop a refresh that is under way."""
        if self._refresh:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)

    def _refreshed(self, task: asyncio.Task[_Token]) -> None:
        self._refresh = None
        # Asking for the exception also marks it as seen, when every waiter has given up.
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> _Token:
        call = HttpCall(
            operation="token",
            method="GET",
            route="/auth/token",
            headers={
                "clientId": self._credentials.client_id.get_secret_value(),
                "clientSecret": self._credentials.client_secret.get_secret_value(),
                **self._credentials.origin_headers(),
            },
        )
        try:
            reply = await self._http.exchange(call)
        except GatewayFailureError as error:
            raise NotSentError("gateway_unreachable", error.detail) from error
        document = reply.document or {}
        value = _token_in(document)
        if reply.verdict is not Verdict.ANSWERED or not value:
            raise _token_failure(reply)
        lifetime = self._seconds_to_expiry(document)
        return _Token(value=value, usable_until=self._clock.monotonic() + lifetime)

    def _seconds_to_expiry(self, document: JsonObject) -> float:
        """Return how long the token may be used; its lifetime is not documented (§2)."""
        text = identifier_at(document, "expires")
        try:
            expires = datetime.fromisoformat(text)
            left = (expires - self._clock.now()).total_seconds() - _RENEW_EARLY_SECONDS
        except (ValueError, TypeError):  # no time at all, or one without a zone
            return self._credentials.ttl_fallback_seconds
        # A token that lives shorter than the margin is used for this call and then renewed.
        return max(left, 0.0)


def _token_in(document: JsonObject) -> str:
    nested = object_at(document, "data") or {}
    for value in (document.get("token"), nested.get("token"), document.get("access_token")):
        if isinstance(value, str) and value.isascii() and value.isprintable():
            return value
    return ""


def _token_failure(reply: HttpReply) -> GatewayFailureError:
    words = refusal_words(reply)
    detail = detail_of(words) or f"no token: HTTP {reply.status}"
    if is_origin_refused(reply):
        return NotCreatedError(GATEWAY_CONFIGURATION, detail, operator_alert=True)
    if reply.verdict in (Verdict.FORBIDDEN, Verdict.REFUSED):
        return NotCreatedError(GATEWAY_CREDENTIALS, detail, operator_alert=True)
    return NotSentError("gateway_error", detail)
