"""CancelPayment: the gateway closes the live attempt first; only its acknowledgement cancels."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.audit import AuditKind
from services.payments.domain.errors import (
    attempt_not_closed,
    gateway_not_asked,
    not_cancellable,
    request_in_progress,
)
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, Payment
from services.payments.domain.settlement import Note, walk
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus
from services.payments.operations import journal
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import (
    earlier_answer,
    encode_answer,
    fingerprint,
    scope_of,
)
from services.payments.ports import IdempotencyRecord, IdempotencyScope, Work

_RULE = "CANCELLED: the gateway acknowledged that the attempt can no longer be paid"


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
    for attempt in attempts:
        if attempt.unsettled:
            await _close(deps, attempt)
    async with deps.storage.work() as work:
        cancelled = await _record(deps, work, payment, scope, request)
    deps.wakeups.payment_changed(payment.id)
    return cancelled


async def _close(deps: Dependencies, attempt: Attempt) -> None:
    """Have the gateway close an attempt, then make sure that no money arrived before that."""
    if attempt.outcome is AttemptOutcome.SENDING:
        raise request_in_progress()
    if attempt.outcome is AttemptOutcome.UNKNOWN:
        raise attempt_not_closed(
            "the provider is still being asked whether the payment began; try again later"
        )
    closed = await deps.gateways.cancel_charge(attempt)
    if closed.answer in (Answer.NOT_CREATED, Answer.FAILED):
        raise attempt_not_closed(
            "the provider cannot take this payment back; decline it on the phone or let it lapse"
        )
    if closed.answer is not Answer.SUCCEEDED:
        raise gateway_not_asked()
    check = await check_attempt(deps, attempt)
    if check.payment.status is PaymentStatus.COMPLETED:
        raise not_cancellable(check.payment.status)
    if check.paying:
        raise attempt_not_closed("the payer is paying at this moment; wait for the outcome")
    if not check.answered:
        raise gateway_not_asked()


async def _record(
    deps: Dependencies, work: Work, payment: Payment, scope: IdempotencyScope, request: bytes
) -> Payment:
    now = deps.clock.now()
    before = await work.payments.lock(payment.id)
    if before.status is PaymentStatus.CANCELLED:
        return before
    _require_cancellable(before)
    record = IdempotencyRecord(
        scope=scope,
        fingerprint=request,
        owner=deps.ids.new_id(),
        lease_until=now + timedelta(seconds=deps.timing.takeover),
        payment_id=before.id,
    )
    if not await work.keys.add(record, now):
        raise request_in_progress()
    cancelled, moves = walk(before, (PaymentStatus.CANCELLED,), "withdrawn", _RULE, now)
    cancelled = replace(cancelled, next_action=NO_ACTION).touched(now)
    notes: list[Note] = [journal.request_note("cancellation_requested", "withdraw the payment")]
    for attempt in await work.attempts.lock_of_payment(before.id):
        if attempt.unsettled:
            await work.attempts.save(attempt.settled(AttemptOutcome.CANCELLED))
            notes.append(_closed_note(attempt))
    await work.payments.save(cancelled, before)
    await journal.write(work, before.id, (*notes, *moves), now)
    await work.outbox.add("payment.cancelled", cancelled, now)
    await work.keys.finish(scope, cancelled.id, encode_answer(cancelled))
    return cancelled


def _closed_note(attempt: Attempt) -> Note:
    return Note(
        kind=AuditKind.ATTEMPT,
        action="attempt_cancelled",
        reason=f"{attempt.gateway} closed the attempt",
        rule=_RULE,
        details={"gateway": attempt.gateway, "reference": attempt.reference},
    )
