"""Phases two and three of every charge: the call with nothing open, then its outcome on record.

When the outcome proves that the attempt took and can take nothing, the next gateway is tried and
the member never notices. Anything less than proof leaves the payment with its attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.audit import AuditKind
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.errors import CommitUnknownError
from services.payments.domain.evidence import (
    ALLOWS_FALLBACK,
    RULES,
    Answer,
    Evidence,
    outcome_after,
)
from services.payments.domain.failures import GATEWAY_REJECTED, GATEWAY_UNAVAILABLE, failure
from services.payments.domain.payment import (
    NO_ACTION,
    ActionKind,
    BillingCycle,
    NextAction,
    Payment,
    masked_phone,
)
from services.payments.domain.ruling import Note, prompt_action, walk
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import decode_answer, encode_answer
from services.payments.ports import IdempotencyScope, Work
from services.payments.router import Route, next_route

_PERIODS = {BillingCycle.MONTHLY: "one month", BillingCycle.ANNUAL: "one year"}
_FIRST_CHECK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An attempt on record that is to be sent.

    `routes`: all gateways that can take the payment, best first. `key`: the idempotency key whose
    answer waits for the outcome, or None when nobody waits.
    """

    payment: Payment
    attempt: Attempt
    routes: Sequence[Route]
    key: IdempotencyScope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    payment: Payment
    next_attempt: Attempt | None = None
    notes: tuple[Note, ...] = ()


async def send_attempts(deps: Dependencies, sending: Sending) -> Payment:
    """Send an attempt and, on proof that it took nothing, the next ones; return the payment."""
    while True:
        report = await deps.gateways.create_charge(
            sending.attempt.gateway, order_of(sending.payment, sending.attempt)
        )
        recorded = await record_creation(deps, sending, report)
        if recorded.next_attempt is None:
            return recorded.payment
        sending = replace(sending, payment=recorded.payment, attempt=recorded.next_attempt)


async def record_creation(deps: Dependencies, sending: Sending, report: ChargeReport) -> _Recorded:
    """Store what became of sending an attempt, and the next attempt if one may start now.

    When somebody else has decided about the attempt meanwhile (a callback that outran us, or a
    worker that took it over), the report changes nothing and its link is not delivered.
    """
    first: _Recorded | None = None
    try:
        async with deps.storage.work() as work:
            recorded = first = await _record(deps, work, sending, report)
    except CommitUnknownError:
        async with deps.storage.work() as work:
            recorded = await _record(deps, work, sending, report)
            if first is not None and await _waits_to_be_sent(work, first):
                recorded = first
    history.alert(recorded.payment.id, recorded.notes)
    deps.wakeups.payment_changed(recorded.payment.id)
    if report.answer is Answer.SUCCEEDED:
        deps.wakeups.attempt_due()
    return recorded


async def _waits_to_be_sent(work: Work, recorded: _Recorded) -> bool:
    """Whether the next attempt was stored after all: then nobody else sends it."""
    stored = await work.attempts.of_payment(recorded.payment.id)
    return recorded.next_attempt is not None and any(
        each.id == recorded.next_attempt.id and each.outcome is AttemptOutcome.SENDING
        for each in stored
    )


async def _record(
    deps: Dependencies, work: Work, sending: Sending, report: ChargeReport
) -> _Recorded:
    now = deps.clock.now()
    before = await work.payments.lock(sending.payment.id)
    attempts = await work.attempts.lock_of_payment(before.id)
    attempt = next(each for each in attempts if each.id == sending.attempt.id)
    if attempt.outcome is not AttemptOutcome.SENDING:
        return _Recorded(payment=await _answer_instead(work, sending, before))
    # Once money was found that does not fit, nothing starts before staff have decided.
    held = before.review_reason is not None
    evidence = Evidence.UNKNOWN if held else _evidence(deps, attempt, report)
    decided = _decided(attempt, evidence, report, now)
    follow_up: Attempt | None = None
    if evidence in ALLOWS_FALLBACK and before.status in OPEN_STATUSES:
        route = next_route(
            sending.routes, [decided if each.id == attempt.id else each for each in attempts]
        )
        place = Place(number=attempt.number + 1, round=attempt.round)
        follow_up = new_attempt(deps, before, route, place) if route else None
    decision = _Decision(attempt=decided, evidence=evidence, report=report, follow_up=follow_up)
    payment, notes = _payment_after(before, decision, now)
    payment = payment.touched(now)
    await work.attempts.save(decided)
    await work.payments.save(payment, before)
    notes = (_outcome_note(decided, evidence, report), *notes)
    if follow_up:
        await work.attempts.add(follow_up)
        notes = (*notes, attempt_note(follow_up))
    else:
        await _answer(work, sending, payment)
    await history.write(work, payment.id, notes, now)
    if payment.status is PaymentStatus.FAILED:
        await work.outbox.add("payment.failed", payment, now)
    return _Recorded(payment=payment, next_attempt=follow_up, notes=notes)


def _evidence(deps: Dependencies, attempt: Attempt, report: ChargeReport) -> Evidence:
    evidence = deps.rules.creation[report.answer][attempt.flow]
    if evidence is Evidence.LIVE and attempt.flow is Flow.HOSTED and not report.link:
        # A hosted charge without its link is a lost reply: there is nothing to deliver. But one
        # that is said to be paid already is no proof that nothing was taken.
        paid = report.answer is Answer.SUCCEEDED
        return Evidence.UNKNOWN if paid else Evidence.UNDELIVERED
    return evidence


def _decided(attempt: Attempt, evidence: Evidence, report: ChargeReport, now: datetime) -> Attempt:
    failed = evidence in ALLOWS_FALLBACK
    code = report.failure_code or _default_code(evidence)
    # A charge that exists and failed can still succeed late; one that was never made cannot.
    never_made = report.answer in (Answer.NOT_SENT, Answer.NOT_CREATED)
    nothing_to_ask = never_made and evidence is not Evidence.UNKNOWN
    return replace(
        attempt,
        outcome=outcome_after(evidence, attempt.outcome),
        gateway_transaction_id=report.gateway_transaction_id,
        link=report.link if evidence is Evidence.LIVE else "",
        action_state=report.action_state if evidence is Evidence.LIVE else "",
        expires_at=report.expires_at,
        failure=failure(code, now) if failed else None,
        next_check_at=None if nothing_to_ask else now + _first_wait(report),
    )


def _first_wait(report: ChargeReport) -> timedelta:
    return timedelta(0) if report.answer is Answer.SUCCEEDED else _FIRST_CHECK


def _default_code(evidence: Evidence) -> str:
    return GATEWAY_REJECTED if evidence is Evidence.REJECTED else GATEWAY_UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    attempt: Attempt
    evidence: Evidence
    report: ChargeReport
    follow_up: Attempt | None


def _payment_after(
    payment: Payment, decision: _Decision, now: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    """Return the payment after its attempt's creation, with the moves it made."""
    attempt, evidence, report = decision.attempt, decision.evidence, decision.report
    if payment.status not in OPEN_STATUSES:
        return payment, ()
    if decision.follow_up:
        named = replace(
            payment,
            gateway=decision.follow_up.gateway,
            gateway_reference=decision.follow_up.reference,
        )
        return named, ()
    why, rule = f"{attempt.gateway}: {report.gateway_status or report.answer}", RULES[evidence]
    if evidence in ALLOWS_FALLBACK:
        failed, notes = walk(payment, (PaymentStatus.FAILED,), why, rule, now)
        return replace(failed, failure=attempt.failure, next_action=NO_ACTION), notes
    notes = ()
    if payment.status is PaymentStatus.PENDING:
        payment, notes = walk(payment, (PaymentStatus.PROCESSING,), why, rule, now)
    action = _action(payment, attempt, report) if evidence is Evidence.LIVE else NO_ACTION
    named = replace(
        payment, next_action=action, gateway_transaction_id=attempt.gateway_transaction_id
    )
    return named, notes


def _action(payment: Payment, attempt: Attempt, report: ChargeReport) -> NextAction:
    if report.link:
        return NextAction(
            kind=ActionKind.REDIRECT, value=report.link, expires_at=attempt.expires_at
        )
    if report.action.kind is ActionKind.PHONE_PROMPT:
        return prompt_action(payment, attempt)
    if report.action.kind is ActionKind.OTP:
        sent_to = masked_phone(payment.purchase.customer.phone_number)
        return replace(report.action, value=sent_to)
    return report.action


async def _answer_instead(work: Work, sending: Sending, payment: Payment) -> Payment:
    """Return the answer of a request whose attempt somebody else has decided about meanwhile.

    A repeated request may have been answered already: then that is the answer of this one too.
    """
    if sending.key is None or payment.status is PaymentStatus.PENDING:
        return payment
    await _answer(work, sending, payment)
    record = await work.keys.get(sending.key)
    return decode_answer(record.response) if record and record.response else payment


async def _answer(work: Work, sending: Sending, payment: Payment) -> None:
    if sending.key is not None:
        await work.keys.finish(sending.key, payment.id, encode_answer(payment))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an attempt stands among its payment's; see `Attempt`."""

    number: int = 1
    round: int = 1


def new_attempt(deps: Dependencies, payment: Payment, route: Route, place: Place) -> Attempt:
    """Return an attempt with a fresh reference, due for take-over if its process stops."""
    now = deps.clock.now()
    return Attempt(
        id=deps.ids.new_id(),
        payment_id=payment.id,
        number=place.number,
        round=place.round,
        gateway=route.gateway,
        reference=deps.ids.new_reference(),
        sender=deps.sender,
        flow=route.flow,
        outcome=AttemptOutcome.SENDING,
        amount=payment.amount,
        created_at=now,
        sent_at=now,
        next_check_at=now + timedelta(seconds=deps.timing.takeover),
    )


def attempt_note(attempt: Attempt) -> Note:
    """Return the note that an attempt was recorded and is about to be sent."""
    return Note(
        kind=AuditKind.ATTEMPT,
        action="attempt_started",
        reason=f"attempt {attempt.number} at {attempt.gateway} ({attempt.flow})",
        details={"gateway": attempt.gateway, "reference": attempt.reference},
    )


def _outcome_note(attempt: Attempt, evidence: Evidence, report: ChargeReport) -> Note:
    details = {
        "gateway": attempt.gateway,
        "reference": attempt.reference,
        "answer": str(report.answer),
        "failure_code": report.failure_code,
        "detail": report.detail,
    }
    return Note(
        kind=AuditKind.ATTEMPT,
        action=f"attempt_{attempt.outcome}",
        reason=f"{attempt.gateway} answered {report.gateway_status or report.answer}",
        rule=RULES[evidence],
        details={key: value for key, value in details.items() if value},
    )


def order_of(payment: Payment, attempt: Attempt) -> ChargeOrder:
    """Return what a gateway is asked to charge for an attempt."""
    purchase = payment.purchase
    return ChargeOrder(
        reference=attempt.reference,
        amount=attempt.amount,
        method=purchase.payment_method,
        customer=purchase.customer,
        return_url=purchase.return_url,
        description=f"{purchase.tier.title()} membership, {_PERIODS[purchase.billing_cycle]}",
        option=purchase.payment_option,
        network=purchase.mobile_money_network,
    )
