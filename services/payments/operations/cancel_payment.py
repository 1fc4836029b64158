"""CancelPayment: the gateway closes the live attempt first; only its acknowledgement cancels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.errors import not_cancellable, request_in_progress
from services.payments.domain.payment import NO_ACTION, Payment
from services.payments.domain.ruling import Note, walk
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus
from services.payments.operations import history
from services.payments.operations.close_attempt import (
    CLOSED_RULE,
    close_attempt,
    closed_note,
    require_closed,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import (
    earlier_answer,
    encode_answer,
    fingerprint,
    scope_of,
)
from services.payments.ports import IdempotencyRecord, IdempotencyScope, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPaymentCommand:
    """A validated request to withdraw an open payment."""

    payment_id: UUID
    idempotency_key: str


async def cancel_payment(
    deps: Dependencies, payment: Payment, command: CancelPaymentCommand
) -> Payment:
    """Withdraw an open payment and return it; a cancelled one is returned as it is.

    Raises `ServiceError`: PAYMENT_NOT_CANCELLABLE when it is over (also when the money turns out
    to be there), ATTEMPT_NOT_CLOSED when the gateway cannot take the attempt back,
    GATEWAY_NOT_REACHABLE when it could not be asked.
    """
    scope = scope_of(payment.user_id, "CancelPayment", command.idempotency_key)
    request = fingerprint(command)
    async with deps.storage.work() as work:
        answered = await earlier_answer(work, scope, request, deps.clock.now())
    if answered is not None:
        return answered
    if payment.status is PaymentStatus.CANCELLED:
        return payment
    _require_cancellable(payment)
    return await deps.tasks.finish(_close_and_cancel(deps, payment, scope, request))


def _require_cancellable(payment: Payment) -> None:
    """Refuse to withdraw a payment that is over, or whose money arrived and awaits a decision."""
    if payment.review_reason is not None:
        raise not_cancellable("held for review")
    if payment.status not in OPEN_STATUSES:
        raise not_cancellable(payment.status)


async def _close_and_cancel(
    deps: Dependencies, payment: Payment, scope: IdempotencyScope, request: bytes
) -> Payment:
    async with deps.storage.work() as work:
        attempts = await work.attempts.of_payment(payment.id)
    closed = [attempt for attempt in attempts if attempt.unsettled]
    for attempt in closed:
        await close_attempt(deps, attempt)
    asked = _Asked(payment=payment, scope=scope, request=request, closed=closed)
    async with deps.storage.work() as work:
        cancelled = await _record(deps, work, asked)
    deps.wakeups.payment_changed(payment.id)
    return cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request whose attempts the gateway has closed."""

    payment: Payment
    scope: IdempotencyScope
    request: bytes
    closed: Sequence[Attempt]


async def _record(deps: Dependencies, work: Work, asked: _Asked) -> Payment:
    now = deps.clock.now()
    scope = asked.scope
    before = await work.payments.lock(asked.payment.id)
    if before.status is PaymentStatus.CANCELLED:
        return before
    _require_cancellable(before)
    record = IdempotencyRecord(
        scope=scope,
        fingerprint=asked.request,
        owner=deps.ids.new_id(),
        lease_until=now + timedelta(seconds=deps.timing.takeover),
        payment_id=before.id,
    )
    if not await work.keys.add(record, now):
        raise request_in_progress()
    cancelled, moves = walk(before, (PaymentStatus.CANCELLED,), "withdrawn", CLOSED_RULE, now)
    cancelled = replace(cancelled, next_action=NO_ACTION).touched(now)
    notes: list[Note] = [history.request_note("cancellation_requested", "withdraw the payment")]
    for attempt in await work.attempts.lock_of_payment(before.id):
        if attempt.unsettled:
            require_closed(attempt, asked.closed)
            await work.attempts.save(attempt.settled(AttemptOutcome.CANCELLED))
            notes.append(closed_note(attempt))
    await work.payments.save(cancelled, before)
    await history.write(work, before.id, (*notes, *moves), now)
    await work.outbox.add("payment.cancelled", cancelled, now)
    await work.keys.finish(scope, cancelled.id, encode_answer(cancelled))
    return cancelled
