"""How often one member may read: counted in this process, to protect it from a page gone wild.

What reaches a gateway is counted by the payments service, exactly and over all replicas.
"""

from collections import OrderedDict

from kit.clock import Clock
from services.bff.problems import Problem, ProblemError

_MAX_MEMBERS = 20_000


class ReadLimits:
    """The generic cell rate algorithm for each member. `per_minute`: reads, all of them at once."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._interval = 60 / per_minute
        self._tolerance = 60 - self._interval
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()

    def take(self, user_id: str) -> None:
        """Count a read. Raises `ProblemError` (429) when it is one too many."""
        now = self._clock.monotonic()
        due = max(self._next.pop(user_id, now), now)
        early = due - now - self._tolerance
        admitted = early <= 0
        self._next[user_id] = due + self._interval if admitted else due
        if len(self._next) > _MAX_MEMBERS:
            self._next.popitem(last=False)
        if not admitted:
            seconds = str(int(early) + 1)
            headers = {"retry-after": seconds}
            raise ProblemError(Problem(status=429, reason="RATE_LIMITED", headers=headers))
