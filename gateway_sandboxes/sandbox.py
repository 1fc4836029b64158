"""One running sandbox: builds a stand-in out of its parts, starts it and stops it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from starlette.applications import Starlette
from starlette.routing import Route

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.control import Book, control_app
from gateway_sandboxes.faults import Faults
from gateway_sandboxes.machinery import Machinery, SavedClock
from gateway_sandboxes.outage import Outage
from gateway_sandboxes.server import Listener
from gateway_sandboxes.settings import Switchable
from gateway_sandboxes.store import Collection, Store
from gateway_sandboxes.webhooks import Outbox, Policy


class Place(Protocol):
    """Where a sandbox listens and what it remembers; every gateway's settings have these."""

    @property
    def host(self) -> str:
        """The address both ports listen on."""
        ...

    @property
    def port(self) -> int:
        """The gateway's port; 0 chooses a free one."""
        ...

    @property
    def control_port(self) -> int:
        """The control API's port; 0 chooses a free one."""
        ...

    @property
    def state(self) -> Path | None:
        """The SQLite file that outlives a restart; None keeps everything in memory."""
        ...

    @property
    def public_url(self) -> str | None:
        """The address under which payers reach the gateway's pages; None: the port itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A gateway's own half: what answers on its port, and its book for the control API.

    `control_routes` are the control API's calls that only this gateway has.
    """

    app: Starlette
    book: Book
    control_routes: Sequence[Route] = ()


class Gateway(Protocol):
    """What a gateway's folder provides so that `Sandbox` can run it."""

    @property
    def name(self) -> str:
        """The gateway's name, lower case."""
        ...

    @property
    def place(self) -> Place:
        """Where to listen and what to remember."""
        ...

    @property
    def behaviour(self) -> Switchable[Any]:
        """The settings that may change at run time."""
        ...

    def delivery_policy(self) -> Policy:
        """Say how webhooks are delivered, as the settings are now."""
        ...

    def build(self, machinery: Machinery, public_url: str) -> StandIn:
        """Build the stand-in; whatever the store remembers is loaded here."""
        ...


class Sandbox:
    """A stand-in on its two ports, for as long as the context is entered.

    Raises (on entering):
        PortInUseError: one of the ports is taken.

    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._running = contextlib.AsyncExitStack()
        self.gateway_url = ""
        self.control_url = ""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
            await self._start(starting)
            self._running = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """Start everything; the stack stops it in the opposite order."""
        place = self._gateway.place
        store = Store(place.state)
        stack.callback(store.close)
        saved_clock = Collection(store, "clock", SavedClock)
        saved = saved_clock.get("clock")
        clock = Clock(saved.offset_seconds if saved else 0.0)
        await stack.enter_async_context(_running(clock))
        faults = Faults()
        outbox = Outbox(store, clock, faults, self._gateway.delivery_policy)
        await stack.enter_async_context(outbox)
        ports: list[Listener] = []
        stack.push_async_callback(_close_all, ports)
        ports.append(Listener(place.host, place.port))
        ports.append(Listener(place.host, place.control_port))
        stack.callback(clock.wake_sleepers)
        outage = Outage(ports[0], clock)
        stack.push_async_callback(outage.close)
        machinery = Machinery(
            store=store,
            clock=clock,
            faults=faults,
            outbox=outbox,
            outage=outage,
            behaviour=self._gateway.behaviour,
            saved_clock=saved_clock,
        )
        await self._open(ports, machinery)

    async def _open(self, ports: list[Listener], machinery: Machinery) -> None:
        gateway_port, control_port = ports
        public_url = self._gateway.place.public_url or gateway_port.url
        stand_in = self._gateway.build(machinery, public_url.rstrip("/"))
        await gateway_port.open(stand_in.app)
        control = control_app(self._gateway.name, machinery, stand_in.book, stand_in.control_routes)
        await control_port.open(control)
        self.gateway_url, self.control_url = gateway_port.url, control_port.url


@contextlib.asynccontextmanager
async def _running(clock: Clock) -> AsyncIterator[None]:
    timers = asyncio.create_task(clock.run())
    try:
        yield
    finally:
        timers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await timers


async def _close_all(ports: list[Listener]) -> None:
    await asyncio.gather(*(port.close() for port in ports))
