"""Fetching one small public document over HTTP(S): no redirects, no proxies, no second chances.

The processes that need it may not hold an HTTP client that could reach a gateway, so this can do
nothing but read the one address that its process was configured with.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httptools

from kit.jwks import FetchError

_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 16 * 1024
_CHUNK_BYTES = 16 * 1024
_OK = 200


def document_at(
    url: str, *, context: ssl.SSLContext | None = None
) -> Callable[[], Awaitable[bytes]]:
    """Return a function that fetches the document at `url` (absolute, http or https).

    `context`: whom to trust over https, None for the machine's authorities. The function takes at
    most five seconds and 64 KiB, and raises `FetchError` for anything but a whole 200 answer.
    """
    parts = urlsplit(url)
    secure = (context or ssl.create_default_context()) if parts.scheme == "https" else None
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json\r\n"
        "accept-encoding: identity\r\nconnection: close\r\n\r\n"
    ).encode("ascii")

    async def fetch() -> bytes:
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_connection(host, port, ssl=secure)
                try:
                    writer.write(request)
                    return await _answer(reader)
                finally:
                    writer.close()
        except TimeoutError:
            raise FetchError("no answer in time") from None
        except (OSError, httptools.HttpParserError) as error:
            raise FetchError(type(error).__name__) from error

    return fetch


async def _answer(reader: asyncio.StreamReader) -> bytes:
    document = _Document()
    received = 0
    while not document.complete:
        chunk = await reader.read(_CHUNK_BYTES)
        received += len(chunk)
        if not chunk:
            raise FetchError("the answer was cut")
        if received > _MAX_BYTES + _MAX_HEAD_BYTES:
            raise FetchError("the answer is too large")
        document.feed(chunk)
    if document.status != _OK:
        raise FetchError(f"the answer was {document.status}")
    if len(document.body) > _MAX_BYTES:
        raise FetchError("the answer is too large")
    return bytes(document.body)


class _Document:
    """The one answer of a connection, as httptools reads it."""

    def __init__(self) -> None:
        self.complete = False
        self.status = 0
        self.body = bytearray()
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises `httptools.HttpParserError` for what is not HTTP."""
        self._parser.feed_data(chunk)

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True
