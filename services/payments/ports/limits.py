"""What limits how often a member may ask, shared by all replicas."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something may happen: `burst` times at once, then once each `seconds`."""

    burst: int
    seconds: float

    @classmethod
    def per_minute(cls, times: int) -> "Rate":
        """Return the rate of so many times a minute."""
        return cls(burst=times, seconds=60 / times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call to count.

    `bucket`: what is counted together. `request`: a digest of the call; with `repeats_are_free`,
    the same call directly after itself is admitted without being counted.
    """

    bucket: str
    user_id: str
    request: bytes
    repeats_are_free: bool = False


class RateLimits(Protocol):
    """Counts calls, exactly, whichever replica they arrive at."""

    async def take(self, ask: Ask, rate: Rate) -> float:
        """Admit a call and return 0, or return after how many seconds one will be admitted.

        Raises `ServiceError` (UNAVAILABLE) when it cannot be counted now.
        """
        ...
