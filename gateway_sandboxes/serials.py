"""Numbers that only grow, also over restarts and resets, so that no id ever names two things."""

import time


class Serial:
    """Ids derived from real time, one apart at least.

    `ticks_per_second` is how fast they may be issued for ever, `epoch` (seconds) their beginning.
    """

    def __init__(self, ticks_per_second: int, epoch: int = 0) -> None:
        self._ticks_per_second = ticks_per_second
        self._epoch = epoch
        self._last = 0

    def next(self) -> int:
        """Return the next number."""
        from_time = int((time.time() - self._epoch) * self._ticks_per_second)
        self._last = max(self._last + 1, from_time)
        return self._last
