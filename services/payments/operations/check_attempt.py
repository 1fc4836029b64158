"""Asks a gateway what became of an attempt, and applies the answer in one unit of work."""

from dataclasses import dataclass, replace
from datetime import datetime

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.audit import AuditKind
from services.payments.domain.charges import ChargeReport
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import RULES, Answer, Evidence, evidence_of_look_up
from services.payments.domain.membership import Membership, granted
from services.payments.domain.payment import Payment
from services.payments.domain.schedule import next_check
from services.payments.domain.settlement import Effect, Note, Settlement, bought_elsewhere, settle
from services.payments.domain.states import PaymentStatus
from services.payments.operations import journal
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Work

# Answers that show that the gateway itself spoke.
_SPOKE = frozenset(
    {Answer.SUCCEEDED, Answer.PENDING, Answer.REQUIRES_ACTION, Answer.FAILED, Answer.NOT_FOUND}
)
_UNDER_WAY = frozenset({Answer.PENDING, Answer.REQUIRES_ACTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The payment after a check, and what the gateway said.

    `paying`: whether a payer's try is under way.
    """

    payment: Payment
    answer: Answer
    paying: bool

    @property
    def final(self) -> bool:
        """Whether the gateway named an end of the charge."""
        return self.answer in (Answer.SUCCEEDED, Answer.FAILED)

    @property
    def answered(self) -> bool:
        """Whether the gateway itself spoke."""
        return self.answer in _SPOKE


async def check_attempt(
    deps: Dependencies, attempt: Attempt, *, fence: int | None = None, webhook: bool = False
) -> Check:
    """Ask the attempt's gateway by our own reference and apply what it says.

    `fence`: the lease token of a worker's claim; its writes are dropped when the lease went to
    another. `webhook`: a callback made us ask. Raises `StaleWriteError` when the lease is lost.
    """
    evidence, report = await _ask(deps, attempt)
    finding = _Finding(
        attempt=attempt, evidence=evidence, report=report, fence=fence, webhook=webhook
    )
    async with deps.storage.work() as work:
        applied = await _apply(deps, work, finding)
    journal.alert(applied.payment.id, applied.notes)
    deps.wakeups.payment_changed(applied.payment.id)
    paying = report.answer in _UNDER_WAY and not _nobody_pays(report)
    return Check(payment=applied.payment, answer=report.answer, paying=paying)


async def _ask(deps: Dependencies, attempt: Attempt) -> tuple[Evidence, ChargeReport]:
    """Ask about an attempt, and have its link closed when it failed or nobody paid in time.

    A delivered link stays payable until the gateway acknowledges that it is closed; without that,
    the attempt stays what it was.
    """
    report = await deps.gateways.get_charge(attempt)
    evidence = evidence_of_look_up(report.answer)
    lapsed = attempt.expires_at is not None and attempt.expires_at <= deps.clock.now()
    expiring = lapsed and _nobody_pays(report)
    if not _payable(attempt) or not (evidence is Evidence.REJECTED or expiring):
        return evidence, report
    closed = await deps.gateways.cancel_charge(attempt)
    if closed.answer is not Answer.SUCCEEDED:
        return Evidence.LIVE if evidence is Evidence.REJECTED else evidence, report
    if not expiring:
        return evidence, report
    # Somebody may have begun to pay just before the link closed.
    report = await deps.gateways.get_charge(attempt)
    evidence = evidence_of_look_up(report.answer)
    return Evidence.EXPIRED if _nobody_pays(report) else evidence, report


def _payable(attempt: Attempt) -> bool:
    return attempt.flow is Flow.HOSTED and attempt.outcome is AttemptOutcome.LIVE


def _nobody_pays(report: ChargeReport) -> bool:
    """Whether the gateway says that no try is under way: none was made, or the last one failed."""
    failed_before = report.answer is Answer.PENDING and bool(report.failure_code)
    return report.answer is Answer.NOT_FOUND or failed_before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    attempt: Attempt
    evidence: Evidence
    report: ChargeReport
    fence: int | None
    webhook: bool


async def _apply(deps: Dependencies, work: Work, finding: _Finding) -> Settlement:
    now = deps.clock.now()
    held = await _held_membership(work, finding)
    before = await work.payments.lock(finding.attempt.payment_id)
    attempts = await work.attempts.lock_of_payment(before.id)
    stored = next(each for each in attempts if each.id == finding.attempt.id)
    if finding.fence is not None and stored.lease_token != finding.fence:
        raise StaleWriteError(f"attempt {stored.id} was claimed by another worker")
    settlement = settle(before, stored, _still_true(finding, stored), finding.report, now)
    if settlement.effect is Effect.GRANT and held is not None:
        settlement = await _grant(work, settlement, before, held.current(now), now)
    payment = _counted(settlement.payment, before, now, webhook=finding.webhook)
    scheduled = finding.fence is not None
    await work.attempts.save(_rescheduled(settlement.attempt, now, scheduled=scheduled))
    payment = await _saved(work, payment, before, now)
    await journal.write(work, payment.id, (_check_note(finding), *settlement.notes), now)
    if payment.status is not before.status:
        await work.outbox.add(f"payment.{payment.status}", payment, now)
    return replace(settlement, payment=payment)


def _still_true(finding: _Finding, stored: Attempt) -> Evidence:
    """Return the evidence, unless its link was delivered meanwhile and still has to be closed."""
    delivered_meanwhile = finding.attempt.outcome is AttemptOutcome.SENDING and _payable(stored)
    if delivered_meanwhile and finding.evidence is Evidence.REJECTED:
        return Evidence.LIVE
    return finding.evidence


async def _saved(work: Work, payment: Payment, before: Payment, now: datetime) -> Payment:
    """Store the payment and return it; the database takes one move, and one version, at a time."""
    if before.status is PaymentStatus.PENDING and payment.status is PaymentStatus.COMPLETED:
        begun = before.moved(PaymentStatus.PROCESSING, now).touched(now)
        await work.payments.save(begun, before)
        before, payment = begun, replace(payment, version=begun.version + 1)
    await work.payments.save(payment, before)
    return payment


async def _held_membership(work: Work, finding: _Finding) -> Membership | None:
    """Lock what the member has when the finding may grant something.

    Always before the payment, as the creation of a payment does: two orders would deadlock.
    """
    if finding.evidence is not Evidence.PAID:
        return None
    payment = await work.payments.get(finding.attempt.payment_id)
    return await work.memberships.lock(payment.user_id) if payment else None


async def _grant(
    work: Work, settlement: Settlement, before: Payment, held: Membership, now: datetime
) -> Settlement:
    """Grant the tier, unless the member meanwhile bought the same thing with another payment."""
    purchase = before.purchase
    if held.covers(purchase.tier, purchase.billing_cycle, now):
        taken = before.amount + (settlement.attempt.surplus or Money(before.amount.currency, 0))
        return bought_elsewhere(before, settlement.attempt, taken, now)
    membership = granted(held, settlement.payment, now)
    await work.memberships.save(membership, now)
    note = Note(
        kind=AuditKind.EFFECT,
        action="tier_granted",
        reason=f"{membership.tier} until {membership.period_end:%Y-%m-%d}",
        rule=RULES[Evidence.PAID],
        details={"tier": membership.tier, "previous_tier": held.tier},
    )
    return replace(settlement, notes=(*settlement.notes, note))


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


def _rescheduled(attempt: Attempt, now: datetime, *, scheduled: bool) -> Attempt:
    """Return the attempt with its next check; only the worker's own checks use up the schedule."""
    if attempt.outcome is AttemptOutcome.SUCCEEDED:
        return replace(attempt, next_check_at=None)
    if attempt.outcome is AttemptOutcome.SENDING or not scheduled:
        return attempt
    due = next_check(attempt.checks, now, attempt.created_at, attempt.expires_at)
    return replace(attempt, checks=attempt.checks + 1, next_check_at=due)


def _check_note(finding: _Finding) -> Note:
    attempt, report = finding.attempt, finding.report
    details = {
        "gateway": attempt.gateway,
        "reference": attempt.reference,
        "gateway_transaction_id": report.gateway_transaction_id,
        "gateway_status": report.gateway_status,
        "amount": str(report.amount or ""),
        "fee": str(report.fee or ""),
        "failure_code": report.failure_code,
        "asked_because": "webhook" if finding.webhook else "",
    }
    return Note(
        kind=AuditKind.CHECK,
        action="gateway_asked",
        reason=f"{attempt.gateway} answered {report.answer}",
        rule=RULES[finding.evidence],
        details={key: value for key, value in details.items() if value},
    )
