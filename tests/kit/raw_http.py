"""HTTP over a bare socket: for requests that no client library agrees to send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """What came back before the server closed; `status` 0 means nothing did."""

    status: int
    head: str
    body: bytes


@asynccontextmanager
async def connection(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and close afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_to_end(reader: asyncio.StreamReader) -> RawAnswer:
    """Read until the server closes. Raises `TimeoutError` when it does not."""
    received = b""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        try:
            while chunk := await reader.read(65536):
                received += chunk
        except ConnectionResetError:
            # The server closed while we still had something to say; what it said counts.
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 0
    return RawAnswer(status=status, head=head.decode("latin-1").lower(), body=body)


async def send_raw(port: int, request: bytes) -> RawAnswer:
    """Send the bytes and read until the server closes."""
    async with connection(port) as (reader, writer):
        writer.write(request)
        return await read_to_end(reader)
