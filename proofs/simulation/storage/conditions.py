"""What may happen to a process at every step that it takes in the database."""

import asyncio
from enum import Enum, auto
from typing import Protocol

from services.payments.ports import Share


class CommitFate(Enum):
    """How a commit ends. LOST and UNSEEN look the same to whoever commits."""

    SEEN = auto()
    LOST = auto()
    UNSEEN = auto()


class Conditions(Protocol):
    """Decides about one process's way to the database."""

    async def step(self, what: str) -> None:
        """Let others run, then go on. Raises `ServiceError` when the database is away."""
        ...

    async def pause(self, what: str) -> None:
        """Let others run, then go on; the database answers."""
        ...

    def seeks(self, table: str, share: Share) -> None:
        """Take notice of whose due rows are looked for."""
        ...

    def commit_fate(self) -> CommitFate:
        """Decide how the commit that is due ends."""
        ...

    def committed_when_interrupted(self) -> bool:
        """Decide whether a commit happened whose process stopped in the middle of it."""
        ...


class _Calm:
    """Nothing ever goes wrong."""

    async def step(self, what: str) -> None:  # noqa: ARG002 - the protocol's signature
        await asyncio.sleep(0)

    async def pause(self, what: str) -> None:  # noqa: ARG002 - the protocol's signature
        await asyncio.sleep(0)

    def seeks(self, table: str, share: Share) -> None:
        pass

    def commit_fate(self) -> CommitFate:
        return CommitFate.SEEN

    def committed_when_interrupted(self) -> bool:
        return False


CALM: Conditions = _Calm()
