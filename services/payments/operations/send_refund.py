"""Sends money back and looks up what became of it. Only the worker does; never twice.

The attempt is on record as SENDING before its first byte leaves. Whoever finds it so later cannot
know whether it left, and asks the gateway.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit.request_scope import about_payment
from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import Capture
from services.payments.domain.errors import CommitUnknownError, StaleWriteError
from services.payments.domain.evidence import Answer
from services.payments.domain.failures import failure
from services.payments.domain.payment import Payment
from services.payments.domain.refund_evidence import (
    REFUND_CREATION,
    REFUND_LOOK_UP,
    REFUND_RULES,
    outcome_after_look_up,
)
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    next_look_up,
    next_sending,
)
from services.payments.domain.ruling import Note
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.record_refund_outcome import RefundNews, record_refund_outcome
from services.payments.ports import Work

_O = RefundAttemptOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A claimed attempt with all that sending and asking need."""

    attempt: RefundAttempt
    refund: Refund
    capture: Capture
    payment: Payment
    charge_reference: str


async def work_on_refund(deps: Dependencies, attempt: RefundAttempt) -> None:
    """Do what a claimed attempt is due for: send it if it never left, else ask about it."""
    about_payment(str(attempt.payment_id))
    if attempt.outcome is _O.RECORDED:
        await deps.tasks.finish(_send(deps, attempt))
    else:
        await _look_up(deps, attempt)


async def _send(deps: Dependencies, claimed: RefundAttempt) -> None:
    try:
        async with deps.storage.work() as work:
            job = await _begin(deps, work, claimed)
    except CommitUnknownError:
        # Nothing has left yet: whatever is on record now, the next claim goes on from there.
        return
    purchase = job.payment.purchase
    order = RefundOrder(
        reference=job.attempt.reference,
        charge_reference=job.charge_reference,
        charge_transaction_id=job.capture.gateway_transaction_id,
        amount=job.refund.amount,
        customer=purchase.customer,
    )
    report = await deps.gateways.create_refund(job.attempt.gateway, order)
    await _record(deps, job, report, creation=True)


async def _look_up(deps: Dependencies, claimed: RefundAttempt) -> None:
    async with deps.storage.work() as work:
        job = await _read(work, claimed)
    query = RefundQuery(
        reference=claimed.reference,
        gateway_refund_id=claimed.gateway_refund_id,
        charge_transaction_id=job.capture.gateway_transaction_id,
        amount=job.refund.amount,
    )
    report = await deps.gateways.get_refund(claimed.gateway, query)
    await _record(deps, job, report, creation=False)


async def _begin(deps: Dependencies, work: Work, claimed: RefundAttempt) -> _Job:
    """Put on record that the attempt is about to leave."""
    now = deps.clock.now()
    await work.payments.lock(claimed.payment_id)
    job = await _read(work, claimed)
    if job.attempt.outcome is not _O.RECORDED:
        raise StaleWriteError(f"refund attempt {claimed.id} is {job.attempt.outcome} by now")
    takeover = timedelta(seconds=deps.timing.takeover)
    sending = replace(job.attempt, outcome=_O.SENDING, sent_at=now, next_check_at=now + takeover)
    await work.refund_attempts.save(sending)
    await history.write(work, claimed.payment_id, (_note(job, sending, None),), now)
    return replace(job, attempt=sending)


async def _read(work: Work, claimed: RefundAttempt) -> _Job:
    """Read what an attempt is about. Raises `StaleWriteError` when its lease is lost."""
    refund = await work.refunds.get(claimed.refund_id)
    payment = await work.payments.get(claimed.payment_id)
    if refund is None or payment is None:
        raise LookupError(f"refund attempt {claimed.id} has no refund or no payment")
    captures = await work.captures.of_payment(payment.id)
    capture = next(each for each in captures if each.id == refund.capture_id)
    charges = await work.attempts.of_payment(payment.id)
    charge = next(each for each in charges if each.id == capture.attempt_id)
    attempts = await work.refund_attempts.of_refund(refund.id)
    stored = next(each for each in attempts if each.id == claimed.id)
    if stored.lease_token != claimed.lease_token:
        raise StaleWriteError(f"refund attempt {claimed.id} was claimed by another worker")
    return _Job(
        attempt=stored,
        refund=refund,
        capture=capture,
        payment=payment,
        charge_reference=charge.reference,
    )


async def _record(deps: Dependencies, job: _Job, report: RefundReport, *, creation: bool) -> None:
    """Store what an answer proves, in one unit of work with all that follows from it."""
    async with deps.storage.work() as work:
        now = deps.clock.now()
        member = job.payment.user_id
        # Always before the payment, as everywhere: two orders would deadlock.
        held = await work.memberships.lock(member) if report.answer is Answer.SUCCEEDED else None
        payment = await work.payments.lock(job.payment.id)
        stored = (await _read(work, job.attempt)).attempt
        after = _after_creation(stored, report, now) if creation else None
        after = after or _after_look_up(deps, stored, report, now)
        await work.refund_attempts.save(after)
        note = _note(job, after, report)
        await history.write(work, payment.id, (note,), now)
        news = RefundNews(
            payment=payment, held=held, refund_id=job.refund.id, attempt=after, report=report
        )
        notes = await record_refund_outcome(deps, work, news, now)
    history.alert(job.payment.id, notes)
    deps.wakeups.payment_changed(job.payment.id)


def _after_creation(
    attempt: RefundAttempt, report: RefundReport, now: datetime
) -> RefundAttempt | None:
    """Return the attempt once its sending was answered; None when it was decided meanwhile."""
    if attempt.outcome is not _O.SENDING:
        return None
    outcome = REFUND_CREATION[report.answer]
    attempt = replace(attempt, gateway_refund_id=report.gateway_refund_id)
    if outcome is _O.RECORDED:
        due = next_sending(attempt.checks, now)
        return replace(
            attempt, outcome=outcome, sent_at=None, checks=attempt.checks + 1, next_check_at=due
        )
    settled = _settled(replace(attempt, checks=0), outcome, report, now)
    # What was never made cannot be asked about.
    return replace(settled, next_check_at=None) if report.answer is Answer.NOT_CREATED else settled


def _after_look_up(
    deps: Dependencies, attempt: RefundAttempt, report: RefundReport, now: datetime
) -> RefundAttempt:
    """Return the attempt once the gateway was asked about it."""
    outcome = outcome_after_look_up(attempt.outcome, REFUND_LOOK_UP[report.answer])
    if outcome is _O.SENDING:
        # Its process stopped: it may have left.
        outcome = _O.UNKNOWN
    refund_id = report.gateway_refund_id or attempt.gateway_refund_id
    attempt = replace(attempt, gateway_refund_id=refund_id)
    sent_at = attempt.sent_at or attempt.created_at
    if outcome is _O.UNKNOWN and report.answer is Answer.NOT_FOUND:
        attempt = replace(attempt, absence=attempt.absence.again(now))
        quiet_since = now - timedelta(seconds=deps.timing.quiet)
        if attempt.absence.proves(sent_at, quiet_since):
            absent = replace(report, failure_code="refund_not_found")
            return _settled(attempt, _O.FAILED, absent, now)
    return _settled(attempt, outcome, report, now)


def _settled(
    attempt: RefundAttempt, outcome: RefundAttemptOutcome, report: RefundReport, now: datetime
) -> RefundAttempt:
    newly_failed = outcome is _O.FAILED and attempt.outcome is not _O.FAILED
    why = failure(report.failure_code or "refund_failed", now) if newly_failed else attempt.failure
    attempt = replace(attempt, outcome=outcome, failure=why if outcome is _O.FAILED else None)
    due = next_look_up(attempt, now)
    return replace(attempt, checks=attempt.checks + 1, next_check_at=due)


def _note(job: _Job, attempt: RefundAttempt, report: RefundReport | None) -> Note:
    details = {
        "gateway": attempt.gateway,
        "reference": attempt.reference,
        "refund_id": str(attempt.refund_id),
        "amount": str(job.refund.amount),
        "answer": str(report.answer) if report else "",
        "gateway_status": report.gateway_status if report else "",
        "gateway_refund_id": attempt.gateway_refund_id,
        "failure_code": report.failure_code if report else "",
        "detail": report.detail if report else "",
    }
    answered = f"{attempt.gateway} answered {report.answer}" if report else "about to leave"
    return Note(
        kind=AuditKind.ATTEMPT,
        action=f"refund_attempt_{attempt.outcome}",
        reason=f"refund of {job.refund.amount}: {answered}",
        rule=REFUND_RULES[attempt.outcome],
        details={key: value for key, value in details.items() if value},
    )
