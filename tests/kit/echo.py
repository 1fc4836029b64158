"""A small gRPC service that shows, from the inside, what the kit does to every RPC."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.deadlines import time_left
from kit.interceptors import AccessPolicy
from kit.request_scope import current_scope
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret
from kit.user_tokens import SharedSecret, TokenRules, UserTokens
from tests.kit.tokens import SECRET

SERVICE = "tests.v1.EchoService"
CALLERS = {name: f"{name}-token-for-tests-0001" for name in ("bff", "worker", "webhook_receiver")}
USER_TOKENS = UserTokens(TokenRules(algorithms={"HS256": SharedSecret(SECRET)}), SystemClock())


class Echo:
    """Its methods take and return text."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.may_return = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.error: BaseException | None = None

    async def until_entered(self) -> None:
        """Wait until `wait` is being served. Raises `TimeoutError`."""
        async with asyncio.timeout(5):
            await self.entered.wait()

    async def describe(self, _request: str, _context: Any) -> str:
        """Return the request's scope as JSON."""
        scope = current_scope()
        return json.dumps(
            {
                "request_id": scope.request_id,
                "caller": scope.caller,
                "user_id": scope.user_id,
                "time_left": time_left(3600),
            }
        )

    async def fail(self, _request: str, _context: Any) -> str:
        """Raise what the test chose."""
        assert self.error is not None
        raise self.error

    async def abort(self, _request: str, context: Any) -> str:
        """End the RPC as a servicer may do by itself."""
        await context.abort(grpc.StatusCode.DATA_LOSS, "aborted in place")
        return ""

    async def wait(self, _request: str, _context: Any) -> str:
        """Return once the test allows it."""
        self.entered.set()
        try:
            await self.may_return.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "waited"

    async def count(self, request: str, _context: Any) -> AsyncIterator[str]:
        """Stream the request's number of messages, then raise what the test chose, if anything."""
        for number in range(int(request)):
            yield f"{number}:{current_scope().request_id}:{current_scope().caller}"
        if self.error is not None:
            raise self.error

    async def collect(self, requests: AsyncIterator[str], _context: Any) -> str:
        """Take a stream of requests, which no service of ours does."""
        return ",".join([request async for request in requests])


def _handlers(echo: Echo) -> dict[str, Any]:
    def of(make: Callable[..., Any], behaviour: Any) -> Any:
        # grpc itself encodes text, so there is nothing left to serialize.
        return make(behaviour, request_deserializer=bytes.decode)

    unary = grpc.unary_unary_rpc_method_handler
    return {
        "Describe": of(unary, echo.describe),
        "Open": of(unary, echo.describe),
        "Fail": of(unary, echo.fail),
        "Abort": of(unary, echo.abort),
        "Wait": of(unary, echo.wait),
        "Count": of(grpc.unary_stream_rpc_method_handler, echo.count),
        "Collect": of(grpc.stream_unary_rpc_method_handler, echo.collect),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoStub:
    """The client side of the service, as one caller."""

    channel: ServiceChannel

    async def call(
        self, method: str, request: str = "", *, seconds: float = 5, user_token: str | None = None
    ) -> str:
        """Make a unary call through `ServiceChannel`."""
        answer = await self.channel.call(
            self.unary(method), request, timeout=seconds, user_token=user_token
        )
        return str(answer)

    async def describe(self, method: str = "Describe", **options: Any) -> dict[str, Any]:
        """Return the scope that the server saw."""
        return dict(json.loads(await self.call(method, **options)))

    async def count(self, request: str) -> list[str]:
        """Read a whole stream through `ServiceChannel`."""
        method = self.channel.channel.unary_stream(
            f"/{SERVICE}/Count", request_serializer=str.encode, response_deserializer=bytes.decode
        )
        return [message async for message in self.channel.stream(method, request)]

    def unary(self, method: str) -> Any:
        """Return a bare unary method, for calls with metadata of the test's own."""
        return self.channel.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=str.encode,
            response_deserializer=bytes.decode,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEcho:
    """The served service."""

    echo: Echo
    server: GrpcServer
    port: int

    @contextlib.asynccontextmanager
    async def called_by(self, caller: str) -> AsyncIterator[EchoStub]:
        """Connect as one of `CALLERS`, or as somebody with that text for a token."""
        channel = ServiceChannel(f"127.0.0.1:{self.port}", CALLERS.get(caller, caller))
        try:
            yield EchoStub(channel=channel)
        finally:
            await channel.close()


@contextlib.asynccontextmanager
async def echo_serving(
    *, reflection: bool = False, drain_seconds: float = 0.1
) -> AsyncIterator[RunningEcho]:
    """Serve the echo service as our processes serve theirs."""
    policy = AccessPolicy(
        tokens=ServiceTokens(
            [NamedSecret(name=name, secret=secret) for name, secret in CALLERS.items()]
        ),
        allowed={SERVICE: frozenset({"bff", "worker"})},
        user_tokens=USER_TOKENS,
        must_act_for_member=frozenset({"bff"}),
        open_methods=frozenset({f"/{SERVICE}/Open"}),
    )
    options = ServerOptions(
        listen="127.0.0.1:0",
        service_names=[SERVICE],
        domain="tests.v1",
        policy=policy,
        reflection=reflection,
        drain_seconds=drain_seconds,
    )
    echo = Echo()
    server = GrpcServer(options, SystemClock())
    handler = grpc.method_handlers_generic_handler(SERVICE, _handlers(echo))
    server.server.add_generic_rpc_handlers((handler,))
    port = await server.start()
    try:
        yield RunningEcho(echo=echo, server=server, port=port)
    finally:
        echo.may_return.set()
        await server.stop()
