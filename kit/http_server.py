"""Serving an ASGI application over HTTP: limits on what a slow client may hold, an orderly end."""

import asyncio
import contextlib
import math
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kit.logs import get_logger
from kit.server import AddressInUseError

_BACKLOG = 1024
# Far more than a gateway or a browser sends, and too little to fill the memory with.
_MAX_HEADER_BYTES = 32 * 1024
# How long a request that outlived the drain may take to notice that it was cancelled.
_CANCEL_SECONDS = 0.5

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How an HTTP server treats its clients.

    `header_seconds`: how long a client may take to send the headers of a request.
    `keep_alive_seconds`: how long a connection may idle between requests. `drain_seconds`: how
    long running requests may take to end once the server stops. `max_connections`: further ones
    are answered 503 at once.
    """

    header_seconds: float = 10.0
    keep_alive_seconds: int = 5
    drain_seconds: float = 2.0
    max_connections: int = 1000


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
    server = _Server(_uvicorn_config(app, options or HttpOptions()))
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


def _uvicorn_config(app: ASGIApp, options: HttpOptions) -> uvicorn.Config:
    class Protocol(_ImpatientProtocol):
        header_seconds = options.header_seconds

    return uvicorn.Config(
        app,
        http=Protocol,
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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: `kit.process` owns them."""
        yield

    async def reap(self) -> None:
        """Wait for the requests that were cancelled because they outlived the drain."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_CANCEL_SECONDS)


class _ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for ever for headers of any size."""

    header_seconds: float
    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._header_timer is None:
            return
        self._header_bytes += len(data)
        if self._header_bytes > _MAX_HEADER_BYTES:
            self._disarm()
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def _await_headers(self) -> None:
        if self._header_timer is None:
            self._header_bytes = 0
            self._header_timer = self.loop.call_later(self.header_seconds, self._drop)

    def _disarm(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _drop(self) -> None:
        self._header_timer = None
        self.transport.close()
