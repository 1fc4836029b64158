"""The worker: handles stored callbacks, asks about attempts that are due, and sends refunds.

Rows say what is due and are the queue: claimed with SKIP LOCKED under a lease, fenced by a token.
A signal wakes the worker at once; a look every second is the backstop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from kit.errors import ServiceError
from kit.logs import get_logger
from kit.request_scope import RequestScope, enter_scope, new_request_id
from services.payments.domain.attempts import Attempt
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.events import GatewayEvent
from services.payments.domain.refunds import RefundAttempt
from services.payments.operations.apply_gateway_event import (
    apply_gateway_event,
    check_due_attempt,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.send_refund import work_on_refund
from services.payments.ports import Share, Work

_log = get_logger(__name__)
_CONCURRENCY = 16
_LOOK_EVERY_SECONDS = 1.0

ItemT = TypeVar("ItemT", GatewayEvent, Attempt, RefundAttempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Generic[ItemT]):
    """Due rows of one kind and share.

    `claim`: leases at most so many due rows. `handle`: handles one. `request_id`: the id that its
    story began with.
    """

    name: str
    claim: Callable[[Work, int], Awaitable[Sequence[ItemT]]]
    handle: Callable[[ItemT], Awaitable[None]]
    request_id: Callable[[ItemT], str]


class Worker:
    """Works off what is due until it is cancelled."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        names = tuple(deps.gateways.names)
        shares = [*(Share(only=name) for name in names), Share(never=names)]
        self._events_due = {share: asyncio.Event() for share in shares}
        self._attempts_due = {share: asyncio.Event() for share in shares}
        self._refunds_due = {share: asyncio.Event() for share in shares}
        # A handler makes a few calls to one adapter; after this its lease may go to another worker.
        self._lease = timedelta(seconds=deps.timing.takeover + 3 * deps.timing.look_up)

    def wake_for_events(self) -> None:
        """Look for stored callbacks now."""
        for due in self._events_due.values():
            due.set()

    def wake_for_attempts(self) -> None:
        """Look for due attempts and refunds now."""
        for due in (*self._attempts_due.values(), *self._refunds_due.values()):
            due.set()

    async def run(self) -> None:
        """Work off every gateway's queues until cancelled; what is being handled is finished first.

        Each gateway has places of its own, so one that hangs does not hold up the others. What is
        left of gateways that are no longer configured has places too: it raises alerts.
        """
        async with asyncio.TaskGroup() as tasks:
            for share, due in self._events_due.items():
                tasks.create_task(self._work_off(self._events(share), due))
            for share, due in self._attempts_due.items():
                tasks.create_task(self._work_off(self._attempts(share), due))
            for share, due in self._refunds_due.items():
                tasks.create_task(self._work_off(self._refunds(share), due))

    def _events(self, share: Share) -> Queue[GatewayEvent]:
        return Queue(
            name="gateway_event",
            claim=lambda work, room: work.events.claim_due(self._now(), self._lease, room, share),
            handle=lambda event: apply_gateway_event(self._deps, event),
            request_id=lambda event: event.request_id,
        )

    def _attempts(self, share: Share) -> Queue[Attempt]:
        return Queue(
            name="due_attempt",
            claim=lambda work, room: work.attempts.claim_due(self._now(), self._lease, room, share),
            handle=lambda attempt: check_due_attempt(self._deps, attempt),
            request_id=lambda _attempt: new_request_id(),
        )

    def _refunds(self, share: Share) -> Queue[RefundAttempt]:
        return Queue(
            name="due_refund",
            claim=lambda work, room: work.refund_attempts.claim_due(
                self._now(), self._lease, room, share
            ),
            handle=lambda attempt: work_on_refund(self._deps, attempt),
            request_id=lambda _attempt: new_request_id(),
        )

    async def _work_off(self, queue: Queue[ItemT], due: asyncio.Event) -> None:
        running: set[asyncio.Task[None]] = set()

        def ended(task: asyncio.Task[None]) -> None:
            if len(running) == _CONCURRENCY:
                due.set()
            running.discard(task)

        while True:
            due.clear()
            room = _CONCURRENCY - len(running)
            claimed = await self._claim(queue, room) if room else ()
            for item in claimed:
                task = self._deps.tasks.start(self._handle(queue, item))
                running.add(task)
                task.add_done_callback(ended)
            if not room or len(claimed) < room:
                await self._wait(due)

    async def _claim(self, queue: Queue[ItemT], room: int) -> Sequence[ItemT]:
        """Lease due rows; while the database is away, there are none."""
        try:
            async with self._deps.storage.work() as work:
                return await queue.claim(work, room)
        except ServiceError as error:
            _log.warning("claim_failed", queue=queue.name, reason=error.reason)
            return ()

    async def _handle(self, queue: Queue[ItemT], item: ItemT) -> None:
        """Handle one row; whatever goes wrong, its lease lapses and it is tried again."""
        enter_scope(RequestScope(request_id=queue.request_id(item), caller="worker"))
        started = self._deps.clock.monotonic()
        outcome = "done"
        try:
            await queue.handle(item)
        except StaleWriteError:
            outcome = "claimed_by_another"
        except ServiceError as error:
            outcome = error.reason.lower()
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the queue; it is logged and retried
            outcome = "failed"
            _log.error("work_failed", queue=queue.name, item_id=str(item.id), exc_info=error)
        _log.info(
            "work",
            queue=queue.name,
            item_id=str(item.id),
            outcome=outcome,
            duration_ms=round((self._deps.clock.monotonic() - started) * 1000, 1),
        )

    def _now(self) -> datetime:
        return self._deps.clock.now()

    async def _wait(self, due: asyncio.Event) -> None:
        """Wait for a signal, or for the next look."""
        try:
            async with asyncio.timeout(_LOOK_EVERY_SECONDS):
                await due.wait()
        except TimeoutError:
            return
