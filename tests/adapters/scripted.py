"""A gateway that answers each path with what the test wrote down, for replies no sandbox gives."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from gateway_adapters.charges import ChargeOrder, Method, Payer
from gateway_adapters.gateway import Gateway
from gateway_adapters.registry import REGISTRY
from kit.ids import SystemIds
from kit.money import Money
from kit.settings import load_settings
from tests.adapters.cases import CASES
from tests.adapters.raw_server import Exchange, raw_server
from tests.adapters.rig import TOKEN, HastyClock

TOKEN_REPLY = '{"status": 200, "token": "0123456789abcdef0123456789abcdef01234567"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the gateway saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@dataclass(slots=True, kw_only=True)
class Script:
    """What to answer. `replies`: path → body, or status and body; a list is used up in turn.

    `clock`: the gateway's.
    """

    replies: dict[str, Any]
    requests: list[Request] = field(default_factory=list)
    clock: HastyClock = field(default_factory=HastyClock)

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request; a path that nobody wrote down is a 404 in HTML."""
        method, target, _ = exchange.head.split(b"\r\n")[0].decode().split(" ")
        parts = urlsplit(target)
        body = msgspec.json.decode(exchange.body) if exchange.body else None
        query = dict(parse_qsl(parts.query))
        self.requests.append(Request(method=method, path=parts.path, query=query, body=body))
        reply = self.replies.get(parts.path, (404, "<html>Cannot GET</html>"))
        if isinstance(reply, list):
            reply = reply.pop(0)
        status, text = reply if isinstance(reply, tuple) else (200, reply)
        await exchange.reply(text.encode(), status=f"{status} Scripted")

    def count(self, path: str) -> int:
        """Return how many requests came for a path."""
        return [request.path for request in self.requests].count(path)

    @property
    def last_body(self) -> Any:
        """The body of the last request that had one."""
        return [request.body for request in self.requests if request.body is not None][-1]


@contextlib.asynccontextmanager
async def scripted(
    name: str, replies: Mapping[str, Any], **changes: object
) -> AsyncIterator[tuple[Gateway, Script]]:
    """Build a gateway on a scripted server."""
    script = Script(replies={"/auth/token": TOKEN_REPLY, **replies})
    registration = REGISTRY[name]
    async with raw_server(script.answer) as server:
        facts: dict[str, object] = {
            "environment": "test",
            "gateway_service_tokens": f"payments={TOKEN}",
            f"{name}_base_url": server.url,
            **CASES[name].settings,
            **changes,
        }
        settings = load_settings(registration.settings, **facts)
        build = resolve_name(registration.builder)
        gateway: Gateway = build(settings, script.clock, SystemIds(script.clock))
        try:
            yield gateway, script
        finally:
            await gateway.close()


def an_order(
    money: Money, method: Method = Method.CARD, country: str = "", option: str = ""
) -> ChargeOrder:
    """Return a charge to create, under the reference "cpscript01"."""
    return ChargeOrder(
        reference="cpscript01",
        amount=money,
        method=method,
        payer=Payer(
            email="amina.k@example.com",
            name="Amina Kato",
            phone_number="+256772123456" if country else "",
            country=country,
        ),
        return_url="https://creators.example/return",
        description="Pro membership, one month",
        option=option,
    )
