"""RefundPayment and RetryRefund: records money that is to go back; the worker sends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kit.money import Money
from kit.request_scope import about_payment, current_scope
from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.errors import (
    invalid,
    not_refundable,
    refund_not_failed,
    refund_not_found,
    refund_too_large,
)
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import (
    Refund,
    RefundPurpose,
    RefundStatus,
)
from services.payments.domain.ruling import Note
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import OneUnit, fingerprint, once, scope_of
from services.payments.operations.take_money import new_refund_attempt, record_refund
from services.payments.ports import Work

_REFUNDABLE = frozenset({PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_REFUNDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPaymentCommand:
    """A validated request to send money back; all that is left when `amount` is None."""

    payment_id: UUID
    amount: Money | None
    reason: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRefundCommand:
    """A validated request to try a failed refund again."""

    refund_id: UUID
    idempotency_key: str


async def refund_payment(
    deps: Dependencies, payment: Payment, command: RefundPaymentCommand
) -> Refund:
    """Record a refund and return it; the worker sends it at once.

    Raises `ServiceError`: see RefundPayment in protos/payments/v1/payments_service.proto.
    """

    async def act(work: Work) -> Refund:
        return await _record(deps, work, command)

    scope = scope_of(payment.user_id, "RefundPayment", command.idempotency_key)
    unit = OneUnit(scope=scope, fingerprint=fingerprint(command), subject=payment.id, answer=Refund)
    refund = await once(deps, unit, act)
    deps.wakeups.attempt_due()
    return refund


async def retry_refund(deps: Dependencies, command: RetryRefundCommand) -> Refund:
    """Try a failed refund again, under a new reference, and return it.

    Raises `ServiceError`: see RetryRefund in protos/operations/v1/operations_service.proto.
    """
    refund = await get_refund(deps, command.refund_id)

    async def act(work: Work) -> Refund:
        return await _again(deps, work, command.refund_id)

    unit = OneUnit(
        scope=scope_of("", "RetryRefund", command.idempotency_key),
        fingerprint=fingerprint(command),
        subject=refund.payment_id,
        answer=Refund,
    )
    again = await once(deps, unit, act)
    deps.wakeups.attempt_due()
    return again


async def get_refund(deps: Dependencies, refund_id: UUID) -> Refund:
    """Read a refund that the caller may see. Raises `ServiceError` (REFUND_NOT_FOUND)."""
    member = current_scope().user_id
    async with deps.storage.work() as work:
        refund = await work.refunds.get(refund_id)
        payment = await work.payments.get(refund.payment_id) if refund else None
    if refund is None or payment is None or (member is not None and payment.user_id != member):
        raise refund_not_found(refund_id)
    about_payment(str(payment.id))
    return refund


async def list_refunds(deps: Dependencies, payment: Payment) -> Sequence[Refund]:
    """Read the refunds of a payment, newest first."""
    async with deps.storage.work() as work:
        return list(reversed(await work.refunds.of_payment(payment.id)))


def left_of(capture: Capture, refunds: Sequence[Refund]) -> Money:
    """Return what can still be refunded on request: what was needed, less what is going back."""
    left = capture.needed
    for refund in refunds:
        counts = refund.capture_id == capture.id and refund.status is not RefundStatus.FAILED
        if counts and refund.purpose is RefundPurpose.REQUESTED:
            left -= refund.amount
    return left


async def _record(deps: Dependencies, work: Work, command: RefundPaymentCommand) -> Refund:
    now = deps.clock.now()
    payment = await work.payments.lock(command.payment_id)
    captures = await work.captures.of_payment(payment.id)
    kept = next((each for each in captures if each.use is CaptureUse.KEPT), None)
    if payment.status not in _REFUNDABLE or kept is None:
        raise not_refundable(payment.status)
    left = left_of(kept, await work.refunds.of_payment(payment.id))
    amount = command.amount or left
    if amount.currency != left.currency:
        raise invalid("amount.currency_code", f"the payment was made in {left.currency}")
    if not 0 < amount.minor <= left.minor:
        raise refund_too_large(left)
    refund = Refund(
        id=deps.ids.new_id(),
        payment_id=payment.id,
        capture_id=kept.id,
        purpose=RefundPurpose.REQUESTED,
        amount=amount,
        reason=command.reason,
        requested_by=current_scope().caller,
        gateway=kept.gateway,
        status=RefundStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
    await record_refund(deps, work, refund, now)
    note = history.request_note("refund_requested", f"refund {amount}", refund_id=str(refund.id))
    await history.write(work, payment.id, (note,), now)
    return refund


async def _again(deps: Dependencies, work: Work, refund_id: UUID) -> Refund:
    now = deps.clock.now()
    found = await work.refunds.get(refund_id)
    if found is None:
        raise refund_not_found(refund_id)
    await work.payments.lock(found.payment_id)
    refunds = await work.refunds.of_payment(found.payment_id)
    refund = next(each for each in refunds if each.id == refund_id)
    if refund.status is not RefundStatus.FAILED:
        raise refund_not_failed(refund.status)
    captures = await work.captures.of_payment(refund.payment_id)
    capture = next(each for each in captures if each.id == refund.capture_id)
    left = capture.excess
    if refund.purpose is RefundPurpose.REQUESTED:
        left = left_of(capture, refunds)
    if refund.amount.minor > left.minor:
        raise refund_too_large(left)
    pending = refund.moved(RefundStatus.PENDING, now)
    attempts = await work.refund_attempts.of_refund(refund.id)
    await work.refunds.save(pending)
    await work.refund_attempts.add(new_refund_attempt(deps, pending, len(attempts) + 1, now))
    note = Note(
        kind=AuditKind.REQUEST,
        action="refund_retried",
        reason=f"try again to refund {refund.amount}",
        details={"refund_id": str(refund.id)},
    )
    await history.write(work, refund.payment_id, (note,), now)
    return pending
