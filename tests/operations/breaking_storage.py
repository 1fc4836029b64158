"""Storage whose commits break: the change is there or not, and the caller cannot tell."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from services.payments.domain.errors import CommitUnknownError
from services.payments.ports import Storage, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a commit breaks.

    `stored`: whether the change is there afterwards. `error`: what the caller gets either way.
    """

    stored: bool = True
    error: Callable[[], BaseException] = CommitUnknownError


class BreakingStorage:
    """Implements the port `Storage`; `faults`: by the number of the unit of work, from 1 on."""

    def __init__(self, storage: Storage, faults: Mapping[int, Fault]) -> None:
        self.opened = 0
        self._storage = storage
        self._faults = faults

    def work(self) -> AbstractAsyncContextManager[Work]:
        self.opened += 1
        fault = self._faults.get(self.opened)
        return _broken(self._storage, fault) if fault else self._storage.work()


@asynccontextmanager
async def _broken(storage: Storage, fault: Fault) -> AsyncIterator[Work]:
    async with storage.work() as work:
        yield work
        if not fault.stored:
            # Raised inside the real unit of work, it rolls back.
            raise fault.error()
    raise fault.error()
