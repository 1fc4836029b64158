"""A TCP proxy before PostgreSQL that can be switched off, and can lose the reply to a COMMIT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class CuttingProxy:
    """Forwards connections to the database of `url`.

    `lose_commit_replies`: while true, a client that commits loses its connection after the server
    has committed and before the client hears of it.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.lose_commit_replies = False

    @property
    def url(self) -> str:
        """The URL of the database through this proxy."""
        credentials = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{credentials}@127.0.0.1:{self._port}").geturl()

    async def start(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and break those that are open, as a database that is stopped."""
        if self._server is not None:
            self._server.close()
            self.break_connections()
            await self._server.wait_closed()

    def break_connections(self) -> None:
        """Break what is open without a word."""
        for client in self._clients:
            client.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            server = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.transport.abort()
        else:
            await self._relay((reader, writer), server)
        finally:
            self._clients.discard(writer)

    async def _relay(self, client: _Stream, server: _Stream) -> None:
        """Forward both ways until one of them ends; then end both, without a word."""
        committed = asyncio.Event()
        ways = [
            asyncio.create_task(self._requests(client[0], server[1], committed)),
            asyncio.create_task(_replies(server[0], client[1], committed)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for writer in (client[1], server[1]):
                writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _requests(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, committed: asyncio.Event
    ) -> None:
        while data := await source.read(_CHUNK):
            if self.lose_commit_replies and b"COMMIT" in data:
                committed.set()
            sink.write(data)


async def _replies(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, committed: asyncio.Event
) -> None:
    while data := await source.read(_CHUNK):
        if committed.is_set():
            # The server has answered, so it has committed; nobody will ever know.
            return
        sink.write(data)


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[CuttingProxy]:
    """Run a proxy before the database of `url`."""
    proxy = CuttingProxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
