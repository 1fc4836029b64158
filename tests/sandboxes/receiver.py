"""A merchant's webhook endpoint in a test: keeps what arrives and answers as it is told."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request: headers by lower-case name, and the raw body."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Answers 200 unless `answers` holds other statuses for the next requests; 0 never answers."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until so many requests have arrived, and return all of them."""
        async with asyncio.timeout(WAIT_SECONDS), self.arrival:
            await self.arrival.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request on a connection of its own."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")[1:]
            pairs = (line.split(":", 1) for line in lines if ":" in line)
            headers = {name.lower(): value.strip() for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status = self.answers.popleft() if self.answers else 200
            async with self.arrival:
                self.received.append(Received(headers=headers, body=body))
                self.arrival.notify_all()
            if status:
                reply = f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                writer.write(reply.encode())
                await writer.drain()
            else:
                await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/webhooks"
    async with server:
        yield receiver
