"""Live updates as server-sent events: bounded, kept alive, and ended before anybody forgets them.

A stream holds a task and a gRPC call on the shared connection, and no database connection: the
payments service wakes all of its streams from one.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kit.clock import Clock
from kit.errors import ServiceError
from kit.logs import get_logger
from protos.payments.v1.payment_pb2 import Payment
from services.bff.language import Language
from services.bff.mapping import payment_document
from services.bff.problems import Problem, ProblemError

MEDIA_TYPE = "text/event-stream"

_log = get_logger(__name__)
# Proxies would hold events back to fill a buffer or a compressed block.
_HEADERS = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}
# Browsers wait so long before they connect again.
_RETRY_MILLISECONDS = 2000
_HEARTBEAT = b": still here\n\n"
_BUSY_SECONDS = "10"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What streams may cost.

    `streams`: open at once in this process. `per_member`: of one member. `heartbeat`: seconds of
    silence after which a comment is sent, so that proxies keep the connection. `lifetime`: seconds
    after which a stream ends; the page connects again, with its token checked anew.
    """

    streams: int = 5000
    per_member: int = 10
    heartbeat: float = 15.0
    lifetime: float = 600.0


class Streams:
    """The open streams of this process. `stopping`: set when the process begins to stop."""

    def __init__(self, limits: StreamLimits, clock: Clock, stopping: asyncio.Event) -> None:
        self._limits = limits
        self._clock = clock
        self._stopping = stopping
        self._of_member: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._of_member.total()

    async def events(
        self, payments: AsyncGenerator[Payment, None], language: Language
    ) -> AsyncIterator[bytes]:
        """Yield the events of one stream, as they go over the wire."""
        yield b"retry: %d\n\n" % _RETRY_MILLISECONDS
        following = _Following(payments, self._stopping)
        try:
            ends = self._clock.monotonic() + self._limits.lifetime
            while (left := ends - self._clock.monotonic()) > 0:
                arrived = await following.wait(min(self._limits.heartbeat, left))
                if following.ended:
                    return
                yield _event(arrived, language) if arrived else _HEARTBEAT
        except ServiceError as error:
            # Half an answer is out: the page connects again and learns what is wrong.
            _log.info("stream_interrupted", code=error.code.name, reason=error.reason)
        finally:
            await following.close()

    @contextmanager
    def place(self, user_id: str) -> Iterator[None]:
        """Count a stream while it is open. Raises `ProblemError` (429, 503) without room for it."""
        if self._of_member[user_id] >= self._limits.per_member:
            raise _no_room(429)
        if self.count >= self._limits.streams or self._stopping.is_set():
            raise _no_room(503)
        self._of_member[user_id] += 1
        try:
            yield
        finally:
            self._of_member[user_id] -= 1
            if not self._of_member[user_id]:
                del self._of_member[user_id]


class EventStream(StreamingResponse):
    """The answer that carries the events, counted from before its first byte to after its last."""

    def __init__(self, streams: Streams, user_id: str, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._streams = streams
        self._user_id = user_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream. Raises `ProblemError` before the first byte when there is no room."""
        with self._streams.place(self._user_id):
            await super().__call__(scope, receive, send)


class _Following:
    """Waits for the next state of a payment, for so long, or for the process to stop."""

    def __init__(self, payments: AsyncGenerator[Payment, None], stopping: asyncio.Event) -> None:
        self._payments = payments
        self._next: asyncio.Task[Payment | None] = asyncio.create_task(_next(payments))
        self._stop = asyncio.create_task(stopping.wait())
        self.ended = False

    async def wait(self, seconds: float) -> Payment | None:
        """Return what has arrived; None when nothing has, or when the stream has `ended`."""
        await asyncio.wait(
            (self._next, self._stop), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self._next.done():
            arrived = self._next.result()
            self.ended = arrived is None
            if not self.ended:
                self._next = asyncio.create_task(_next(self._payments))
            return arrived
        self.ended = self._stop.done()
        return None

    async def close(self) -> None:
        """End the call behind the stream."""
        for task in (self._next, self._stop):
            task.cancel()
        await asyncio.gather(self._next, self._stop, return_exceptions=True)
        await self._payments.aclose()


async def _next(payments: AsyncGenerator[Payment, None]) -> Payment | None:
    return await anext(payments, None)


def _event(payment: Payment, language: Language) -> bytes:
    data = msgspec.json.encode(payment_document(payment, language))
    return b"id: %d\nevent: payment\ndata: %s\n\n" % (payment.version, data)


def _no_room(status: int) -> ProblemError:
    headers = {"retry-after": _BUSY_SECONDS}
    return ProblemError(Problem(status=status, reason="TOO_MANY_STREAMS", headers=headers))
