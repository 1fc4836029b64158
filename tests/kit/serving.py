"""Real servers on free ports of 127.0.0.1 for the length of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp

from kit.clock import SystemClock
from kit.http_server import HttpOptions, open_listener, serve_http
from kit.interceptors import AccessPolicy
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret


@contextlib.asynccontextmanager
async def http_serving(app: ASGIApp, options: HttpOptions | None = None) -> AsyncIterator[int]:
    """Serve `app` as the processes do; the port."""
    listener = open_listener("127.0.0.1:0")
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_http(app, listener, stop, options))
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        await serving


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSetup:
    """One gRPC server: its service, who may call it, and what registers the servicer.

    `port` 0 picks a free one; a test that restarts its server names the port it had.
    """

    service: str
    callers: Sequence[NamedSecret]
    register: Callable[[GrpcServer], None]
    port: int = 0


@contextlib.asynccontextmanager
async def grpc_serving(setup: GrpcSetup) -> AsyncIterator[GrpcServer]:
    """Serve as the processes do; the server, with its `port`."""
    policy = AccessPolicy(
        tokens=ServiceTokens(setup.callers),
        allowed={setup.service: frozenset(each.name for each in setup.callers)},
    )
    options = ServerOptions(
        listen=f"127.0.0.1:{setup.port}",
        service_names=[setup.service],
        domain=setup.service.rpartition(".")[0],
        policy=policy,
        drain_seconds=0.2,
    )
    server = GrpcServer(options, SystemClock())
    setup.register(server)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
