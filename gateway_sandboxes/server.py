"""One port with an HTTP server behind it, which can really be closed and opened again."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

_GRACE_SECONDS = 1.0


class PortInUseError(Exception):
    """The wanted port is taken; the message names it."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process and says when it listens."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
        )
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def stop_listening(self) -> None:
        """Close the socket and idle connections at once; requests under way may finish."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        self.should_exit = True

    def abort(self) -> None:
        """Cut every connection that is left."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        self.force_exit = True


class Listener:
    """A port of the sandbox: taken at construction, answering after `open`.

    While closed, the port stays bound without listening: a connect is refused, and nobody else can
    take the port meanwhile.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._socket = _bind(host, port)
        self._port = int(self._socket.getsockname()[1])
        self._app: Starlette | None = None
        self._server: _Server | None = None
        self._serving: dict[_Server, asyncio.Task[None]] = {}
        self._switching = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where a client on this machine reaches the listener."""
        return f"http://{_reachable(self._host)}:{self._port}"

    @property
    def is_open(self) -> bool:
        """Whether a connect is accepted."""
        return self._server is not None

    async def open(self, app: Starlette) -> None:
        """Listen, and answer with `app`."""
        app.state.cut_connection = self._cut_connection
        self._app = app
        await self.resume()

    async def pause(self) -> None:
        """Close the port: a connect is refused. Requests under way may still finish."""
        async with self._switching:
            if self._server is None:
                return
            self._server.stop_listening()
            self._server = None
            self._socket.close()
            self._socket = _bind(self._host, self._port)

    async def resume(self) -> None:
        """Listen again after `pause`; nothing happens when the port is open."""
        async with self._switching:
            if self._server is not None or self._app is None:
                return
            server = _Server(self._app)
            task = asyncio.create_task(server.serve(sockets=[self._socket]))
            self._serving[server] = task
            task.add_done_callback(lambda _: self._serving.pop(server, None))
            listening = asyncio.create_task(server.listening.wait())
            await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                listening.cancel()
                await task
            self._server = server

    async def close(self) -> None:
        """Stop for good: requests under way get a second to finish, then they are cut."""
        async with self._switching:
            if self._server is not None:
                self._server.stop_listening()
                self._server = None
            self._app = None
            self._socket.close()
            if not (serving := dict(self._serving)):
                return
            _, late = await asyncio.wait(serving.values(), timeout=_GRACE_SECONDS)
            for server, task in serving.items():
                if task in late:
                    server.abort()
            await asyncio.wait(serving.values())

    def _cut_connection(self, client: tuple[str, int]) -> None:
        """Abort the connection that comes from `client` (address and port of the peer)."""
        for server in self._serving:
            for connection in list(server.server_state.connections):
                peer = connection.transport.get_extra_info("peername") or ()
                if tuple(peer[:2]) == tuple(client):
                    connection.transport.abort()


def _reachable(host: str) -> str:
    """Return an address to connect to: an unspecified one stands for this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only for sockets that name their protocol; with it,
    # every reply of two writes would wait 40 ms for the client's acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.settimeout(0)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"port {port} on {host} is in use") from error
        raise
    return bound
