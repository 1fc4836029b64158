"""A route as data: what it takes and answers, and who may ask. Serving and OpenAPI both read it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kit.user_tokens import UserTokens
from services.bff.bodies import read_body
from services.bff.identity import Member, member_of
from services.bff.language import Language, language_for
from services.bff.problems import invalid, name_fields
from services.bff.read_limits import ReadLimits

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, checked as far as its endpoint says.

    `member`: who asks; on an endpoint for everybody there is none. `body`: of the endpoint's type.
    `key`: the idempotency key. `language`: the member's.
    """

    request: Request
    language: Language
    body: Any = None
    key: str = ""
    someone: Member | None = None

    @property
    def member(self) -> Member:
        """The member who asks. Raises `LookupError` on an endpoint for everybody."""
        if self.someone is None:
            raise LookupError("this endpoint is for everybody")
        return self.someone


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or header. `schema`: JSON Schema."""

    name: str
    where: str = "query"
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path.

    `handle`: answers. `answer`: type of the JSON answer, or None for another `media_type`.
    `body`: type of the JSON that is taken. `keyed`: whether an `Idempotency-Key` is required.
    `for_everybody`: whether no member need be logged in. `reaches_gateway`: counted by the payments
    service instead of here. `may_be_empty`: whether 204 is an answer too. `problems`: further
    statuses that it may answer. `field_names`: what fields of the protos are called here.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Asked], Awaitable[Response]]
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    media_type: str = JSON
    body: type[msgspec.Struct] | None = None
    keyed: bool = False
    for_everybody: bool = False
    reaches_gateway: bool = False
    may_be_empty: bool = False
    parameters: Sequence[Parameter] = ()
    problems: Sequence[int] = ()
    field_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """What every endpoint checks with."""

    tokens: UserTokens
    reads: ReadLimits

    def route(self, endpoint: Endpoint) -> Route:
        """Return the Starlette route of an endpoint."""

        async def serve(request: Request) -> Response:
            name_fields(request, endpoint.field_names)
            return await endpoint.handle(await self._checked(endpoint, request))

        route = Route(endpoint.path, serve, methods=[endpoint.method])
        if route.methods:
            # Answering HEAD would open streams and count as reading for nobody.
            route.methods.discard("HEAD")
        return route

    async def _checked(self, endpoint: Endpoint, request: Request) -> Asked:
        someone = None
        if not endpoint.for_everybody:
            someone = await member_of(request, self.tokens)
            if not endpoint.reaches_gateway:
                self.reads.take(someone.user_id)
        key = _idempotency_key(request) if endpoint.keyed else ""
        body = await read_body(request, endpoint.body) if endpoint.body else None
        language = language_for(request.headers.get("accept-language", ""))
        return Asked(request=request, language=language, body=body, key=key, someone=someone)


def json_answer(
    asked: Asked, document: msgspec.Struct, *, status: int = 200, **headers: str
) -> Response:
    """Answer with a document; `headers` are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    language = {"content-language": asked.language.code, "vary": "Accept-Language"}
    body = msgspec.json.encode(document)
    return Response(body, status, headers={**language, **named}, media_type=JSON)


def _idempotency_key(request: Request) -> str:
    keys = request.headers.getlist("idempotency-key")
    if len(keys) != 1 or not keys[0]:
        raise invalid("Idempotency-Key", "is required, once: choose a new one for each purchase")
    return keys[0]
