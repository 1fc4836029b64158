"""When "not found" becomes proof: after a quiet time, and three look-ups that are well apart.

One "not found" proves nothing, because the request can arrive after the look-up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

_ENOUGH = 3
# Look-ups closer together than this count once: they would all miss the same delayed request.
_APART = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """How often, and when last, a gateway did not know something that may have been sent."""

    count: int
    last_at: datetime | None

    def again(self, now: datetime) -> "Absence":
        """Return the absence after one more "not found" at `now`."""
        if self.last_at is not None and now - self.last_at < _APART:
            return self
        return Absence(count=self.count + 1, last_at=now)

    def proves(self, sent_at: datetime, quiet_since: datetime) -> bool:
        """Whether what was sent at `sent_at` can be taken for never arrived.

        `quiet_since`: what was sent before this cannot be on its way any more.
        """
        return self.count >= _ENOUGH and sent_at <= quiet_since


NEVER_ABSENT = Absence(count=0, last_at=None)
