"""Where driven processes reach the gateways: a socket of a process that is never killed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec

from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.messages import Begins, Letter

_decoder = msgspec.json.Decoder(Letter)


class Door:
    """Hands letters to the books that are open now.

    `on_begin`: called when a story's preparation is over.
    """

    def __init__(self) -> None:
        self.books: GatewayBooks | None = None
        self.port = 0
        self.on_begin: Callable[[], None] = lambda: None
        self._visitors: set[asyncio.StreamWriter] = set()

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the letters of one process until it is gone, however it went."""
        self._visitors.add(writer)
        try:
            with suppress(ConnectionError):
                while line := await reader.readline():
                    writer.write(msgspec.json.encode(self._reply(line)) + b"\n")
        finally:
            self._visitors.discard(writer)
            writer.close()

    def _reply(self, line: bytes) -> object:
        letter = _decoder.decode(line)
        if isinstance(letter.ask, Begins):
            self.on_begin()
        return self.books.handle(letter) if self.books else None

    def close(self) -> None:
        """Send away who is still there."""
        for visitor in self._visitors:
            visitor.transport.abort()


@asynccontextmanager
async def open_door() -> AsyncIterator[Door]:
    """Listen while the context lasts."""
    door = Door()
    server = await asyncio.start_server(door.receive, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        door.close()
        await server.wait_closed()
