"""The worker's three queues, worked off in one process until nothing is due."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import ServiceError
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.refunds import RefundAttempt
from services.payments.operations.apply_gateway_event import (
    apply_gateway_event,
    check_due_attempt,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.send_refund import work_on_refund

HandleRefund = Callable[[Dependencies, RefundAttempt], Awaitable[None]]

_LEASE = timedelta(seconds=60)
_MANY = 50
_MOST_ROUNDS = 60

_NEXT_DUE = text("""
SELECT min(greatest(due, lease_until)) FROM (
    SELECT next_check_at AS due, lease_until FROM payment_attempts
    UNION ALL SELECT next_check_at, lease_until FROM refund_attempts
    UNION ALL SELECT next_try_at, lease_until FROM webhook_events
) queues WHERE due IS NOT NULL
""")


class NeverQuietError(Exception):
    """Something is due again and again at the same time."""


class Queues:
    """What a worker does, in an order that is always the same."""

    def __init__(self, deps: Dependencies, handle_refund: HandleRefund = work_on_refund) -> None:
        self._deps = deps
        self._handle_refund = handle_refund

    async def work_off(self) -> None:
        """Handle what is due now, until nothing is. Raises `NeverQuietError`."""
        for _ in range(_MOST_ROUNDS):
            try:
                work_to_do = await self._claim()
            except ServiceError:
                continue
            for handle in work_to_do:
                # As in the worker: what fails is tried again when its lease has lapsed.
                with suppress(StaleWriteError, ServiceError):
                    await handle()
            if not work_to_do:
                return
        raise NeverQuietError(f"something is still due at {self._deps.clock.now()}")

    async def _claim(self) -> list[Callable[[], Awaitable[None]]]:
        """Claim what is due in all queues; return what is to be done."""
        deps, now = self._deps, self._deps.clock.now()
        async with deps.storage.work() as work:
            events = await work.events.claim_due(now, _LEASE, _MANY)
            attempts = await work.attempts.claim_due(now, _LEASE, _MANY)
            refunds = await work.refund_attempts.claim_due(now, _LEASE, _MANY)
        return [
            *(partial(apply_gateway_event, deps, event) for event in events),
            *(partial(check_due_attempt, deps, attempt) for attempt in attempts),
            *(partial(self._handle_refund, deps, refund) for refund in refunds),
        ]


async def next_due(engine: AsyncEngine) -> datetime | None:
    """Return when the next row of any queue can be claimed; None when nothing ever is due."""
    async with engine.connect() as connection:
        due: datetime | None = (await connection.execute(_NEXT_DUE)).scalar_one()
    return due
