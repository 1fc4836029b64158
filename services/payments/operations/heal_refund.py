"""Heals breaks about refunds: those made at the gateway, and ours that ended unnoticed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit.money import Money
from services.payments.domain.captures import Capture
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.reconciliation import (
    BookedCapture,
    BookedRefund,
    Break,
    Transaction,
)
from services.payments.domain.refund_reports import RefundReport
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
)
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.healing import Healing, healed, left_open
from services.payments.operations.record_refund_outcome import RefundNews, record_refund_outcome
from services.payments.operations.refund_payment import left_of
from services.payments.operations.send_refund import work_on_refund
from services.payments.operations.take_money import new_refund_attempt
from services.payments.ports import Work

_O = RefundAttemptOutcome
_MAY_GO_BACK = frozenset(
    {PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.DISPUTED}
)
# What has not left cannot be at the gateway, and asking would send it.
_NOT_TO_ASK = frozenset({_O.RECORDED, _O.SENDING})


async def ask_about_refund(deps: Dependencies, _gateway: str, found: Break) -> Healing:
    """Ask about a refund of ours that the gateway calls done and we do not."""
    ours, row = found.ours, found.theirs
    if not isinstance(ours, BookedRefund) or row is None or row.answer is not Answer.SUCCEEDED:
        return left_open()
    async with deps.storage.work() as work:
        attempt = await _attempt_of(work, ours)
    if attempt.outcome in _NOT_TO_ASK:
        return left_open("our attempt has not left yet")
    await work_on_refund(deps, attempt)
    async with deps.storage.work() as work:
        attempt = await _attempt_of(work, ours)
    if attempt.outcome is not _O.SUCCEEDED:
        return left_open(f"when it was asked, our refund stayed {attempt.outcome}")
    return healed("the gateway was asked, and the payer has the money")


async def _attempt_of(work: Work, ours: BookedRefund) -> RefundAttempt:
    attempts = await work.refund_attempts.of_refund(ours.refund_id)
    return next(each for each in attempts if each.id == ours.id)


async def adopt_refund(deps: Dependencies, gateway: str, found: Break) -> Healing:
    """Put a refund on record that somebody made at the gateway, if its amount fits what is left.

    A refund of ours that failed and that somebody then made there by hand is the same refund.
    """
    row, ours = found.theirs, found.ours
    if row is None or row.amount is None or not isinstance(ours, BookedCapture):
        return left_open()
    if row.answer is not Answer.SUCCEEDED:
        return left_open("it is not done yet; later runs look again")
    now = deps.clock.now()
    async with deps.storage.work() as work:
        seen = await work.payments.get(ours.payment_id)
        if seen is None:
            raise LookupError(f"capture {ours.id} has no payment")
        # Always before the payment, as everywhere: two orders would deadlock.
        held = await work.memberships.lock(seen.user_id)
        payment = await work.payments.lock(seen.id)
        books = await _read(work, payment, held, ours.transaction_id)
        obstacle = _obstacle(books, row, row.amount)
        if obstacle is not None:
            return obstacle
        await _record(deps, work, books, row, now)
    deps.wakeups.payment_changed(ours.payment_id)
    return healed(f"it is on record now as a refund that {gateway} made")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Returns:
    """A capture with everything that went back or is going back of it; the payment is locked."""

    payment: Payment
    held: Membership
    capture: Capture
    refunds: Sequence[Refund]
    attempts: Sequence[RefundAttempt]

    def failed(self, amount: Money) -> Refund | None:
        """Return a refund of this amount that failed."""
        mine = (each for each in self.refunds if each.capture_id == self.capture.id)
        failed = (each for each in mine if each.status is RefundStatus.FAILED)
        return next((each for each in failed if each.amount == amount), None)

    def unknown(self, amount: Money) -> bool:
        """Whether a refund of ours of this amount is under way that the gateway has not named."""
        same = {each.id for each in self.refunds if each.amount == amount}
        return any(
            each.refund_id in same and each.unsettled and not each.gateway_refund_id
            for each in self.attempts
        )


async def _read(work: Work, payment: Payment, held: Membership, transaction_id: str) -> _Returns:
    captures = await work.captures.of_payment(payment.id)
    refunds = await work.refunds.of_payment(payment.id)
    attempts: list[RefundAttempt] = []
    for refund in refunds:
        attempts += await work.refund_attempts.of_refund(refund.id)
    return _Returns(
        payment=payment,
        held=held,
        capture=next(each for each in captures if each.gateway_transaction_id == transaction_id),
        refunds=refunds,
        attempts=attempts,
    )


def _obstacle(books: _Returns, row: Transaction, amount: Money) -> Healing | None:
    """Return why a refund cannot be put on record, or that it is there; None when it can."""
    if any(each.gateway_refund_id == row.transaction_id for each in books.attempts):
        return healed("it is on record")
    if books.unknown(amount):
        return left_open("it may be ours, whose outcome is not known yet")
    failed = books.failed(amount)
    if failed is not None and failed.purpose is RefundPurpose.SURPLUS:
        return None
    if books.payment.status not in _MAY_GO_BACK:
        return left_open(f"the payment is {books.payment.status}")
    left = left_of(books.capture, books.refunds)
    if amount.currency != left.currency or amount.minor > left.minor:
        return left_open(f"only {left} is left to go back")
    return None


async def _record(
    deps: Dependencies, work: Work, books: _Returns, row: Transaction, now: datetime
) -> None:
    """Store the refund, its attempt and all that follows, as if we had sent it."""
    amount = row.amount
    if amount is None:
        raise LookupError(f"refund {row.transaction_id} has no amount")
    refund = books.failed(amount)
    if refund is None:
        refund = _refund(deps, books, amount, now)
        await work.refunds.add(refund)
    number = 1 + sum(each.refund_id == refund.id for each in books.attempts)
    attempt = replace(
        new_refund_attempt(deps, refund, number, now),
        outcome=_O.SUCCEEDED,
        gateway_refund_id=row.transaction_id,
        sent_at=row.at or now,
        next_check_at=None,
    )
    await work.refund_attempts.add(attempt)
    note = history.request_note(
        "refund_found",
        f"{refund.gateway} returned {amount} that we did not ask for",
        refund_id=str(refund.id),
        gateway_refund_id=row.transaction_id,
    )
    await history.write(work, books.payment.id, (note,), now)
    report = RefundReport(
        answer=Answer.SUCCEEDED,
        gateway_refund_id=row.transaction_id,
        amount=amount,
        fee=row.fee,
    )
    news = RefundNews(
        payment=books.payment,
        held=books.held,
        refund_id=refund.id,
        attempt=attempt,
        report=report,
    )
    await record_refund_outcome(deps, work, news, now)


def _refund(deps: Dependencies, books: _Returns, amount: Money, now: datetime) -> Refund:
    return Refund(
        id=deps.ids.new_id(),
        payment_id=books.payment.id,
        capture_id=books.capture.id,
        purpose=RefundPurpose.REQUESTED,
        amount=amount,
        reason="made at the gateway",
        requested_by="gateway",
        gateway=books.capture.gateway,
        status=RefundStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
