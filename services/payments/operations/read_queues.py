"""Reading what waits for people: unattributed callbacks, held money, failed refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.payments.domain.attempts import Attempt
from services.payments.domain.captures import Capture
from services.payments.domain.events import GatewayEvent
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import Refund
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import After

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage(Generic[RowT]):
    """Some rows of a queue, oldest first, and how many there are in all."""

    rows: Sequence[RowT]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Held money, with the payment that it was meant for and the attempt that took it."""

    capture: Capture
    payment: Payment
    attempt: Attempt


async def unattributed_events(
    deps: Dependencies, after: After | None, limit: int
) -> QueuePage[GatewayEvent]:
    """Read callbacks that match no payment."""
    async with deps.storage.work() as work:
        rows = await work.events.unattributed(after, limit)
        return QueuePage(rows=rows, total=await work.events.count_unattributed())


async def reviews(deps: Dependencies, after: After | None, limit: int) -> QueuePage[Review]:
    """Read money that waits for a decision."""
    async with deps.storage.work() as work:
        rows: list[Review] = []
        for capture in await work.captures.held(after, limit):
            payment = await work.payments.get(capture.payment_id)
            attempts = await work.attempts.of_payment(capture.payment_id)
            attempt = next(each for each in attempts if each.id == capture.attempt_id)
            if payment is not None:
                rows.append(Review(capture=capture, payment=payment, attempt=attempt))
        return QueuePage(rows=rows, total=await work.captures.count_held())


async def failed_refunds(deps: Dependencies, after: After | None, limit: int) -> QueuePage[Refund]:
    """Read refunds that failed."""
    async with deps.storage.work() as work:
        rows = await work.refunds.failed(after, limit)
        return QueuePage(rows=rows, total=await work.refunds.count_failed())
