"""What a look-up does to a payment and its attempt. Pure: same finding, same result."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import CaptureUse, Taken
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import RULES, Evidence, outcome_after
from services.payments.domain.failures import failure
from services.payments.domain.payment import (
    NO_ACTION,
    ActionKind,
    NextAction,
    Payment,
    masked_phone,
)
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus

# Verified money completes a payment in one of these; in any other it is surplus.
COMPLETABLE = OPEN_STATUSES | {PaymentStatus.FAILED, PaymentStatus.EXPIRED}
SURPLUS_RULE = "SURPLUS: a member never pays twice for one thing; what is not needed goes back"
_BOUGHT_ELSEWHERE = "the member has bought the same, or something newer, with another payment"
_OTHER_REFERENCE = "the gateway answered about another reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line for the audit trail, without who and when."""

    kind: AuditKind
    action: str
    reason: str
    rule: str = ""
    from_status: PaymentStatus | None = None
    to_status: PaymentStatus | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The payment and attempt after a look-up, the money that it found, and its history.

    `taken`: None when no money was found that is not on record already.
    """

    payment: Payment
    attempt: Attempt
    taken: Taken | None = None
    notes: tuple[Note, ...] = ()

    @property
    def grants(self) -> bool:
        """Whether the money buys what was asked for."""
        return self.taken is not None and self.taken.use is CaptureUse.KEPT


def judge(
    payment: Payment,
    attempt: Attempt,
    evidence: Evidence,
    report: ChargeReport,
    at: datetime,
) -> Ruling:
    """Return what a look-up of `attempt` changes.

    `evidence`: what the look-up proved; PAID only for money that is not on record yet. `report`:
    what the gateway said. A settled attempt is only moved by money; a completed payment is never
    moved by anything found here.
    """
    transaction_id = report.gateway_transaction_id or attempt.gateway_transaction_id
    if attempt.outcome is not AttemptOutcome.SUCCEEDED:
        # A second success under the same reference does not replace the first.
        attempt = replace(attempt, gateway_transaction_id=transaction_id)
    attempt = replace(attempt, expires_at=report.expires_at or attempt.expires_at)
    if evidence is Evidence.PAID:
        return _paid(payment, attempt, report, at)
    if evidence is Evidence.REJECTED:
        return _rejected(payment, attempt, report, at)
    if evidence in _ENDINGS:
        return _ended(payment, attempt, evidence, at)
    if evidence is Evidence.LIVE:
        return _live(payment, attempt, at)
    return Ruling(payment=payment, attempt=attempt)


def walk(
    payment: Payment, path: tuple[PaymentStatus, ...], why: str, rule: str, at: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    """Move a payment along a path of statuses, with one note for every move.

    Raises `IllegalTransitionError` when the table of legal moves does not allow one of them.
    """
    notes: list[Note] = []
    for status in path:
        moved = payment.moved(status, at)
        notes.append(
            Note(
                kind=AuditKind.MOVE,
                action=f"payment_{status}",
                reason=why,
                rule=rule,
                from_status=payment.status,
                to_status=status,
            )
        )
        payment = moved
    return payment, tuple(notes)


def prompt_action(payment: Payment, attempt: Attempt) -> NextAction:
    """Return the step of a prompt that waits on the member's phone."""
    return NextAction(
        kind=ActionKind.PHONE_PROMPT,
        value=masked_phone(payment.purchase.customer.phone_number),
        expires_at=attempt.expires_at,
    )


def as_surplus(payment: Payment, attempt: Attempt, amount: Money, why: str) -> Ruling:
    """Return what verified money for a payment that does not need it changes: it goes back."""
    taken = Taken(amount=amount, use=CaptureUse.SURPLUS, excess=amount, why=why)
    return Ruling(
        payment=payment,
        attempt=attempt.settled(AttemptOutcome.SUCCEEDED),
        taken=taken,
        notes=(_surplus_note(amount, why),),
    )


def bought_elsewhere(payment: Payment, attempt: Attempt, amount: Money, at: datetime) -> Ruling:
    """Return what verified money changes when the member has bought the same with another payment.

    It is surplus. A payment that was still open is withdrawn: there is nothing left to buy with it.
    """
    ruling = as_surplus(payment, attempt, amount, _BOUGHT_ELSEWHERE)
    withdrawn, moves = withdraw(payment, _BOUGHT_ELSEWHERE, SURPLUS_RULE, at)
    return replace(ruling, payment=withdrawn, notes=(*ruling.notes, *moves))


def withdraw(
    payment: Payment, why: str, rule: str, at: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    """Cancel a payment that is still open; one that is not stays as it is."""
    if payment.status not in OPEN_STATUSES:
        return payment, ()
    withdrawn, moves = walk(payment, (PaymentStatus.CANCELLED,), why, rule, at)
    return replace(withdrawn, next_action=NO_ACTION, review_reason=None), moves


def grant(payment: Payment, attempt: Attempt, amount: Money, why: str, at: datetime) -> Ruling:
    """Return what money changes that buys the payment; what is more than the price is excess.

    Raises `IllegalTransitionError` when the payment cannot be completed any more.
    """
    path: tuple[PaymentStatus, ...] = (PaymentStatus.COMPLETED,)
    if payment.status is PaymentStatus.PENDING:
        # The gateway's word outran our own bookkeeping of the creation.
        path = (PaymentStatus.PROCESSING, PaymentStatus.COMPLETED)
    completed, notes = walk(payment, path, why, RULES[Evidence.PAID], at)
    completed = replace(
        completed,
        gateway=attempt.gateway,
        gateway_reference=attempt.reference,
        gateway_transaction_id=attempt.gateway_transaction_id,
        next_action=NO_ACTION,
        failure=None,
        review_reason=None,
    )
    same_currency = amount.currency == payment.amount.currency
    excess = Money(
        amount.currency, max(amount.minor - payment.amount.minor, 0) if same_currency else 0
    )
    if excess.minor:
        notes = (*notes, _surplus_note(excess, "more was paid than the price"))
    return Ruling(
        payment=completed,
        attempt=attempt.settled(AttemptOutcome.SUCCEEDED),
        taken=Taken(amount=amount, use=CaptureUse.KEPT, excess=excess),
        notes=notes,
    )


def _paid(payment: Payment, attempt: Attempt, report: ChargeReport, at: datetime) -> Ruling:
    amount = report.amount
    if amount is None or amount.minor <= 0:
        return _held(payment, attempt, None, "the gateway named no amount", at)
    if report.reference != attempt.reference:
        return _held(payment, attempt, None, _OTHER_REFERENCE, at)
    if payment.status not in COMPLETABLE:
        return as_surplus(payment, attempt, amount, f"the payment is {payment.status}")
    mismatch = _mismatch(payment, amount)
    if mismatch:
        return _held(payment, attempt, amount, mismatch, at)
    return grant(payment, attempt, amount, f"{attempt.gateway} took {amount}", at)


def _mismatch(payment: Payment, amount: Money) -> str | None:
    """Say how the money that arrived differs from what was asked for, if it does."""
    if amount.currency != payment.amount.currency:
        return f"the gateway took {amount.currency} instead of {payment.amount.currency}"
    if amount.minor < payment.amount.minor:
        return f"underpaid: the gateway took {amount} of {payment.amount}"
    return None


def _held(
    payment: Payment, attempt: Attempt, amount: Money | None, why: str, at: datetime
) -> Ruling:
    """Hold what arrived for staff to decide; nothing is granted."""
    taken: Taken | None = None
    if amount is not None:
        nothing = Money(amount.currency, 0)
        taken = Taken(amount=amount, use=CaptureUse.HELD, excess=nothing, why=why)
    if payment.review_reason == why:
        return Ruling(payment=payment, attempt=attempt, taken=taken)
    rule = "MISMATCH: reference, currency and amount must equal ours; nothing is granted"
    notes: tuple[Note, ...] = ()
    if payment.status is PaymentStatus.PENDING:
        payment, notes = walk(payment, (PaymentStatus.PROCESSING,), why, rule, at)
    held = Note(kind=AuditKind.EFFECT, action="held_for_review", reason=why, rule=rule)
    return Ruling(
        payment=replace(payment, review_reason=why, next_action=NO_ACTION),
        attempt=attempt,
        taken=taken,
        notes=(*notes, held),
    )


def _surplus_note(amount: Money, why: str) -> Note:
    return Note(
        kind=AuditKind.EFFECT,
        action="surplus_found",
        reason=f"{amount} arrived that the payment does not need: {why}",
        rule=SURPLUS_RULE,
        details={"surplus": str(amount)},
    )


def _rejected(payment: Payment, attempt: Attempt, report: ChargeReport, at: datetime) -> Ruling:
    outcome = outcome_after(Evidence.REJECTED, attempt.outcome)
    if outcome is attempt.outcome:
        return Ruling(payment=payment, attempt=attempt)
    why = failure(report.failure_code or "declined", at)
    attempt = attempt.settled(outcome, why)
    ended = Note(
        kind=AuditKind.ATTEMPT,
        action="attempt_rejected",
        reason=f"{attempt.gateway} reports {report.gateway_status or 'a failure'}",
        rule=RULES[Evidence.REJECTED],
        details={"failure_code": why.code, "detail": report.detail},
    )
    if payment.status not in OPEN_STATUSES:
        return Ruling(payment=payment, attempt=attempt, notes=(ended,))
    failed, notes = walk(
        payment, (PaymentStatus.FAILED,), f"{why.code} at {attempt.gateway}", ended.rule, at
    )
    return Ruling(
        payment=replace(failed, failure=why, next_action=NO_ACTION),
        attempt=attempt,
        notes=(ended, *notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How evidence that is no money ends an open payment. `why`: with the gateway's name."""

    action: str
    status: PaymentStatus
    why: str
    failure_code: str = ""


_ENDINGS = {
    Evidence.EXPIRED: _Ending(
        action="attempt_expired", status=PaymentStatus.EXPIRED, why="nobody paid at {} in time"
    ),
    Evidence.CLOSED: _Ending(
        action="attempt_closed", status=PaymentStatus.CANCELLED, why="{} closed it: not needed"
    ),
    Evidence.ABSENT: _Ending(
        action="attempt_absent",
        status=PaymentStatus.FAILED,
        why="{} never got the request",
        failure_code="never_confirmed",
    ),
}


def _ended(payment: Payment, attempt: Attempt, evidence: Evidence, at: datetime) -> Ruling:
    outcome = outcome_after(evidence, attempt.outcome)
    if outcome is attempt.outcome:
        return Ruling(payment=payment, attempt=attempt)
    ending, rule = _ENDINGS[evidence], RULES[evidence]
    why = ending.why.format(attempt.gateway)
    reason = failure(ending.failure_code, at) if ending.failure_code else None
    attempt = attempt.settled(outcome, reason)
    ended = Note(kind=AuditKind.ATTEMPT, action=ending.action, reason=why, rule=rule)
    if payment.status not in OPEN_STATUSES:
        return Ruling(payment=payment, attempt=attempt, notes=(ended,))
    over, moves = walk(payment, (ending.status,), why, rule, at)
    over = replace(over, next_action=NO_ACTION, failure=reason or over.failure)
    return Ruling(payment=over, attempt=attempt, notes=(ended, *moves))


def _live(payment: Payment, attempt: Attempt, at: datetime) -> Ruling:
    outcome = outcome_after(Evidence.LIVE, attempt.outcome)
    # A link that is still on its way to us is decided by the process that waits for it.
    awaits_link = attempt.flow is Flow.HOSTED and attempt.outcome is AttemptOutcome.SENDING
    if outcome is attempt.outcome or awaits_link:
        return Ruling(payment=payment, attempt=attempt)
    attempt = attempt.settled(outcome)
    notes: tuple[Note, ...] = ()
    if payment.status is PaymentStatus.PENDING:
        why = f"{attempt.gateway} has the charge"
        payment, notes = walk(payment, (PaymentStatus.PROCESSING,), why, RULES[Evidence.LIVE], at)
    if attempt.flow is Flow.PROMPT and payment.status in OPEN_STATUSES:
        payment = replace(payment, next_action=prompt_action(payment, attempt))
    return Ruling(payment=payment, attempt=attempt, notes=notes)
