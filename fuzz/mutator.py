"""Makes hostile inputs from good ones, the same from the same seed."""

import random
from collections.abc import Callable, Sequence
from typing import Final

# What parsers have stumbled over before.
_FRAGMENTS: Final = (
    b"\x00", b"\\u0000", b"\\ud800", b"\\udc00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n",
    b"\r\n", b"NaN", b"Infinity", b"-0", b"1e999999", b"1E-400", b"0e99999", b"9" * 5000,
    b"0.1" + b"0" * 400, b"[" * 1200, b'{"a":' * 1200, b"]", b"}", b'"', b"\\", b",", b":",
    b"null", b"true", b"%00", b"%ff", b"%", b"&", b"=", b"[a]", b"===", b"'", b"0x1f", b"_",
    b"\xd9\xa1", b"\xe2\x80\xae", b"1_000",
)  # fmt: skip
_MOST_CHANGES: Final = 6


class Mutator:
    """An endless source of inputs of at most `largest` bytes, made from `examples`."""

    def __init__(self, seed: int, examples: Sequence[bytes], largest: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._examples = examples
        self._largest = largest
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._overwrite,
            self._insert,
            self._delete,
            self._repeat,
            self._cross,
        )

    def next_input(self) -> bytes:
        """Return an example with one to six changes."""
        data = bytearray(self._random.choice(self._examples))
        for _ in range(self._random.randint(1, _MOST_CHANGES)):
            self._random.choice(self._changes)(data)
        return bytes(data[: self._largest])

    def _at(self, data: bytearray) -> int:
        return self._random.randint(0, len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _overwrite(self, data: bytearray) -> None:
        fragment, at = self._random.choice(_FRAGMENTS), self._at(data)
        data[at : at + len(fragment)] = fragment

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._random.choice(_FRAGMENTS)

    def _delete(self, data: bytearray) -> None:
        at = self._at(data)
        del data[at : at + self._random.randint(1, 20)]

    def _repeat(self, data: bytearray) -> None:
        at, end = self._at(data), self._at(data)
        data[end:end] = data[at : at + 40] * self._random.choice((1, 2, 30))

    def _cross(self, data: bytearray) -> None:
        other = self._random.choice(self._examples)
        start = self._random.randint(0, len(other))
        at = self._at(data)
        data[at:at] = other[start : start + self._random.randint(0, 200)]
