"""Asks a gateway what became of an attempt, and applies the answer in one unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import Capture, CaptureUse, Taken
from services.payments.domain.charges import ChargeReport
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import Answer, Evidence
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import Ruling, judge
from services.payments.domain.schedule import next_check, next_sweep
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.ask_gateway import Finding, ask, check_note
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.grant_tier import grant_tier, membership_for
from services.payments.operations.take_money import (
    Arrival,
    correct_held,
    record_arrival,
)
from services.payments.ports import Work

# Answers that show that the gateway itself spoke.
_SPOKE = frozenset(
    {Answer.SUCCEEDED, Answer.PENDING, Answer.REQUIRES_ACTION, Answer.FAILED, Answer.NOT_FOUND}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The payment after a check, and what the gateway said.

    `paying`: whether a payer's try is under way. `answered`: whether the gateway itself spoke.
    """

    payment: Payment
    answer: Answer
    paying: bool
    answered: bool

    @property
    def final(self) -> bool:
        """Whether the gateway named an end of the charge."""
        return self.answer in (Answer.SUCCEEDED, Answer.FAILED)


async def check_attempt(
    deps: Dependencies,
    attempt: Attempt,
    *,
    fence: int | None = None,
    webhook: bool = False,
    hint: str = "",
) -> Check:
    """Ask the attempt's gateway by our own reference and apply what it says.

    `fence`: the lease token of a worker's claim; its writes are dropped when the lease went to
    another. `webhook`: a callback made us ask. `hint`: the transaction that it named; it may be
    another one under the same reference. Raises `StaleWriteError` when the lease is lost.
    """
    finding = replace(await ask(deps, attempt), fence=fence, webhook=webhook)
    applied = await record_finding(deps, finding)
    answered = finding.report.answer in _SPOKE
    for transaction_id in _further(finding, hint):
        further = await deps.gateways.get_charge(
            replace(attempt, gateway_transaction_id=transaction_id)
        )
        answered = answered and further.answer in _SPOKE
        if _is_second_success(further, attempt, transaction_id):
            second = Finding(attempt=attempt, evidence=Evidence.PAID, report=further, webhook=False)
            applied = await record_finding(deps, second)
    return Check(
        payment=applied.payment,
        answer=finding.report.answer,
        paying=finding.paying,
        answered=answered,
    )


def _further(finding: Finding, hint: str) -> Sequence[str]:
    """Return the transactions that may be further successes under a reference that is paid."""
    if finding.report.answer is not Answer.SUCCEEDED:
        return ()
    named = (*finding.report.further_transaction_ids, hint)
    return [each for each in dict.fromkeys(named) if each not in ("", finding.transaction_id)]


def _is_second_success(report: ChargeReport, attempt: Attempt, transaction_id: str) -> bool:
    """Whether a named transaction took money under the attempt's reference: hints are forged."""
    ours = report.reference == attempt.reference
    return (
        report.answer is Answer.SUCCEEDED
        and ours
        and report.gateway_transaction_id == transaction_id
    )


async def record_finding(deps: Dependencies, finding: Finding) -> Ruling:
    """Apply a finding in one unit of work, then tell whom it concerns."""
    async with deps.storage.work() as work:
        ruling = await _apply(deps, work, finding)
    history.alert(ruling.payment.id, ruling.notes)
    deps.wakeups.payment_changed(ruling.payment.id)
    if ruling.taken is not None:
        # Other attempts may have to be closed, and money may have to go back.
        deps.wakeups.attempt_due()
    return ruling


async def _apply(deps: Dependencies, work: Work, finding: Finding) -> Ruling:
    now = deps.clock.now()
    # Always before the payment, as the creation of a payment does: two orders would deadlock.
    held = await membership_for(work, finding.attempt) if finding.paid else None
    before = await work.payments.lock(finding.attempt.payment_id)
    attempts = await work.attempts.lock_of_payment(before.id)
    stored = next(each for each in attempts if each.id == finding.attempt.id)
    if finding.fence is not None and stored.lease_token != finding.fence:
        raise StaleWriteError(f"attempt {stored.id} was claimed by another worker")
    stored = _with_absence(stored, finding.report, now)
    known = await work.captures.by_transaction_id(stored.gateway, finding.transaction_id)
    quiet_since = now - timedelta(seconds=deps.timing.quiet)
    evidence = _still_true(finding, stored, known, quiet_since)
    ruling = judge(before, stored, evidence, finding.report, now)
    if ruling.grants and held is not None:
        ruling = await grant_tier(work, ruling, before, held, now)
    if ruling.taken is not None and known is not None:
        await correct_held(deps, work, known, ruling.taken, now)
    elif ruling.taken is not None:
        await record_arrival(deps, work, _arrival(finding, ruling.attempt, ruling.taken), now)
    payment = _counted(ruling.payment, before, now, webhook=finding.webhook)
    await work.attempts.save(await _rescheduled(work, ruling.attempt, finding, now))
    payment = await _saved(work, payment, before, now)
    await history.write(work, payment.id, (check_note(finding), *ruling.notes), now)
    if payment.status is not before.status:
        await work.outbox.add(f"payment.{payment.status}", payment, now)
    return replace(ruling, payment=payment)


def _with_absence(stored: Attempt, report: ChargeReport, now: datetime) -> Attempt:
    """Count that the gateway does not know an attempt that may have been sent."""
    if stored.outcome is not AttemptOutcome.UNKNOWN or report.answer is not Answer.NOT_FOUND:
        return stored
    return replace(stored, absence=stored.absence.again(now))


def _still_true(
    finding: Finding, stored: Attempt, known: Capture | None, quiet_since: datetime
) -> Evidence:
    """Return the evidence, unless what happened meanwhile makes it say less, or time makes it more.

    `quiet_since`: what was sent before this is no longer on its way.
    """
    evidence = finding.evidence
    if evidence is Evidence.PAID and known is not None and not _corrected(known, finding.report):
        # It is on record, and what it counts for is decided or waits for staff.
        return Evidence.NO_NEWS
    delivered_meanwhile = finding.attempt.outcome is AttemptOutcome.SENDING and stored.payable
    if delivered_meanwhile and evidence is Evidence.REJECTED:
        # Its link still has to be closed.
        return Evidence.LIVE
    sent_meanwhile = stored.as_sent != finding.attempt.as_sent
    if sent_meanwhile and evidence in (Evidence.EXPIRED, Evidence.CLOSED):
        return Evidence.NO_NEWS
    unknown = stored.outcome is AttemptOutcome.UNKNOWN and evidence is Evidence.NO_NEWS
    if unknown and stored.absence.proves(stored.sent_at, quiet_since):
        return Evidence.ABSENT
    return evidence


def _corrected(known: Capture, report: ChargeReport) -> bool:
    """Whether a gateway now names another amount for money that is held."""
    return known.use is CaptureUse.HELD and report.amount not in (None, known.amount)


def _arrival(finding: Finding, attempt: Attempt, taken: Taken) -> Arrival:
    return Arrival(
        attempt=attempt,
        transaction_id=finding.transaction_id,
        taken=taken,
        fee=finding.report.fee,
    )


async def _saved(work: Work, payment: Payment, before: Payment, now: datetime) -> Payment:
    """Store the payment and return it; the database takes one move, and one version, at a time."""
    if before.status is PaymentStatus.PENDING and payment.status is PaymentStatus.COMPLETED:
        begun = before.moved(PaymentStatus.PROCESSING, now).touched(now)
        await work.payments.save(begun, before)
        before, payment = begun, replace(payment, version=begun.version + 1)
    await work.payments.save(payment, before)
    return payment


def _counted(payment: Payment, before: Payment, now: datetime, *, webhook: bool) -> Payment:
    """Return the payment with its check counted; a new version only when something changed."""
    if payment != before:
        payment = payment.touched(now)
    return replace(
        payment,
        verification_count=payment.verification_count + 1,
        last_verified_at=now,
        webhook_count=payment.webhook_count + webhook,
        webhook_received_at=now if webhook else payment.webhook_received_at,
    )


async def _rescheduled(work: Work, attempt: Attempt, finding: Finding, now: datetime) -> Attempt:
    """Return the attempt with its next check; only the worker's own checks use up the schedule."""
    if attempt.outcome is AttemptOutcome.SUCCEEDED:
        captures = await work.captures.of_payment(attempt.payment_id)
        times = [each.captured_at for each in captures if each.attempt_id == attempt.id]
        due = next_sweep(min(times, default=now), now) if attempt.flow is Flow.HOSTED else None
        return replace(attempt, next_check_at=due)
    if attempt.outcome is AttemptOutcome.SENDING or finding.fence is None:
        return attempt
    return replace(attempt, checks=attempt.checks + 1, next_check_at=next_check(attempt, now))
