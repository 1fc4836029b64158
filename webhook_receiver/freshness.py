"""How old a delivery is, where the gateway says when it sent it."""

from datetime import datetime, timedelta
from enum import StrEnum

# Flutterwave repeats a delivery for 90 minutes (contract B7).
STALE_AFTER = timedelta(hours=2)
# As far as two clocks that are set by network time ever differ, and then some.
AHEAD_BY = timedelta(minutes=5)


class Freshness(StrEnum):
    """How old a delivery is.

    A delivery is stored whatever its age: it is a hint to ask the gateway, never a fact, so an old
    one costs a question and a refused one could cost a member minutes. The age is for the log,
    where replays show.
    """

    UNDATED = "undated"
    FRESH = "fresh"
    STALE = "stale"
    AHEAD = "ahead"


def freshness_of(sent: datetime | None, received: datetime) -> Freshness:
    """Judge the time at which a gateway says that it sent what was `received` just now.

    Fresh is from `AHEAD_BY` in the future to `STALE_AFTER` ago, both included.
    """
    if sent is None:
        return Freshness.UNDATED
    age = received - sent
    if age > STALE_AFTER:
        return Freshness.STALE
    return Freshness.AHEAD if age < -AHEAD_BY else Freshness.FRESH
