"""What follows once an attempt to send money back has an outcome: refund, payment, journal."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import CaptureUse
from services.payments.domain.failures import failure
from services.payments.domain.ledger import refund_postings
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.refund_evidence import STATUS_OF
from services.payments.domain.refund_reports import RefundReport
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
)
from services.payments.domain.ruling import Note, walk
from services.payments.domain.states import TRANSITIONS, PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.grant_tier import revoke_tier
from services.payments.operations.take_money import post
from services.payments.ports import Work

_O = RefundAttemptOutcome
_RULE = "REFUNDED: the gateway says that the payer has the money back"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNews:
    """What is new about a refund.

    `payment`: locked. `held`: the locked membership, when the payer has the money back.
    """

    payment: Payment
    held: Membership | None
    refund_id: UUID
    attempt: RefundAttempt
    report: RefundReport


async def record_refund_outcome(
    deps: Dependencies, work: Work, news: RefundNews, now: datetime
) -> tuple[Note, ...]:
    """Store where the refund stands, and what that means for the payment; return the history."""
    before = await work.refunds.get(news.refund_id)
    if before is None:
        raise LookupError(f"there is no refund {news.refund_id}")
    attempts = await work.refund_attempts.of_refund(before.id)
    if news.attempt.outcome is not _O.SUCCEEDED and news.attempt.number < len(attempts):
        # A newer attempt speaks for the refund; an older one only by succeeding after all.
        return ()
    status = _status_after(before, news.attempt)
    if status is before.status and status is not RefundStatus.SUCCEEDED:
        return ()
    refund = before
    if status is not before.status:
        refund = before.moved(status, now, news.attempt.failure)
        await work.refunds.save(refund)
        await work.outbox.add(f"refund.{status}", news.payment, now)
    notes: tuple[Note, ...] = ()
    if status is RefundStatus.FAILED:
        notes = (_failed_note(refund),)
    elif news.attempt.outcome is _O.SUCCEEDED:
        notes = await _returned(deps, work, news, (before, refund), now)
    await history.write(work, news.payment.id, notes, now)
    return notes


def _status_after(refund: Refund, attempt: RefundAttempt) -> RefundStatus:
    """Return where a refund stands; what succeeded once stays so, whatever another attempt did."""
    status = STATUS_OF[attempt.outcome]
    if refund.status is RefundStatus.SUCCEEDED:
        return RefundStatus.SUCCEEDED
    if refund.status is RefundStatus.PROCESSING and status is RefundStatus.PENDING:
        return RefundStatus.PROCESSING
    return status


async def _returned(
    deps: Dependencies,
    work: Work,
    news: RefundNews,
    refunds: tuple[Refund, Refund],
    now: datetime,
) -> tuple[Note, ...]:
    before, refund = refunds
    captures = await work.captures.of_payment(news.payment.id)
    capture = next(each for each in captures if each.id == refund.capture_id)
    postings = refund_postings(refund, news.attempt.reference, news.report.fee)
    await post(deps, work, postings, capture, now)
    if before.status is RefundStatus.SUCCEEDED:
        return (_twice_note(refund),)
    await _supersede_others(work, news.attempt, now)
    if refund.purpose is not RefundPurpose.REQUESTED or capture.use is not CaptureUse.KEPT:
        return (_effect("surplus_returned", f"{refund.amount} went back to the payer", _RULE),)
    total = news.payment.refunded_minor + refund.amount.minor
    fully = total >= capture.needed.minor
    # A refund that had failed may turn out to be done after another one took its place.
    refunded = replace(news.payment, refunded_minor=min(total, capture.needed.minor))
    status = PaymentStatus.REFUNDED if fully else PaymentStatus.PARTIALLY_REFUNDED
    moves = (_twice_note(refund),) if total > capture.needed.minor else ()
    disputed_in_part = refunded.status is PaymentStatus.DISPUTED and not fully
    if status in TRANSITIONS[refunded.status] and not disputed_in_part:
        why = f"{refund.gateway} returned {refund.amount}"
        refunded, walked = walk(refunded, (status,), why, _RULE, now)
        moves = (*moves, *walked)
    refunded = refunded.touched(now)
    await work.payments.save(refunded, news.payment)
    if refunded.status is not news.payment.status:
        await work.outbox.add(f"payment.{refunded.status}", refunded, now)
    if fully and news.held is not None:
        moves = (*moves, *await revoke_tier(work, refunded, news.held.current(now), now))
    return moves


async def _supersede_others(work: Work, succeeded: RefundAttempt, now: datetime) -> None:
    """Withdraw a further attempt that never left, since an earlier one succeeded after all."""
    for attempt in await work.refund_attempts.of_refund(succeeded.refund_id):
        if attempt.id != succeeded.id and attempt.outcome is _O.RECORDED:
            withdrawn = replace(
                attempt,
                outcome=_O.FAILED,
                failure=failure("refund_superseded", now),
                next_check_at=None,
            )
            await work.refund_attempts.save(withdrawn)


def _failed_note(refund: Refund) -> Note:
    why = refund.failure.code if refund.failure else "unknown"
    return _effect(
        "refund_failed", f"{refund.amount} did not go back: {why}", "FAILED: staff decide"
    )


def _twice_note(refund: Refund) -> Note:
    reason = f"{refund.amount} went back twice: an attempt that had failed succeeded after all"
    return _effect("refund_doubled", reason, "a failed attempt is asked about for ten days")


def _effect(action: str, reason: str, rule: str) -> Note:
    return Note(kind=AuditKind.EFFECT, action=action, reason=reason, rule=rule)
