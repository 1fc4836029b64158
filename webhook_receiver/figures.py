"""Counts and latencies of deliveries, kept in the process and logged once a minute."""

from bisect import bisect_left
from dataclasses import dataclass, field

from kit.clock import Clock
from kit.logs import get_logger

_LOG_SECONDS = 60.0
# Upper bounds in milliseconds; what is slower counts under the longest seen.
_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
# Event types are the sender's words: what has too many kinds shares one line.
_MOST_KINDS = 100
_OTHER = "other"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What deliveries are counted by; `event_type` is empty for what was not read."""

    gateway: str
    event_type: str
    result: str


@dataclass(slots=True)
class _Tally:
    count: int = 0
    slowest: float = 0.0
    by_bound: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))

    def add(self, milliseconds: float) -> None:
        self.count += 1
        self.slowest = max(self.slowest, milliseconds)
        self.by_bound[bisect_left(_BOUNDS, milliseconds)] += 1

    def percentile(self, percent: int) -> float:
        """Return the upper bound under which at least `percent` of 100 deliveries were answered."""
        rank, seen = -(-self.count * percent // 100), 0
        for bound, count in zip(_BOUNDS, self.by_bound, strict=False):
            seen += count
            if seen >= rank:
                return min(float(bound), self.slowest)
        return self.slowest


class DeliveryFigures:
    """Counts what became of deliveries since the last line that said so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tallies: dict[Kind, _Tally] = {}

    def count(self, kind: Kind, seconds: float) -> None:
        """Count one delivery that was answered after `seconds`."""
        if kind not in self._tallies and len(self._tallies) >= _MOST_KINDS:
            kind = Kind(gateway=kind.gateway, event_type=_OTHER, result=kind.result)
        self._tallies.setdefault(kind, _Tally()).add(seconds * 1000)

    def taken(self) -> list[dict[str, object]]:
        """Return the figures, most frequent first, and begin anew."""
        tallies, self._tallies = self._tallies, {}
        return [
            {
                "gateway": kind.gateway,
                "event_type": kind.event_type,
                "result": kind.result,
                "count": tally.count,
                "p50_ms": round(tally.percentile(50), 1),
                "p99_ms": round(tally.percentile(99), 1),
                "slowest_ms": round(tally.slowest, 1),
            }
            for kind, tally in sorted(tallies.items(), key=lambda item: -item[1].count)
        ]

    def log(self) -> None:
        """Log the figures, when there are any."""
        figures = self.taken()
        if figures:
            _log.info("deliveries", figures=figures)

    async def log_every_minute(self) -> None:
        """Log until cancelled, and what is left then."""
        try:
            while True:
                await self._clock.sleep(_LOG_SECONDS)
                self.log()
        finally:
            self.log()
