"""The story of one seed: every step with its time and actor, and the hash of all of them."""

import hashlib
from collections.abc import Iterator

from proofs.simulation.loop import VirtualLoop


class Story:
    """Takes down every step."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._steps: list[tuple[float, str, str]] = []

    def tell(self, actor: str, what: str) -> None:
        """Add a step."""
        self._steps.append((self._loop.time(), actor, what))

    def __len__(self) -> int:
        return len(self._steps)

    def lines(self) -> Iterator[str]:
        """Return the story as people read it, one line a step."""
        for seconds, actor, what in self._steps:
            days, rest = divmod(seconds, 86_400)
            hours, rest = divmod(rest, 3600)
            minutes, rest = divmod(rest, 60)
            time = f"{int(days)}d {int(hours):02}:{int(minutes):02}:{rest:06.3f}"
            yield f"{time}  {actor:<14} {what}"

    def digest(self) -> str:
        """Return the trace hash (SHA-256): equal for equal stories."""
        text = "\n".join(f"{seconds:.6f} {actor} {what}" for seconds, actor, what in self._steps)
        return hashlib.sha256(text.encode()).hexdigest()
