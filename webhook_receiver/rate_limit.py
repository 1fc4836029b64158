"""How many requests one source may send: a bucket of tokens each, for the busiest sources."""

from collections import OrderedDict
from dataclasses import dataclass

from kit.clock import Clock

# Sources beyond these are forgotten, the longest quiet first; they begin anew with a full bucket.
_MOST_SOURCES = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Admits `per_second` requests of a source in the long run, and `burst` at once.

    It protects this process; what is admitted decides nothing that another process must know.
    """

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, source: str) -> bool:
        """Count a request of `source`; False when it has sent too many."""
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(source, _Bucket(self._burst, now))
        self._buckets.move_to_end(source)
        if len(self._buckets) > _MOST_SOURCES:
            self._buckets.popitem(last=False)
        gained = (now - bucket.filled_at) * self._per_second
        bucket.tokens, bucket.filled_at = min(self._burst, bucket.tokens + gained), now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
