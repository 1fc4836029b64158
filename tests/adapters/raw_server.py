"""A gateway reduced to a socket: it does with each request exactly what the test says."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

OK = b'{"status":"success"}'


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request that arrived, and the connection it came on."""

    number: int
    connection: int
    head: bytes
    body: bytes
    writer: asyncio.StreamWriter

    async def reply(self, body: bytes = OK, *, status: str = "200 OK", length: int = -1) -> None:
        """Answer and keep the connection. `length`: what Content-Length claims, if not true."""
        claimed = len(body) if length < 0 else length
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {claimed}"
        self.writer.write(head.encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def hang_up(self) -> None:
        """Close the connection in an orderly way."""
        self.writer.close()


Behaviour = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class RawServer:
    """Listens on a free port.

    `greeting`: said before anything is asked. `exchanges`: every request that arrived in full;
    `arrived`: there is one.
    """

    behaviour: Behaviour
    scheme: str = "http"
    greeting: bytes = b""
    port: int = 0
    connections: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The server's base URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests from one connection until it ends."""
        self.connections += 1
        connection = self.connections
        writer.write(self.greeting)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_content_length(head))
                exchange = Exchange(
                    number=len(self.exchanges) + 1,
                    connection=connection,
                    head=head,
                    body=body,
                    writer=writer,
                )
                self.exchanges.append(exchange)
                self.arrived.set()
                await self.behaviour(exchange)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone, which some behaviours are about
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_server(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, *, greeting: bytes = b""
) -> AsyncIterator[RawServer]:
    """Run a server for the length of a test."""
    server = RawServer(behaviour=behaviour, scheme="https" if tls else "http", greeting=greeting)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


async def silent(_: Exchange) -> None:
    """Take the request and never answer."""
    await asyncio.Event().wait()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
