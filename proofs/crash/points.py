"""The points of a story at which its process is killed, or the answer to its commit is lost."""

import os
import selectors
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from selectors import SelectorKey


class Moment(StrEnum):
    """The kinds of points. A story passes each kind many times.

    CALL_ON_ITS_WAY: the request has left and takes effect at the gateway two minutes later.
    AFTER_EFFECT: the gateway has done it and its reply is not read. LOOP_STEP: before each step of
    the event loop, so at every await. COMMIT_KEPT: nobody is killed; the connection breaks after
    the server has committed. COMMIT_LOST: it breaks before the COMMIT arrives.
    """

    BEFORE_STATEMENT = "before-statement"
    AFTER_STATEMENT = "after-statement"
    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    BEFORE_CALL = "before-call"
    CALL_ON_ITS_WAY = "call-on-its-way"
    AFTER_EFFECT = "after-effect"
    LOOP_STEP = "loop-step"
    COMMIT_KEPT = "commit-kept"
    COMMIT_LOST = "commit-lost"


CUTS = frozenset({Moment.COMMIT_KEPT, Moment.COMMIT_LOST})
KILLS = tuple(moment for moment in Moment if moment not in CUTS)


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th time, from 1, that a story reaches a moment; as text "after-commit:3"."""

    moment: Moment
    number: int

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Read the textual form. Raises `ValueError`."""
        moment, _, number = text.partition(":")
        return cls(Moment(moment), int(number))

    def __str__(self) -> str:
        """Return the textual form."""
        return f"{self.moment}:{self.number}"


class KillSwitch:
    """Counts the points that this process reaches, and kills it at one of them.

    `target`: where to die; None to reach the end. Nothing is counted before `arm`.
    """

    def __init__(self, target: Point | None) -> None:
        self._target = target
        self._reached: Counter[Moment] = Counter()
        self._armed = False

    @property
    def reached(self) -> Mapping[Moment, int]:
        """How often each moment was reached."""
        return self._reached

    def arm(self) -> None:
        """Count from here on."""
        self._armed = True

    def disarm(self) -> None:
        """Count no more."""
        self._armed = False

    def reach(self, moment: Moment) -> None:
        """Pass a point; it may be the last thing that this process does."""
        if self.count(moment):
            self.kill()

    def count(self, moment: Moment) -> bool:
        """Count a point; tell whether it is the one to die at."""
        if not self._armed:
            return False
        self._reached[moment] += 1
        return self._target == Point(moment, self._reached[moment])

    def kill(self) -> None:
        """Die as by `kill -9`: nothing is cleaned up, no buffer is flushed."""
        os.kill(os.getpid(), signal.SIGKILL)


class SteppingSelector(selectors.DefaultSelector):
    """An event loop asks its selector once a step: the place to count steps, and to die."""

    def __init__(self, switch: KillSwitch) -> None:
        super().__init__()
        self._switch = switch

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait for what the loop waits for."""
        self._switch.reach(Moment.LOOP_STEP)
        return super().select(timeout)
