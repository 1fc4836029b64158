"""What every stand-in is made of besides its gateway: time, memory, faults, webhooks, settings."""

from dataclasses import dataclass
from typing import Any

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.faults import Faults
from gateway_sandboxes.outage import Outage
from gateway_sandboxes.settings import Switchable
from gateway_sandboxes.store import Collection, Store
from gateway_sandboxes.webhooks import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedClock:
    """How far the sandbox's time had been moved when it was last written down (seconds)."""

    offset_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """The parts that the gateway's code and the control API share."""

    store: Store
    clock: Clock
    faults: Faults
    outbox: Outbox
    outage: Outage
    behaviour: Switchable[Any]
    saved_clock: Collection[SavedClock]

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's time forward, and remember it over a restart (see `Clock.advance`)."""
        self.clock.advance(seconds)
        self.saved_clock.put("clock", SavedClock(offset_seconds=self.clock.offset_seconds))
