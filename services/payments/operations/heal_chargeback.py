"""Heals breaks about chargebacks: the payment is disputed, won back, or charged back."""

from dataclasses import dataclass
from datetime import datetime

from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.ledger import chargeback_posting
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.reconciliation import BookedCapture, Break, Transaction
from services.payments.domain.ruling import Note, walk
from services.payments.domain.states import TRANSITIONS, PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.grant_tier import revoke_tier
from services.payments.operations.healing import Healing, healed, left_open
from services.payments.operations.take_money import post
from services.payments.ports import Work

_S = PaymentStatus
_RULE = "DISPUTED: what the payer's bank takes back is not kept, and what it leaves is"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A chargeback, its capture, the locked payment and the locked membership."""

    gateway: str
    row: Transaction
    capture: BookedCapture
    payment: Payment
    held: Membership


async def heal_chargeback(deps: Dependencies, gateway: str, found: Break) -> Healing:
    """Move a payment to where a chargeback of its money leaves it.

    A lost chargeback is entered in the journal and ends the time that the payment granted. What
    the table of moves does not allow (a refunded payment that is charged back too) is left open.
    """
    row, capture = found.theirs, found.ours
    if row is None or not isinstance(capture, BookedCapture):
        return left_open()
    now = deps.clock.now()
    async with deps.storage.work() as work:
        seen = await work.payments.get(capture.payment_id)
        if seen is None:
            raise LookupError(f"capture {capture.id} has no payment")
        # Always before the payment, as everywhere: two orders would deadlock.
        held = await work.memberships.lock(seen.user_id)
        payment = await work.payments.lock(seen.id)
        case = _Case(gateway=gateway, row=row, capture=capture, payment=payment, held=held)
        path = _path(payment, row.answer)
        if not path or capture.use is not CaptureUse.KEPT:
            return left_open(f"the payment is {payment.status}; the money may go back twice")
        await _walk(deps, work, case, path, now)
    deps.wakeups.payment_changed(capture.payment_id)
    return healed(f"the payment is {path[-1]} now")


def _path(payment: Payment, answer: Answer) -> tuple[PaymentStatus, ...]:
    """Return the moves that a chargeback leads to; none when the payment's state allows none."""
    disputed = () if payment.status is _S.DISPUTED else (_S.DISPUTED,)
    if disputed and _S.DISPUTED not in TRANSITIONS[payment.status]:
        return ()
    if answer is Answer.SUCCEEDED:
        return (*disputed, _S.CHARGED_BACK)
    if answer is not Answer.FAILED:
        return disputed
    won = _S.PARTIALLY_REFUNDED if payment.refunded_minor else _S.COMPLETED
    return () if disputed else (won,)


async def _walk(
    deps: Dependencies, work: Work, case: _Case, path: tuple[PaymentStatus, ...], now: datetime
) -> None:
    """Make the moves, each a version of its own, and do what the last one entails."""
    payment, notes = case.payment, list[Note]()
    why = f"{case.gateway} lists a chargeback of {case.row.amount}"
    for status in path:
        moved, moves = walk(payment, (status,), why, _RULE, now)
        moved = moved.touched(now)
        await work.payments.save(moved, payment)
        await work.outbox.add(f"payment.{status}", moved, now)
        payment, notes = moved, [*notes, *moves]
    if payment.status is _S.CHARGED_BACK:
        await _enter(deps, work, case, now)
        notes += await revoke_tier(work, payment, case.held.current(now), now)
    await history.write(work, payment.id, notes, now)


async def _enter(deps: Dependencies, work: Work, case: _Case, now: datetime) -> None:
    """Enter in the journal what the payer's bank took."""
    row = case.row
    capture = await work.captures.by_transaction_id(case.gateway, case.capture.transaction_id)
    if capture is None or row.amount is None:
        raise LookupError(f"chargeback {row.transaction_id} has no capture or no amount")
    posting = chargeback_posting(case.gateway, row.transaction_id, row.amount)
    await post(deps, work, [posting], capture, now)
