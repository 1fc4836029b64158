"""`GET /v1/auth/token` and the gate in front of every other call (section 2)."""

import secrets
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.eversend.records import AccessToken
from gateway_sandboxes.eversend.replies import RefusedError
from gateway_sandboxes.eversend.settings import Settings
from gateway_sandboxes.fault_gate import Endpoint
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.json_http import json_reply
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.store import Collection


class AuthApi:
    """Issues tokens and checks them."""

    def __init__(self, settings: Settings, machinery: Machinery) -> None:
        self._settings = settings
        self._machinery = machinery
        self._tokens = Collection(machinery.store, "tokens", AccessToken)

    async def token(self, request: Request) -> Response:
        """Exchange the client's credentials for a token; the reply has no envelope."""
        client_id = request.headers.get("clientId", "")
        client_secret = request.headers.get("clientSecret", "")
        if not (
            _same(client_id, self._settings.client_id)
            and _same(client_secret, self._settings.client_secret)
        ):
            return json_reply({"status": 401, "message": "Invalid client credentials"}, 401)
        ttl = timedelta(seconds=self._machinery.behaviour.current.token_ttl)
        access = AccessToken(
            token=secrets.token_hex(20), expires_at=self._machinery.clock.now() + ttl
        )
        self._tokens.put(access.token, access)
        expires = isoformat(access.expires_at)
        return json_reply({"status": 200, "token": access.token, "expires": expires})

    async def describe_token(self, _: Request) -> Subject:
        """Say that a request is about a token."""
        return Subject(operation="token")

    def origin_checked(self, endpoint: Endpoint) -> Endpoint:
        """Let only requests through that come from the registered origin, where one is required."""

        async def checked(request: Request) -> Response:
            behaviour = self._machinery.behaviour.current
            origin = request.headers.get("origin")
            if behaviour.require_origin and (not origin or behaviour.origin not in (None, origin)):
                raise RefusedError("Invalid request origin", 401)
            return await endpoint(request)

        return checked

    def authenticated(self, endpoint: Endpoint) -> Endpoint:
        """Let only requests through that carry a token which has not expired."""

        async def checked(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            access = self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
            if access is None or access.expires_at <= self._machinery.clock.now():
                raise RefusedError("Unauthorized", 401)
            return await endpoint(request)

        return self.origin_checked(checked)


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())
