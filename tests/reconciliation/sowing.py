"""What is sown into a period: sales that both sides agree about, and breaks of every kind."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import BreakKind
from services.payments.domain.refunds import RefundAttemptOutcome
from services.payments.domain.states import PaymentStatus
from tests.reconciliation.statements import (
    PERIOD,
    Field,
    booked_refund,
    chargeback_row,
    refund_row,
)

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def generate(seed: int, sales: int, kinds: tuple[BreakKind, ...], each: int) -> Field:
    """Return a period of `sales` sales that agree, with `each` breaks of every kind among them."""
    made = Field(random.Random(seed))  # noqa: S311 - reproducible, not secret
    for _ in range(sales):
        made.chance.choices(list(AGREEMENTS), weights=list(AGREEMENTS.values()))[0](made)
    for kind in kinds:
        for _ in range(each):
            made.chance.choice(BREAKS[kind])(made)
    return made


def _plain(made: Field) -> None:
    sale = made.sale()
    made.keep(sale.attempt, sale.capture, sale.row)


def _failed_tries(made: Field) -> None:
    sale = made.sale()
    failed = replace(sale.row, answer=Answer.FAILED, transaction_id=f"8{made.number()}", fee=None)
    pending = replace(failed, answer=Answer.PENDING, transaction_id=f"8{made.number()}")
    made.keep(sale.attempt, sale.capture, sale.row, failed, pending)


def _nobody_paid(made: Field) -> None:
    """Live ones that are pending there, lost ones that failed there, a page that nobody saw."""
    sale = made.sale()
    outcome, answer, flow = made.chance.choice(
        [
            (AttemptOutcome.LIVE, Answer.PENDING, Flow.HOSTED),
            (AttemptOutcome.UNKNOWN, Answer.REQUIRES_ACTION, Flow.PROMPT),
            (AttemptOutcome.REJECTED, Answer.FAILED, Flow.PROMPT),
            (AttemptOutcome.EXPIRED, Answer.FAILED, Flow.HOSTED),
            (AttemptOutcome.UNDELIVERED, Answer.PENDING, Flow.HOSTED),
        ]
    )
    made.keep(replace(sale.attempt, outcome=outcome, flow=flow))
    made.keep(replace(sale.row, answer=answer, fee=None))


def _refunded(made: Field) -> None:
    sale = made.sale()
    outcome, answer = made.chance.choice(
        [
            (RefundAttemptOutcome.SUCCEEDED, Answer.SUCCEEDED),
            (RefundAttemptOutcome.ACCEPTED, Answer.PENDING),
            (RefundAttemptOutcome.FAILED, Answer.FAILED),
        ]
    )
    refund = booked_refund(made, sale, outcome)
    made.keep(sale.attempt, sale.capture, sale.row, refund, refund_row(refund, answer))


def _known_chargeback(made: Field) -> None:
    sale = made.sale()
    status, answer = made.chance.choice(
        [
            (PaymentStatus.DISPUTED, Answer.PENDING),
            (PaymentStatus.CHARGED_BACK, Answer.SUCCEEDED),
            (PaymentStatus.COMPLETED, Answer.FAILED),
        ]
    )
    made.keep(sale.attempt, replace(sale.capture, payment_status=status), sale.row)
    made.keep(chargeback_row(made, sale, answer))


def _of_another_day(made: Field) -> None:
    """Both sides date it on the day before or after; a refund of it was long ago."""
    sale = made.sale()
    shift = made.chance.choice([-_DAY, _DAY])
    made.keep(sale.attempt)
    made.keep(replace(sale.capture, captured_at=sale.capture.captured_at + shift))
    made.keep(replace(sale.row, at=made.moment() + shift))
    refund = booked_refund(made, sale, RefundAttemptOutcome.SUCCEEDED)
    made.keep(replace(refund, sent_at=made.moment() - 5 * _DAY))


def _without_an_identifier(made: Field) -> None:
    """When it was captured, the gateway named no transaction, so that it has our reference."""
    sale = made.sale()
    made.keep(sale.attempt, replace(sale.capture, transaction_id=sale.attempt.reference), sale.row)


def _settled(made: Field) -> None:
    """Book the fee of a settlement, which has the last word."""
    sale = made.sale()
    fee = Money(sale.row.amount.currency, 5) if sale.row.amount else None
    made.keep(sale.attempt, replace(sale.capture, settled=True, fee=fee), sale.row)


AGREEMENTS: dict[Callable[[Field], None], int] = {
    _plain: 70,
    _failed_tries: 6,
    _nobody_paid: 6,
    _refunded: 6,
    _known_chargeback: 3,
    _of_another_day: 4,
    _without_an_identifier: 2,
    _settled: 3,
}


def _missing_here(made: Field) -> None:
    row = made.sale().row
    made.keep(row)
    made.sow(BreakKind.MISSING_HERE, row)


def _refund_missing_here(made: Field) -> None:
    refund = booked_refund(made, made.sale(), RefundAttemptOutcome.SUCCEEDED)
    made.keep(row := refund_row(refund))
    made.sow(BreakKind.MISSING_HERE, row)


def _missing_there(made: Field) -> None:
    sale = made.sale()
    made.keep(sale.attempt, sale.capture)
    made.sow(BreakKind.MISSING_THERE, sale.row)


def _listed_under_another_identifier(made: Field) -> None:
    """One cause: what we have is not listed, and its reference is, with another transaction."""
    sale = made.sale()
    made.keep(sale.attempt, sale.capture)
    made.keep(replace(sale.row, transaction_id=f"8{made.number()}"))
    made.sow(BreakKind.MISSING_THERE, sale.row)


def _listed_twice_under_other_identifiers(made: Field) -> None:
    """Two causes: one of the two stands in for what is not listed, the other is one too many."""
    sale = made.sale()
    other = replace(sale.row, transaction_id=f"8{made.number()}")
    later = replace(other, transaction_id=f"8{made.number()}", at=PERIOD.end - _SECOND)
    made.keep(sale.attempt, sale.capture, other, later)
    made.sow(BreakKind.MISSING_THERE, sale.row)
    made.sow(BreakKind.DUPLICATE, later)


def _refund_missing_there(made: Field) -> None:
    sale = made.sale()
    refund = booked_refund(made, sale, RefundAttemptOutcome.SUCCEEDED)
    made.keep(sale.attempt, sale.capture, sale.row, refund)
    made.sow(BreakKind.MISSING_THERE, refund_row(refund))


def _amount(made: Field) -> None:
    """Let the fee differ too, because of the amount."""
    sale = made.sale()
    wrong = sale.capture.amount + Money(sale.capture.amount.currency, made.chance.choice([-1, 1]))
    row = replace(sale.row, amount=wrong, fee=Money(wrong.currency, 1))
    made.keep(sale.attempt, sale.capture, row)
    made.sow(BreakKind.AMOUNT, row)


def _refund_amount(made: Field) -> None:
    sale = made.sale()
    refund = booked_refund(made, sale, RefundAttemptOutcome.SUCCEEDED)
    row = replace(refund_row(refund), amount=sale.capture.amount)
    made.keep(sale.attempt, sale.capture, sale.row, refund, row)
    made.sow(BreakKind.AMOUNT, row)


def _currency(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, amount=Money("USD", sale.capture.amount.minor), fee=Money("USD", 1))
    made.keep(sale.attempt, sale.capture, row)
    made.sow(BreakKind.CURRENCY, row)


def _fee(made: Field) -> None:
    sale = made.sale()
    known = made.chance.choice([None, Money(sale.capture.amount.currency, 1)])
    made.keep(sale.attempt, replace(sale.capture, fee=known), sale.row)
    made.sow(BreakKind.FEE, sale.row)


def _duplicate(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, transaction_id=f"8{made.number()}", at=made.moment())
    made.keep(sale.attempt, sale.capture, sale.row, row)
    made.sow(BreakKind.DUPLICATE, row)


def _duplicate_of_an_earlier_day(made: Field) -> None:
    """Let the first success be of a day that is not read here at all."""
    sale = made.sale()
    made.keep(sale.attempt)
    made.keep(replace(sale.capture, captured_at=sale.capture.captured_at - 5 * _DAY))
    made.keep(row := replace(sale.row, transaction_id=f"8{made.number()}"))
    made.sow(BreakKind.DUPLICATE, row)


def _second_success_of_a_late_one(made: Field) -> None:
    """Two causes: neither success is on record."""
    sale = made.sale()
    row = replace(sale.row, transaction_id=f"8{made.number()}", at=PERIOD.end - _SECOND)
    made.keep(replace(sale.attempt, outcome=AttemptOutcome.EXPIRED), sale.row, row)
    made.sow(BreakKind.LATE, sale.row)
    made.sow(BreakKind.DUPLICATE, row)


def _second_refund(made: Field) -> None:
    sale = made.sale()
    refund = booked_refund(made, sale, RefundAttemptOutcome.SUCCEEDED)
    row = replace(refund_row(refund), transaction_id=f"6{made.number()}")
    made.keep(sale.attempt, sale.capture, sale.row, refund, refund_row(refund), row)
    made.sow(BreakKind.DUPLICATE, row)


def _reversed(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, answer=made.chance.choice([Answer.FAILED, Answer.PENDING]))
    made.keep(sale.attempt, sale.capture, row)
    made.sow(BreakKind.STATUS, row)


def _given_up(made: Field) -> None:
    sale = made.sale()
    outcome, flow = made.chance.choice(
        [
            (AttemptOutcome.CANCELLED, Flow.HOSTED),
            (AttemptOutcome.EXPIRED, Flow.HOSTED),
            (AttemptOutcome.REJECTED, Flow.PROMPT),
            (AttemptOutcome.UNDELIVERED, Flow.PROMPT),
        ]
    )
    row = replace(sale.row, answer=Answer.PENDING, fee=None)
    made.keep(replace(sale.attempt, outcome=outcome, flow=flow), row)
    made.sow(BreakKind.STATUS, row)


def _refund_status(made: Field) -> None:
    sale = made.sale()
    outcome, answer = made.chance.choice(
        [
            (RefundAttemptOutcome.SUCCEEDED, Answer.FAILED),
            (RefundAttemptOutcome.FAILED, Answer.SUCCEEDED),
            (RefundAttemptOutcome.UNKNOWN, Answer.SUCCEEDED),
        ]
    )
    refund = booked_refund(made, sale, outcome)
    row = refund_row(refund, answer)
    made.keep(sale.attempt, sale.capture, sale.row, refund, row)
    made.sow(BreakKind.STATUS, row)


def _late(made: Field) -> None:
    sale = made.sale()
    outcome = made.chance.choice(list(AttemptOutcome))
    made.keep(replace(sale.attempt, outcome=outcome), sale.row)
    made.sow(BreakKind.LATE, sale.row)


def _refunded_there(made: Field) -> None:
    sale = made.sale()
    refund = booked_refund(made, sale, RefundAttemptOutcome.SUCCEEDED)
    answer = made.chance.choice([Answer.SUCCEEDED, Answer.PENDING])
    # A gateway that keeps no reference of the refund names the charge's.
    row = replace(refund_row(refund, answer), reference=sale.attempt.reference)
    made.keep(sale.attempt, sale.capture, sale.row, row)
    made.sow(BreakKind.REFUNDED_THERE, row)


def _chargeback(made: Field) -> None:
    sale = made.sale()
    status, answer = made.chance.choice(
        [
            (PaymentStatus.COMPLETED, Answer.PENDING),
            (PaymentStatus.PARTIALLY_REFUNDED, Answer.SUCCEEDED),
            (PaymentStatus.DISPUTED, Answer.SUCCEEDED),
            (PaymentStatus.DISPUTED, Answer.FAILED),
            (PaymentStatus.REFUNDED, Answer.PENDING),
        ]
    )
    row = chargeback_row(made, sale, answer)
    made.keep(sale.attempt, replace(sale.capture, payment_status=status), sale.row, row)
    made.sow(BreakKind.CHARGEBACK, row)


def _chargeback_of_surplus(made: Field) -> None:
    """Let the payment be disputed already, for the money that bought it."""
    sale = made.sale()
    row = chargeback_row(made, sale, Answer.PENDING)
    capture = replace(sale.capture, payment_status=PaymentStatus.DISPUTED, use=CaptureUse.SURPLUS)
    made.keep(sale.attempt, capture, sale.row, row)
    made.sow(BreakKind.CHARGEBACK, row)


def _wrong_reference(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, reference=f"xx{made.number()}")
    made.keep(sale.attempt, sale.capture, row)
    made.sow(BreakKind.WRONG_REFERENCE, row)


def _wrong_reference_of_an_attempt(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, reference="")
    made.keep(replace(sale.attempt, outcome=AttemptOutcome.LIVE), row)
    made.sow(BreakKind.WRONG_REFERENCE, row)


def _dated_the_day_before(made: Field) -> None:
    sale = made.sale()
    row = replace(sale.row, at=PERIOD.start - timedelta(seconds=made.chance.randrange(1, 600)))
    made.keep(sale.attempt, sale.capture, row)
    made.sow(BreakKind.DAY_BOUNDARY, row)


def _captured_the_day_after(made: Field) -> None:
    sale = made.sale()
    late = PERIOD.end + timedelta(seconds=made.chance.randrange(86_400))
    made.keep(sale.attempt, replace(sale.capture, captured_at=late), sale.row)
    made.sow(BreakKind.DAY_BOUNDARY, sale.row)


BREAKS: dict[BreakKind, tuple[Callable[[Field], None], ...]] = {
    BreakKind.MISSING_HERE: (_missing_here, _refund_missing_here),
    BreakKind.MISSING_THERE: (
        _missing_there,
        _listed_under_another_identifier,
        _listed_twice_under_other_identifiers,
        _refund_missing_there,
    ),
    BreakKind.AMOUNT: (_amount, _refund_amount),
    BreakKind.CURRENCY: (_currency,),
    BreakKind.FEE: (_fee,),
    BreakKind.DUPLICATE: (
        _duplicate,
        _duplicate_of_an_earlier_day,
        _second_success_of_a_late_one,
        _second_refund,
    ),
    BreakKind.STATUS: (_reversed, _given_up, _refund_status),
    BreakKind.LATE: (_late,),
    BreakKind.REFUNDED_THERE: (_refunded_there,),
    BreakKind.CHARGEBACK: (_chargeback, _chargeback_of_surplus),
    BreakKind.WRONG_REFERENCE: (_wrong_reference, _wrong_reference_of_an_attempt),
    BreakKind.DAY_BOUNDARY: (_dated_the_day_before, _captured_the_day_after),
}
