"""What a client may do to a connection: uvicorn's HTTP protocol with limits on time and size."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kit.http_sources import GONE, Network, parse_address, site_of, within
from kit.logs import get_logger

# Far more than a gateway or a browser sends, and too little to fill the memory with.
_MAX_HEADER_BYTES = 32 * 1024
_MAX_HEADERS = 100

# In a request's scope: when its first byte could have come, on the event loop's clock (seconds).
REQUEST_BEGAN = "kit.request_began"

_log = get_logger(__name__)


class _TooManyHeadersError(Exception):
    """More headers than any client needs; the parser makes 400 of it."""


@dataclass(slots=True, kw_only=True)
class Connections:
    """The open connections of one server, counted by source.

    `most_per_source`: how many one source may have, or None for any number. `uncounted`: networks
    of proxies, which speak for many.
    """

    most_per_source: int | None
    uncounted: Sequence[Network]
    _open: Counter[str] = field(default_factory=Counter)

    def admit(self, peer: str) -> bool:
        """Count one more connection of `peer`; False when it has too many."""
        if self.most_per_source is None:
            return True
        address = parse_address(peer)
        if within(address, self.uncounted):
            return True
        self._open[site_of(address)] += 1
        return self._open[site_of(address)] <= self.most_per_source

    def forget(self, peer: str) -> None:
        """Count one connection of `peer` less, if it was counted."""
        site = site_of(parse_address(peer))
        self._open[site] -= 1
        if self._open[site] <= 0:
            del self._open[site]


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for ever for headers of any size.

    `header_seconds`: from connecting, or from a further request's first byte, to the last header.
    """

    header_seconds: float
    admitted: Connections
    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _began = 0.0
    _peer = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin, unless the source has too many connections already."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else GONE
        if self.admitted.admit(self._peer):
            self._await_headers()
        else:
            _log.debug("connection_over_limit")
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.admitted.forget(self._peer)
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse headers that are too large, however they are cut up."""
        super().data_received(data)
        if self._header_timer is None:
            return
        self._header_bytes += len(data)
        if self._header_bytes > _MAX_HEADER_BYTES:
            self._disarm()
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        """Begin a request, and its time."""
        super().on_message_begin()
        self._await_headers()
        self.scope[REQUEST_BEGAN] = self._began  # type: ignore[literal-required]  # a key of ours

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless there are too many."""
        super().on_header(name, value)
        if len(self.headers) > _MAX_HEADERS:
            raise _TooManyHeadersError

    def on_headers_complete(self) -> None:
        """Start the application; from now on the body's time is its business."""
        self._disarm()
        super().on_headers_complete()

    def _await_headers(self) -> None:
        if self._header_timer is None:
            self._header_bytes = 0
            self._began = self.loop.time()
            self._header_timer = self.loop.call_later(self.header_seconds, self._drop)

    def _disarm(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _drop(self) -> None:
        self._header_timer = None
        self.transport.abort()
