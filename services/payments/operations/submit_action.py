"""SubmitPaymentAction: hands in the one-time password that a gateway sent to the member.

Until the password comes, the gateway has nothing that could be paid; from then on it may, so the
attempt is on record as SENDING before the password leaves.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.charges import ChargeReport
from services.payments.domain.errors import (
    gateway_not_asked,
    no_action_expected,
    otp_refused,
    request_in_progress,
)
from services.payments.domain.evidence import Answer
from services.payments.domain.failures import MEMBER_MESSAGES
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import earlier_answer, fingerprint, scope_of
from services.payments.operations.send_attempts import Sending, order_of, record_creation
from services.payments.ports import IdempotencyRecord, IdempotencyScope, Work

_WRONG = "incorrect_otp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitActionCommand:
    """A validated one-time password. It is never stored nor logged."""

    payment_id: UUID
    otp: str
    idempotency_key: str


async def submit_action(
    deps: Dependencies, payment: Payment, command: SubmitActionCommand
) -> Payment:
    """Hand the password in and return the payment with what the member does next.

    Raises `ServiceError`: see SubmitPaymentAction in protos/payments/v1/payments_service.proto.
    """
    scope = scope_of(payment.user_id, "SubmitPaymentAction", command.idempotency_key)
    request = fingerprint(command)
    async with deps.storage.work() as work:
        answered = await earlier_answer(work, scope, request, deps.clock.now())
        if answered is not None:
            return answered
        payment, attempt = await _begin(deps, work, payment.id, scope, request)
    return await deps.tasks.finish(_submit(deps, payment, attempt, scope, command.otp))


async def _begin(
    deps: Dependencies, work: Work, payment_id: UUID, scope: IdempotencyScope, request: bytes
) -> tuple[Payment, Attempt]:
    """Put on record that the password is about to leave."""
    now = deps.clock.now()
    takeover = timedelta(seconds=deps.timing.takeover)
    before = await work.payments.lock(payment_id)
    attempts = await work.attempts.lock_of_payment(payment_id)
    waiting = [attempt for attempt in attempts if attempt.awaits_otp]
    if before.status is not PaymentStatus.PROCESSING or not waiting:
        raise no_action_expected()
    record = IdempotencyRecord(
        scope=scope,
        fingerprint=request,
        owner=deps.ids.new_id(),
        lease_until=now + takeover,
        payment_id=payment_id,
    )
    if not await work.keys.add(record, now):
        raise request_in_progress()
    sending = replace(
        waiting[0],
        outcome=AttemptOutcome.SENDING,
        sender=deps.sender,
        sent_at=now,
        next_check_at=now + takeover,
    )
    await work.attempts.save(sending)
    note = history.request_note("otp_submitted", "the member entered the one-time password")
    await history.write(work, payment_id, (note,), now)
    return before, sending


async def _submit(
    deps: Dependencies, payment: Payment, attempt: Attempt, scope: IdempotencyScope, otp: str
) -> Payment:
    report = await deps.gateways.submit_action(attempt, order_of(payment, attempt), otp)
    wrong = report.answer is Answer.NOT_CREATED and report.failure_code == _WRONG
    if wrong or report.answer is Answer.NOT_SENT:
        await _wait_again(deps, attempt, scope, report)
        raise otp_refused(MEMBER_MESSAGES[_WRONG]) if wrong else gateway_not_asked()
    # No other gateway is tried from here: the member is at this one.
    sending = Sending(payment=payment, attempt=attempt, routes=(), key=scope)
    return (await record_creation(deps, sending, report)).payment


async def _wait_again(
    deps: Dependencies, attempt: Attempt, scope: IdempotencyScope, report: ChargeReport
) -> None:
    """Let the member enter the password again, with the same key if they like."""
    async with deps.storage.work() as work:
        now = deps.clock.now()
        before = await work.payments.lock(attempt.payment_id)
        attempts = await work.attempts.lock_of_payment(before.id)
        stored = next(each for each in attempts if each.id == attempt.id)
        await work.keys.forget(scope)
        if stored.outcome is not AttemptOutcome.SENDING:
            return
        soon = now + timedelta(seconds=deps.timing.look_up)
        await work.attempts.save(replace(stored, outcome=AttemptOutcome.LIVE, next_check_at=soon))
        note = history.request_note(
            "otp_refused", "the gateway did not take the password", code=report.failure_code
        )
        await history.write(work, before.id, (note,), now)
