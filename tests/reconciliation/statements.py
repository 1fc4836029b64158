"""Makes books and the gateway's statement of the same period, with breaks sown where told."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import (
    BookedAttempt,
    BookedCapture,
    BookedRefund,
    Books,
    BreakKind,
    Period,
    Subject,
    Transaction,
)
from services.payments.domain.refunds import RefundAttemptOutcome
from services.payments.domain.states import PaymentStatus

PERIOD = Period(start=datetime(2026, 3, 14, tzinfo=UTC), end=datetime(2026, 3, 15, tzinfo=UTC))
_PRICES = {"UGX": 75_000, "NGN": 1_500_000, "KES": 99_900, "KWD": 6_500}

Sown = tuple[BreakKind, Subject, str]
"""What has to be found: kind, subject and the gateway's transaction (or ours, if it has none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One payment that both sides agree about, before anything is sown."""

    attempt: BookedAttempt
    capture: BookedCapture
    row: Transaction


@dataclass(slots=True)
class Field:
    """A period in the making. `sown`: what differs in it."""

    chance: random.Random
    attempts: list[BookedAttempt] = field(default_factory=list)
    captures: list[BookedCapture] = field(default_factory=list)
    refunds: list[BookedRefund] = field(default_factory=list)
    rows: list[Transaction] = field(default_factory=list)
    sown: set[Sown] = field(default_factory=set)
    _number: int = 0

    @property
    def books(self) -> Books:
        return Books(attempts=self.attempts, captures=self.captures, refunds=self.refunds)

    def statement(self) -> list[Transaction]:
        """Return the gateway's rows in any order, some of them twice, as pages can repeat them."""
        rows = [*self.rows, *self.chance.sample(self.rows, k=len(self.rows) // 50)]
        self.chance.shuffle(rows)
        return rows

    def number(self) -> str:
        self._number += 1
        return f"{self._number:08}"

    def moment(self, day: datetime = PERIOD.start) -> datetime:
        """Return a moment of a day, a few minutes away from midnight."""
        return day + timedelta(seconds=self.chance.randrange(600, 85_800))

    def sale(self) -> Sale:
        """Return a sale of the period."""
        number, currency = self.number(), self.chance.choice(list(_PRICES))
        amount = Money(currency, _PRICES[currency] + self.chance.randrange(1000))
        fee = Money(currency, amount.minor * 29 // 1000)
        at = self.moment()
        attempt = BookedAttempt(
            id=self.id(),
            payment_id=self.id(),
            reference=f"cp{number}",
            transaction_id=f"9{number}",
            outcome=AttemptOutcome.SUCCEEDED,
            flow=self.chance.choice(list(Flow)),
        )
        capture = BookedCapture(
            id=self.id(),
            payment_id=attempt.payment_id,
            payment_status=PaymentStatus.COMPLETED,
            reference=attempt.reference,
            transaction_id=attempt.transaction_id,
            amount=amount,
            fee=fee,
            use=CaptureUse.KEPT,
            captured_at=at + timedelta(seconds=self.chance.randrange(300)),
        )
        row = Transaction(
            subject=Subject.CHARGE,
            answer=Answer.SUCCEEDED,
            transaction_id=attempt.transaction_id,
            reference=attempt.reference,
            amount=amount,
            at=at,
            fee=fee,
        )
        return Sale(attempt=attempt, capture=capture, row=row)

    def id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128))

    def keep(self, *things: BookedAttempt | BookedCapture | BookedRefund | Transaction) -> None:
        """Put things where they belong."""
        for each in things:
            if isinstance(each, BookedAttempt):
                self.attempts.append(each)
            elif isinstance(each, BookedCapture):
                self.captures.append(each)
            elif isinstance(each, BookedRefund):
                self.refunds.append(each)
            else:
                self.rows.append(each)

    def sow(self, kind: BreakKind, row: Transaction) -> None:
        """Remember what has to be found."""
        self.sown.add((kind, row.subject, row.transaction_id))


def booked_refund(field_: Field, sale: Sale, outcome: RefundAttemptOutcome) -> BookedRefund:
    """Return our refund of half a sale."""
    number = field_.number()
    half = sale.capture.amount.minor // 2
    return BookedRefund(
        id=field_.id(),
        refund_id=field_.id(),
        payment_id=sale.capture.payment_id,
        reference=f"cr{number}",
        transaction_id=f"7{number}",
        charge_transaction_id=sale.row.transaction_id,
        amount=Money(sale.capture.amount.currency, half),
        outcome=outcome,
        sent_at=field_.moment(),
    )


def refund_row(refund: BookedRefund, answer: Answer = Answer.SUCCEEDED) -> Transaction:
    """Return what the gateway lists about a refund of ours."""
    return Transaction(
        subject=Subject.REFUND,
        answer=answer,
        transaction_id=refund.transaction_id,
        reference=refund.reference,
        amount=refund.amount,
        at=refund.sent_at,
        charge_transaction_id=refund.charge_transaction_id,
    )


def chargeback_row(field_: Field, sale: Sale, answer: Answer) -> Transaction:
    """Return what the gateway lists about a chargeback of a sale."""
    return replace(
        sale.row,
        subject=Subject.CHARGEBACK,
        answer=answer,
        transaction_id=f"5{field_.number()}",
        fee=None,
        charge_transaction_id=sale.row.transaction_id,
    )
