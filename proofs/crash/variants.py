"""Deliberately wrong ways to build a process; the matrix must see what is wrong with each."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from proofs.crash.queues import HandleRefund
from services.payments.domain.attempts import Flow
from services.payments.domain.errors import CommitUnknownError
from services.payments.domain.evidence import SAFE_RULES, Answer, Evidence, Rules
from services.payments.domain.refunds import RefundAttempt, RefundAttemptOutcome
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.send_refund import work_on_refund
from services.payments.ports import Storage, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a process is built from the real parts. The default is as the product does it."""

    storage: Callable[[Storage], Storage] = lambda storage: storage
    rules: Rules = SAFE_RULES
    handle_refund: HandleRefund = work_on_refund


class LateCommits:
    """Implements the port `Storage`: commits each unit of work only when the next one begins.

    So a charge is sent before its attempt is on record.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._open: AbstractAsyncContextManager[Work] | None = None

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work, having committed the one before."""
        return self._next()

    @asynccontextmanager
    async def _next(self) -> AsyncIterator[Work]:
        if self._open is not None:
            before, self._open = self._open, None
            await before.__aexit__(None, None, None)
        unit = self._storage.work()
        work = await unit.__aenter__()
        try:
            yield work
        except BaseException as error:
            await unit.__aexit__(type(error), error, error.__traceback__)
            raise
        self._open = unit


class CommitsBelieved:
    """Implements the port `Storage`: takes a commit whose reply was lost for done."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work."""
        return self._believing()

    @asynccontextmanager
    async def _believing(self) -> AsyncIterator[Work]:
        finished = False
        try:
            async with self._storage.work() as work:
                yield work
                finished = True
        except CommitUnknownError:
            if not finished:
                raise


async def _send_refund_again(deps: Dependencies, claimed: RefundAttempt) -> None:
    """Take a refund that a stopped process was sending for one that never left."""
    if claimed.outcome is RefundAttemptOutcome.SENDING:
        claimed = replace(claimed, outcome=RefundAttemptOutcome.RECORDED, sent_at=None)
        async with deps.storage.work() as work:
            await work.refund_attempts.save(claimed)
    await work_on_refund(deps, claimed)


def _interrupted_is_refused() -> Rules:
    """Take a prompt whose reply was lost for one that was refused."""
    lost = {**SAFE_RULES.creation[Answer.UNKNOWN], Flow.PROMPT: Evidence.REJECTED}
    return replace(SAFE_RULES, creation={**SAFE_RULES.creation, Answer.UNKNOWN: lost})


AS_BUILT = "as-built"
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        AS_BUILT: Variant(),
        "sends-before-commit": Variant(storage=LateCommits),
        "sends-refunds-again": Variant(handle_refund=_send_refund_again),
        "falls-back-after-a-kill": Variant(rules=_interrupted_is_refused()),
        "believes-every-commit": Variant(storage=CommitsBelieved),
    }
)
