"""Chance from a seed: everything that is not decided by the product is decided here."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_STREAMS = 1 << 8


class Chance:
    """One stream of decisions. `stream`: below 256; streams of one seed do not disturb each other.

    What happens must never depend on how another stream is used, so that a change in one part
    leaves the rest of a seed's story as it was.
    """

    def __init__(self, seed: int, stream: int) -> None:
        self._random = random.Random(seed * _STREAMS + stream)  # noqa: S311 - reproducible on purpose
        self.fraction = self._random.random

    def hits(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.fraction() < probability

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to below `limit`."""
        return int(self.fraction() * limit)

    def between(self, low: float, high: float) -> float:
        """Return a number between two."""
        return low + (high - low) * self.fraction()

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self.fraction() * len(options))]

    def bits(self, count: int) -> int:
        """Return a number of `count` random bits."""
        return self._random.getrandbits(count)

    def text(self, alphabet: str, length: int) -> str:
        """Return random characters of an alphabet."""
        return "".join(self._random.choices(alphabet, k=length))
