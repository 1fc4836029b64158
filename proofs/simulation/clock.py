"""The product's clock and identifiers on virtual time and chance."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from proofs.simulation.chance import Chance
from proofs.simulation.loop import VirtualLoop, resolve

BEGINNING = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
_REFERENCE_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"


class VirtualClock:
    """Implements the port `Clock` on the loop's virtual seconds."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._asked_at = -1.0
        self._now = BEGINNING

    def now(self) -> datetime:
        """Return the virtual time."""
        seconds = self._loop.time()
        if seconds != self._asked_at:
            self._asked_at = seconds
            self._now = BEGINNING + timedelta(seconds=seconds)
        return self._now

    def monotonic(self) -> float:
        """Return the virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in the process that asks."""
        woken: asyncio.Future[None] = self._loop.create_future()
        self._loop.call_later(seconds, resolve, woken, None)
        await woken


def seconds_of(at: datetime) -> float:
    """Return the loop's virtual second of a time."""
    return (at - BEGINNING).total_seconds()


class SeededIds:
    """Implements the port `Ids` from a seed."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def new_id(self) -> UUID:
        """Return a new identifier."""
        return UUID(int=self._chance.bits(122) << 6 | 0x2A)

    def new_reference(self) -> str:
        """Return a new gateway reference."""
        return "cp" + self._chance.text(_REFERENCE_ALPHABET, 24)

    def jitter(self, seconds: float) -> float:
        """Return between half of `seconds` and `seconds`."""
        return self._chance.between(seconds / 2, seconds)
