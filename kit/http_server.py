"""Serving an ASGI application over HTTP: limits on what a slow client may hold, an orderly end."""

import asyncio
import contextlib
import math
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from kit.http_protocol import Connections, ImpatientProtocol
from kit.http_sources import Network
from kit.logs import get_logger
from kit.server import AddressInUseError

_BACKLOG = 1024
# How long a request that outlived the drain may take to notice that it was cancelled.
_CANCEL_SECONDS = 0.5

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How an HTTP server treats its clients.

    `header_seconds`: how long a client may take to send the headers of a request, and to agree on
    TLS. `keep_alive_seconds`: how long a connection may idle between requests. `drain_seconds`: how
    long running requests may take to end once the server stops. `max_connections`: further ones
    are answered 503 at once. `max_connections_per_source`: further ones of the same address are
    cut, unless it is in `trusted_proxies`. `tls`: what the server shows itself with (`load_tls`),
    or None for plain HTTP.
    """

    header_seconds: float = 10.0
    keep_alive_seconds: int = 5
    drain_seconds: float = 2.0
    max_connections: int = 1000
    max_connections_per_source: int | None = None
    trusted_proxies: Sequence[Network] = ()
    tls: ssl.SSLContext | None = None


def load_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a server needs for TLS 1.2 or newer, from two PEM files.

    Raises `OSError` (also `ssl.SSLError`) when they cannot be read or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def open_listener(address: str) -> socket.socket:
    """Return a socket that listens on `address` ("host:port"; port 0 picks a free one).

    Raises `AddressInUseError` when the port is taken or the address is not this machine's.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise AddressInUseError(f"cannot listen on {address}: {reason.lower()}") from error


async def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    stop: asyncio.Event,
    options: HttpOptions | None = None,
) -> None:
    """Serve `app` on `listener` until `stop` is set; then let running requests end, and close."""
    server = _Server(app, options or HttpOptions())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    host, port = listener.getsockname()[:2]
    _log.info("listening", listen_address=f"{host}:{port}")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        _log.info("stopping")
        server.should_exit = True
        await serving
        await server.reap()


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, options: HttpOptions) -> None:
        self._options = options
        self._protocol_kind = _protocol_kind(options)
        super().__init__(_uvicorn_config(app, options, self._protocol_kind))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, with our TLS and a limit on how long agreeing on it may take."""
        loop = asyncio.get_running_loop()
        tls = self._options.tls
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=listener,
                backlog=_BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=self._options.header_seconds if tls else None,
            )
            for listener in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: `kit.process` owns them."""
        yield

    async def reap(self) -> None:
        """Wait for the requests that were cancelled because they outlived the drain."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_CANCEL_SECONDS)

    def _protocol(self) -> asyncio.Protocol:
        return self._protocol_kind(self.config, self.server_state, self.lifespan.state)


def _protocol_kind(options: HttpOptions) -> type[ImpatientProtocol]:
    class Protocol(ImpatientProtocol):
        header_seconds = options.header_seconds
        admitted = Connections(
            most_per_source=options.max_connections_per_source, uncounted=options.trusted_proxies
        )

    return Protocol


def _uvicorn_config(
    app: ASGIApp, options: HttpOptions, protocol: type[ImpatientProtocol]
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=options.max_connections,
        timeout_keep_alive=options.keep_alive_seconds,
        timeout_graceful_shutdown=math.ceil(options.drain_seconds),
    )
