"""Compares what went back to payers: refunds, and the chargebacks of their banks. Pure.

Both are compared on whatever day they are listed: they are decided days after they began.
"""

from collections.abc import Sequence

from services.payments.domain.breaks import differs, only_here, only_there
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import (
    BookedCapture,
    BookedRefund,
    Books,
    Break,
    BreakKind,
    Comparison,
    Period,
    Transaction,
)
from services.payments.domain.refunds import RefundAttemptOutcome
from services.payments.domain.states import PaymentStatus

_K = BreakKind
# From the gravest: of several chargebacks of one capture, the gravest says where it stands.
_GRAVITY = {Answer.SUCCEEDED: 0, Answer.PENDING: 1, Answer.REQUIRES_ACTION: 1, Answer.FAILED: 2}
_SAYS = {Answer.SUCCEEDED: "took back", Answer.FAILED: "left with us"}


def compare_refunds(books: Books, rows: Sequence[Transaction], period: Period) -> Comparison:
    """Return where our refunds and the gateway's differ."""
    return _Refunds(books, rows, period).compared()


def compare_chargebacks(books: Books, rows: Sequence[Transaction]) -> Comparison:
    """Return where a chargeback changed what our payment does not know of yet."""
    captures = _Captures(books)
    newest: dict[str, tuple[Transaction, BookedCapture]] = {}
    breaks: list[Break] = []
    for row in sorted(rows, key=lambda row: _GRAVITY.get(row.answer, 1), reverse=True):
        capture = captures.of(row)
        if capture is not None:
            newest[capture.transaction_id] = (row, capture)
        elif row.answer is not Answer.FAILED:
            why = f"{_said(row)}, of a transaction that is none of ours"
            breaks.append(only_there(_K.CHARGEBACK, row, why))
    breaks += [
        differs(_K.CHARGEBACK, row, capture, _news(row, capture))
        for row, capture in newest.values()
        if not _agrees(row.answer, capture)
    ]
    return Comparison(compared=len(rows), breaks=tuple(breaks))


class _Captures:
    """Finds the capture that a refund or chargeback is of."""

    def __init__(self, books: Books) -> None:
        self._by_id = {each.transaction_id: each for each in books.captures}
        self._by_reference = {each.reference: each for each in reversed(books.captures)}

    def of(self, row: Transaction) -> BookedCapture | None:
        """Find by the charge's transaction; by the reference only where that is not known."""
        if row.charge_transaction_id:
            return self._by_id.get(row.charge_transaction_id)
        return self._by_reference.get(row.reference)


class _Refunds:
    """Compares the refunds."""

    def __init__(self, books: Books, rows: Sequence[Transaction], period: Period) -> None:
        self._rows = rows
        self._period = period
        self._captures = _Captures(books)
        self._by_reference = {each.reference: each for each in books.refunds}
        self._by_id = {each.transaction_id: each for each in books.refunds if each.transaction_id}
        self._matched: set[str] = set()

    def compared(self) -> Comparison:
        """Return every difference."""
        breaks = [each for row in self._rows if (each := self._of_row(row)) is not None]
        missing = [each for each in self._by_reference.values() if self._is_missing(each)]
        breaks += [
            only_here(
                each, each.sent_at, f"we sent {each.amount} back, the gateway lists no refund"
            )
            for each in missing
            if each.sent_at is not None
        ]
        return Comparison(compared=len(self._rows) + len(missing), breaks=tuple(breaks))

    def _of_row(self, row: Transaction) -> Break | None:
        refund = self._by_id.get(row.transaction_id) or self._by_reference.get(row.reference)
        if refund is None:
            return self._of_nobody(row)
        self._matched.add(refund.reference)
        if refund.transaction_id not in ("", row.transaction_id):
            why = f"a second refund under one reference: the gateway returned another {row.amount}"
            succeeded = row.answer is Answer.SUCCEEDED
            return differs(_K.DUPLICATE, row, refund, why) if succeeded else None
        return _compare_refund(row, refund)

    def _of_nobody(self, row: Transaction) -> Break | None:
        """Say what a refund is that none of ours is."""
        if row.answer is Answer.FAILED:
            return None
        returned = "returned" if row.answer is Answer.SUCCEEDED else "is about to return"
        capture = self._captures.of(row)
        if capture is not None:
            why = f"the gateway {returned} {row.amount} of {capture.amount}, we did not ask for it"
            return differs(_K.REFUNDED_THERE, row, capture, why)
        if row.answer is not Answer.SUCCEEDED:
            return None
        why = f"the gateway {returned} {row.amount} of a charge that is none of ours"
        return only_there(_K.MISSING_HERE, row, why)

    def _is_missing(self, refund: BookedRefund) -> bool:
        sent = refund.outcome is RefundAttemptOutcome.SUCCEEDED
        return (
            sent and refund.reference not in self._matched and self._period.contains(refund.sent_at)
        )


def _compare_refund(row: Transaction, refund: BookedRefund) -> Break | None:
    done_there = row.answer is Answer.SUCCEEDED
    done_here = refund.outcome is RefundAttemptOutcome.SUCCEEDED
    if done_there is not done_here:
        why = f"the gateway says {row.answer}, our refund of {refund.amount} is {refund.outcome}"
        return differs(_K.STATUS, row, refund, why)
    returned, asked = row.amount, refund.amount
    if not done_there or returned is None or returned == asked:
        return None
    why = f"the gateway returned {returned}, we asked for {asked}"
    return differs(
        _K.AMOUNT if returned.currency == asked.currency else _K.CURRENCY, row, refund, why
    )


def _agrees(answer: Answer, capture: BookedCapture) -> bool:
    """Whether our payment stands where a chargeback of its capture leaves it."""
    status = capture.payment_status
    if capture.use is not CaptureUse.KEPT:
        # Money that was to go back anyway: nothing was bought with it, but it may go back twice.
        return answer is Answer.FAILED
    if answer is Answer.SUCCEEDED:
        return status is PaymentStatus.CHARGED_BACK
    if answer is Answer.FAILED:
        return status is not PaymentStatus.DISPUTED
    return status in (PaymentStatus.DISPUTED, PaymentStatus.CHARGED_BACK)


def _said(row: Transaction) -> str:
    return f"the payer's bank {_SAYS.get(row.answer, 'demands back')} {row.amount}"


def _news(row: Transaction, capture: BookedCapture) -> str:
    return f"{_said(row)} of {capture.amount}, our payment is {capture.payment_status}"
