"""The network between an adapter and its gateway, below the adapter's own HTTP boundary.

What a broken exchange proves, how often a GET is sent, and how a body is read stays the product's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Protocol

from typing_extensions import override

from gateway_adapters.errors import NotSentError
from gateway_adapters.http import HttpBoundary, HttpCall, HttpOptions
from gateway_adapters.json_body import JsonBodyError, read_json_object
from gateway_adapters.verdicts import HttpReply, Progress, classify_break
from kit.clock import Clock
from kit.deadlines import time_left
from kit.errors import ServiceError
from kit.ids import Ids
from proofs.simulation.chance import Chance
from proofs.simulation.faults import Fault
from proofs.simulation.gateways.book import Book, Reply
from proofs.simulation.loop import resolve
from proofs.simulation.nature import Nature
from proofs.simulation.outages import Outage


class SimulatedGateway(Protocol):
    """A gateway that answers requests."""

    book: Book

    def handle(self, call: HttpCall) -> Reply:
        """Do what a request asks for."""
        ...


class _Arrival(Enum):
    NEVER = "never"
    SOON = "soon"
    LATE = "late"
    TOO_LATE = "after the quiet time"


# How long a request travels. The product's quiet time is 900 s.
_TRAVEL_SECONDS = {
    _Arrival.SOON: (0.02, 0.3),
    _Arrival.LATE: (20.0, 600.0),
    _Arrival.TOO_LATE: (1000.0, 7200.0),
}


class _Ending(Enum):
    REPLY = auto()
    CUT = auto()
    SILENCE = auto()


@dataclass(frozen=True, slots=True)
class _Accident:
    fault: Fault
    arrivals: tuple[_Arrival, ...]
    ending: _Ending
    spoiled: Callable[[Chance], Reply] | None = None


def _error(chance: Chance) -> Reply:
    status = chance.pick((500, 502, 503))
    return Reply(status, b'{"status": "error", "message": "An error occurred", "data": null}')


def _page(_chance: Chance) -> Reply:
    return Reply(HTTPStatus.BAD_GATEWAY, b"<!DOCTYPE html><html><body>Bad gateway</body></html>")


def _broken(_chance: Chance) -> Reply:
    return Reply(HTTPStatus.OK, b'{"status": "succ')


def _limited(_chance: Chance) -> Reply:
    return Reply(HTTPStatus.TOO_MANY_REQUESTS, b"{}")


def _forbidden(chance: Chance) -> Reply:
    status = chance.pick((HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN))
    return Reply(status, b'{"message": "no access"}')


_NEVER, _SOON = (_Arrival.NEVER,), (_Arrival.SOON,)
_ACCIDENTS = (
    _Accident(Fault.REQUEST_LOST, _NEVER, _Ending.CUT),
    _Accident(Fault.REPLY_CUT, _SOON, _Ending.CUT),
    _Accident(Fault.REPLY_NEVER, _SOON, _Ending.SILENCE),
    _Accident(Fault.ARRIVES_LATE, (_Arrival.LATE,), _Ending.SILENCE),
    _Accident(Fault.ARRIVES_TOO_LATE, (_Arrival.TOO_LATE,), _Ending.SILENCE),
    _Accident(Fault.ERROR_BEFORE, _NEVER, _Ending.REPLY, _error),
    _Accident(Fault.ERROR_AFTER, _SOON, _Ending.REPLY, _error),
    _Accident(Fault.HTML, _NEVER + _SOON, _Ending.REPLY, _page),
    _Accident(Fault.BAD_JSON, _NEVER + _SOON, _Ending.REPLY, _broken),
    _Accident(Fault.RATE_LIMITED, _NEVER + _SOON, _Ending.REPLY, _limited),
    # Whoever answers this let nothing pass.
    _Accident(Fault.FORBIDDEN, _NEVER, _Ending.REPLY, _forbidden),
)
_MATTER_FOR_EFFECTS = (Fault.ARRIVES_LATE, Fault.ARRIVES_TOO_LATE, Fault.ERROR_AFTER)
_ACCIDENTS_OF_LOOK_UPS = tuple(each for each in _ACCIDENTS if each.fault not in _MATTER_FOR_EFFECTS)


class Wire:
    """Carries requests to one gateway, and loses, delays and spoils them."""

    def __init__(self, nature: Nature, gateway: SimulatedGateway) -> None:
        self.gateway = gateway
        self._loop = nature.loop
        self._faults = nature.faults
        self._chance = nature.chance
        self._story = nature.story
        self._outage = Outage(Fault.GATEWAY_DOWN, nature.faults, nature.chance)

    async def send(self, call: HttpCall, progress: Progress) -> Reply:
        """Send a request once. Raises `OSError` when the exchange breaks."""
        down = self._outage.covers(self._loop.time())
        if down or self._faults.strikes(Fault.CONNECT_REFUSED):
            await self._loop.passed(self._chance.between(0.001, 0.05))
            self._tell(call, "connect refused")
            raise ConnectionRefusedError
        progress.connected = True
        arrival, ending, spoiled = self._fate(call)
        waiting: asyncio.Future[Reply] = self._loop.create_future()
        # Whatever the gateway answers to an exchange that breaks, it does not get here.
        listener = waiting if ending is _Ending.REPLY else None
        if arrival is not _Arrival.NEVER:
            self._deliver(call, arrival, listener, spoiled)
        elif spoiled is not None:
            self._answer(listener, spoiled)
        if ending is _Ending.CUT:
            self._loop.after(self._chance.between(0.05, 3.0), lambda: _cut(waiting))
        # A reply that never comes is waited for until the deadline.
        return await waiting

    def _fate(self, call: HttpCall) -> tuple[_Arrival, _Ending, Reply | None]:
        """Decide whether and when a request arrives, and what comes back instead of its reply."""
        for accident in _ACCIDENTS if _takes_effect(call) else _ACCIDENTS_OF_LOOK_UPS:
            if self._faults.strikes(accident.fault):
                spoiled = accident.spoiled(self._chance) if accident.spoiled else None
                return self._chance.pick(accident.arrivals), accident.ending, spoiled
        return _Arrival.SOON, _Ending.REPLY, None

    def _deliver(
        self,
        call: HttpCall,
        arrival: _Arrival,
        listener: asyncio.Future[Reply] | None,
        spoiled: Reply | None,
    ) -> None:
        book = self.gateway.book
        effect = int(_takes_effect(call))
        book.on_way[call.reference] += effect
        if arrival is _Arrival.TOO_LATE:
            book.surprising.add(call.reference)

        def arrive() -> None:
            book.on_way[call.reference] -= effect
            answer = self.gateway.handle(call)
            late = "" if arrival is _Arrival.SOON else f" ({arrival.value})"
            self._tell(call, f"{answer.status}{late}")
            self._answer(listener, spoiled or answer)

        self._loop.after(self._chance.between(*_TRAVEL_SECONDS[arrival]), arrive)

    def _answer(self, listener: asyncio.Future[Reply] | None, answer: Reply) -> None:
        if listener is not None:
            wait = self._chance.between(0.01, 0.3)
            self._loop.after(wait, lambda: resolve(listener, answer))

    def _tell(self, call: HttpCall, what: str) -> None:
        name = self.gateway.book.gateway
        self._story.tell(name, f"{call.operation} {call.reference} -> {what}")


class SimulatedBoundary(HttpBoundary):
    """The adapters' HTTP boundary over a `Wire` instead of sockets."""

    def __init__(self, wire: Wire, options: HttpOptions, clock: Clock, ids: Ids) -> None:
        # The real one would open an HTTP client; nothing of it but these three is used here.
        self._options = options
        self._clock = clock
        self._ids = ids
        self._wire = wire

    @override
    async def close(self) -> None:
        """Close nothing."""

    @override
    async def _send_once(self, call: HttpCall) -> HttpReply:
        """Send a request once within the caller's time, and read or classify what came of it."""
        progress = Progress()
        try:
            async with asyncio.timeout(_seconds_left(self._options.timeout_seconds)):
                answer = await self._wire.send(call, progress)
        except (OSError, TimeoutError) as error:
            raise classify_break(progress, type(error).__name__) from error
        try:
            document = read_json_object(answer.body)
        except JsonBodyError:
            return HttpReply(status=answer.status, document=None)
        return HttpReply(status=answer.status, document=document)


def _seconds_left(limit: float) -> float:
    try:
        return time_left(limit)
    except ServiceError as error:
        raise NotSentError("deadline_too_short", error.message) from error


def _cut(waiting: asyncio.Future[Reply]) -> None:
    if not waiting.done():
        waiting.set_exception(ConnectionResetError())


def _takes_effect(call: HttpCall) -> bool:
    """Whether a request changes something, so that it matters when it arrives."""
    return call.method == "POST"
