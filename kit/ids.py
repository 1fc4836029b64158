"""Identifiers and chance as a dependency, so that a whole run can be reproduced from one seed."""

import random
import secrets
import uuid
from typing import Protocol

from kit.clock import Clock

# Crockford's alphabet without vowels and look-alikes: safe in every gateway's reference field and
# never spells a word. (Eversend: letters and digits only, contract §1.)
_REFERENCE_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"
_REFERENCE_LENGTH = 24


class Ids(Protocol):
    """Makes identifiers and jitter."""

    def new_id(self) -> uuid.UUID:
        """Return a new, time-ordered identifier (UUID version 7, RFC 9562)."""
        ...

    def new_reference(self) -> str:
        """Return a new gateway reference: 26 lower-case letters and digits, unguessable."""
        ...

    def jitter(self, seconds: float) -> float:
        """Return a random number of seconds between half of `seconds` and `seconds`."""
        ...


class SystemIds:
    """Identifiers from the operating system's randomness."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._random = random.SystemRandom()

    def new_id(self) -> uuid.UUID:
        """Return a UUID whose first 48 bits are the clock's milliseconds."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return _uuid7(milliseconds, secrets.randbits(74))

    def new_reference(self) -> str:
        """Return "cp" and 24 random characters (117 bits)."""
        return "cp" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(_REFERENCE_LENGTH))

    def jitter(self, seconds: float) -> float:
        """Return between half of `seconds` and `seconds`."""
        return self._random.uniform(seconds / 2, seconds)


def _uuid7(milliseconds: int, randomness: int) -> uuid.UUID:
    """Lay out a UUID version 7: 48 bits of time, 74 bits of randomness (RFC 9562 §5.7)."""
    high, low = randomness >> 62, randomness & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
