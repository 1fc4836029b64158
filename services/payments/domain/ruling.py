"""What a look-up does to a payment and its attempt. Pure: same finding, same result."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.audit import AuditKind
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

_COMPLETABLE = OPEN_STATUSES | {PaymentStatus.FAILED, PaymentStatus.EXPIRED}


class Effect(StrEnum):
    """What a settlement causes besides the change itself."""

    NONE = "none"
    GRANT = "grant"
    SURPLUS = "surplus"
    REVIEW = "review"


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
class Settlement:
    """The payment and attempt after a look-up, what it causes, and its history."""

    payment: Payment
    attempt: Attempt
    effect: Effect = Effect.NONE
    notes: tuple[Note, ...] = ()


def settle(
    payment: Payment,
    attempt: Attempt,
    evidence: Evidence,
    report: ChargeReport,
    at: datetime,
) -> Settlement:
    """Return what a look-up of `attempt` changes.

    `evidence`: what the look-up proved. `report`: what the gateway said. A settled attempt is only
    moved by money; a completed payment is never moved by anything found here.
    """
    attempt = replace(
        attempt,
        gateway_transaction_id=report.gateway_transaction_id or attempt.gateway_transaction_id,
        expires_at=report.expires_at or attempt.expires_at,
    )
    if evidence is Evidence.PAID:
        return _paid(payment, attempt, report, at)
    if evidence is Evidence.REJECTED:
        return _rejected(payment, attempt, report, at)
    if evidence is Evidence.EXPIRED:
        return _expired(payment, attempt, at)
    if evidence is Evidence.LIVE:
        return _live(payment, attempt, at)
    return Settlement(payment=payment, attempt=attempt)


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


def as_surplus(payment: Payment, attempt: Attempt, amount: Money) -> Settlement:
    """Return what verified money for a payment that does not need it changes: it is kept."""
    paid = replace(attempt.settled(AttemptOutcome.SUCCEEDED), surplus=amount, next_check_at=None)
    return Settlement(
        payment=payment, attempt=paid, effect=Effect.SURPLUS, notes=(_surplus_note(amount),)
    )


def bought_elsewhere(payment: Payment, attempt: Attempt, amount: Money, at: datetime) -> Settlement:
    """Return what verified money changes when the member has bought the same with another payment.

    It is surplus. A payment that was still open is withdrawn: there is nothing left to buy with it.
    """
    settlement = as_surplus(payment, attempt, amount)
    if payment.status not in OPEN_STATUSES:
        return settlement
    why = "the member has bought the same with another payment meanwhile"
    rule = "SURPLUS: a member never pays twice for one thing"
    withdrawn, moves = walk(payment, (PaymentStatus.CANCELLED,), why, rule, at)
    return replace(
        settlement,
        payment=replace(withdrawn, next_action=NO_ACTION),
        notes=(*settlement.notes, *moves),
    )


def _paid(payment: Payment, attempt: Attempt, report: ChargeReport, at: datetime) -> Settlement:
    if attempt.outcome is AttemptOutcome.SUCCEEDED:
        return Settlement(payment=payment, attempt=attempt)
    mismatch = _mismatch(payment, attempt, report)
    if mismatch or report.amount is None:
        return _held(payment, attempt, mismatch or "the gateway named no amount", at)
    excess = report.amount - payment.amount
    if payment.status not in _COMPLETABLE:
        return as_surplus(payment, attempt, report.amount)
    paid = replace(
        attempt.settled(AttemptOutcome.SUCCEEDED),
        surplus=excess if excess.minor else None,
        next_check_at=None,
    )
    path: tuple[PaymentStatus, ...] = (PaymentStatus.COMPLETED,)
    if payment.status is PaymentStatus.PENDING:
        # The gateway's word outran our own bookkeeping of the creation.
        path = (PaymentStatus.PROCESSING, PaymentStatus.COMPLETED)
    completed, notes = walk(
        payment, path, f"{attempt.gateway} took {report.amount}", RULES[Evidence.PAID], at
    )
    completed = replace(
        completed,
        gateway=attempt.gateway,
        gateway_reference=attempt.reference,
        gateway_transaction_id=paid.gateway_transaction_id,
        next_action=NO_ACTION,
        failure=None,
        review_reason=None,
    )
    if excess.minor:
        notes = (*notes, _surplus_note(excess))
    return Settlement(payment=completed, attempt=paid, effect=Effect.GRANT, notes=notes)


def _mismatch(payment: Payment, attempt: Attempt, report: ChargeReport) -> str | None:
    """Say how the money that arrived differs from what was asked for, if it does."""
    if report.reference != attempt.reference:
        return "the gateway answered about another reference"
    if report.amount is None:
        return None
    if report.amount.currency != payment.amount.currency:
        return f"the gateway took {report.amount.currency} instead of {payment.amount.currency}"
    if report.amount.minor < payment.amount.minor:
        return f"underpaid: the gateway took {report.amount} of {payment.amount}"
    return None


def _held(payment: Payment, attempt: Attempt, why: str, at: datetime) -> Settlement:
    if payment.review_reason == why:
        return Settlement(payment=payment, attempt=attempt, effect=Effect.REVIEW)
    rule = "MISMATCH: reference, currency and amount must equal ours; nothing is granted"
    notes: tuple[Note, ...] = ()
    if payment.status is PaymentStatus.PENDING:
        payment, notes = walk(payment, (PaymentStatus.PROCESSING,), why, rule, at)
    held = Note(kind=AuditKind.EFFECT, action="held_for_review", reason=why, rule=rule)
    return Settlement(
        payment=replace(payment, review_reason=why, next_action=NO_ACTION),
        attempt=attempt,
        effect=Effect.REVIEW,
        notes=(*notes, held),
    )


def _surplus_note(amount: Money) -> Note:
    return Note(
        kind=AuditKind.EFFECT,
        action="surplus_found",
        reason=f"{amount} arrived that the payment does not need",
        rule="SURPLUS: verified money that buys nothing is on record until it goes back",
        details={"surplus": str(amount)},
    )


def _rejected(payment: Payment, attempt: Attempt, report: ChargeReport, at: datetime) -> Settlement:
    outcome = outcome_after(Evidence.REJECTED, attempt.outcome)
    if outcome is attempt.outcome:
        return Settlement(payment=payment, attempt=attempt)
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
        return Settlement(payment=payment, attempt=attempt, notes=(ended,))
    failed, notes = walk(
        payment, (PaymentStatus.FAILED,), f"{why.code} at {attempt.gateway}", ended.rule, at
    )
    return Settlement(
        payment=replace(failed, failure=why, next_action=NO_ACTION),
        attempt=attempt,
        notes=(ended, *notes),
    )


def _expired(payment: Payment, attempt: Attempt, at: datetime) -> Settlement:
    outcome = outcome_after(Evidence.EXPIRED, attempt.outcome)
    if outcome is attempt.outcome:
        return Settlement(payment=payment, attempt=attempt)
    attempt, rule = attempt.settled(outcome), RULES[Evidence.EXPIRED]
    why = f"nobody paid at {attempt.gateway} in time"
    ended = Note(kind=AuditKind.ATTEMPT, action="attempt_expired", reason=why, rule=rule)
    if payment.status not in OPEN_STATUSES:
        return Settlement(payment=payment, attempt=attempt, notes=(ended,))
    expired, moves = walk(payment, (PaymentStatus.EXPIRED,), why, rule, at)
    return Settlement(
        payment=replace(expired, next_action=NO_ACTION), attempt=attempt, notes=(ended, *moves)
    )


def _live(payment: Payment, attempt: Attempt, at: datetime) -> Settlement:
    outcome = outcome_after(Evidence.LIVE, attempt.outcome)
    # A link that is still on its way to us is decided by the process that waits for it.
    awaits_link = attempt.flow is Flow.HOSTED and attempt.outcome is AttemptOutcome.SENDING
    if outcome is attempt.outcome or awaits_link:
        return Settlement(payment=payment, attempt=attempt)
    attempt = attempt.settled(outcome)
    notes: tuple[Note, ...] = ()
    if payment.status is PaymentStatus.PENDING:
        why = f"{attempt.gateway} has the charge"
        payment, notes = walk(payment, (PaymentStatus.PROCESSING,), why, RULES[Evidence.LIVE], at)
    if attempt.flow is Flow.PROMPT and payment.status in OPEN_STATUSES:
        payment = replace(payment, next_action=prompt_action(payment, attempt))
    return Settlement(payment=payment, attempt=attempt, notes=notes)
