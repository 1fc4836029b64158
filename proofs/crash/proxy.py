"""A TCP proxy before PostgreSQL that breaks the connection at one COMMIT of a story."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from proofs.crash.points import CUTS, Moment, Point

_CHUNK = 64 * 1024
# The driver's COMMIT as a message of the PostgreSQL protocol (message type, length, text, NUL).
_COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class CommitProxy:
    """Forwards connections to the database of `url`, and counts the commits that pass.

    `was_cut`: whether the chosen one came and its connection was broken.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._point: Point | None = None
        self._counting = False
        self.port = 0
        self.commits = 0
        self.was_cut = False

    @property
    def url(self) -> str:
        """The URL of the database through this proxy."""
        credentials = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def choose(self, point: Point | None) -> None:
        """Choose the commit to break; counting begins with `begin`."""
        self._point = point if point and point.moment in CUTS else None
        self._counting, self.commits, self.was_cut = False, 0, False

    def begin(self) -> None:
        """Count from here on."""
        self._counting = True

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection both ways until one side ends it; then end both."""
        try:
            server = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.transport.abort()
            return
        committing = asyncio.Event()
        ways = [
            asyncio.create_task(self._requests(reader, server[1], committing)),
            asyncio.create_task(_replies((server[0], writer), committing)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in (writer, server[1]):
                side.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _requests(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await source.read(_CHUNK):
            if _COMMIT in data and self._is_chosen():
                self.was_cut = True
                if self._point is not None and self._point.moment is Moment.COMMIT_LOST:
                    return
                committing.set()
            sink.write(data)

    def _is_chosen(self) -> bool:
        if not self._counting:
            return False
        self.commits += 1
        return self._point is not None and self.commits == self._point.number


async def _replies(streams: _Stream, committing: asyncio.Event) -> None:
    source, sink = streams
    while data := await source.read(_CHUNK):
        if committing.is_set():
            # The server has answered, so it has committed; nobody will ever hear of it.
            return
        sink.write(data)


@asynccontextmanager
async def commit_proxy(url: str) -> AsyncIterator[CommitProxy]:
    """Run a proxy before the database of `url` while the context lasts."""
    proxy = CommitProxy(url)
    connections: set[asyncio.Task[None]] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.forward(reader, writer))
        connections.add(task)
        try:
            await asyncio.wait([task])
        finally:
            connections.discard(task)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await server.wait_closed()
