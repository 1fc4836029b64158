"""The words of reconciliation: a gateway's statement, our books, and the breaks between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer
from services.payments.domain.refunds import RefundAttemptOutcome
from services.payments.domain.states import PaymentStatus


class BreakKind(StrEnum):
    """How two records differ; docs/runbook.md says what to do about each.

    MISSING_HERE, MISSING_THERE: only the other side has it. LATE: the gateway took money on an
    attempt of ours that has none. DUPLICATE: a second success under one reference. REFUNDED_THERE:
    a refund that we did not ask for. DAY_BOUNDARY: dated in the period on one side only; no
    difference in money.
    """

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    CURRENCY = "currency"
    FEE = "fee"
    DUPLICATE = "duplicate"
    STATUS = "status"
    LATE = "late"
    REFUNDED_THERE = "refunded_there"
    CHARGEBACK = "chargeback"
    WRONG_REFERENCE = "wrong_reference"
    DAY_BOUNDARY = "day_boundary"


class BreakStatus(StrEnum):
    """Whether a break still needs somebody. HEALED: our books agree, or the cause is gone."""

    OPEN = "open"
    HEALED = "healed"


class Subject(StrEnum):
    """What kind of thing a break is about: gateways number each kind on its own."""

    CHARGE = "charge"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` up to, and without, `end`."""

    start: datetime
    end: datetime

    def contains(self, at: datetime | None) -> bool:
        """Whether a moment lies in the period; one that is not known does not."""
        return at is not None and self.start <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One row of a gateway's statement.

    `answer`: a chargeback is PENDING while it is disputed, SUCCEEDED when the money is gone, FAILED
    when it stays. `reference`: ours, as far as the gateway keeps it. `at`: when the gateway
    recorded it; None for what it knows when it is asked and did not list near the period.
    `charge_transaction_id`: of the charge that a refund or chargeback belongs to, where known.
    """

    subject: Subject
    answer: Answer
    transaction_id: str
    reference: str
    amount: Money | None
    at: datetime | None
    fee: Money | None = None
    charge_transaction_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One charge in a settlement: what the payer paid, and what the gateway kept of it.

    `fee`: None when it is finer than its currency.
    """

    transaction_id: str
    reference: str
    gross: Money
    fee: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One payout to the merchant, in the gateway's own figures, all in one currency."""

    settlement_id: str
    net: Money
    gross: Money
    fees: Money
    refunds: Money
    chargebacks: Money
    settled_at: datetime
    lines: Sequence[SettlementLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedAttempt:
    """An attempt of ours, as far as a statement can speak of it."""

    id: UUID
    payment_id: UUID
    reference: str
    transaction_id: str
    outcome: AttemptOutcome
    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedCapture:
    """Money that we have on record. `reference`: of its attempt. `settled`: it was paid out.

    Once it is settled, the fee of the settlement is the last word.
    """

    id: UUID
    payment_id: UUID
    payment_status: PaymentStatus
    reference: str
    transaction_id: str
    amount: Money
    fee: Money | None
    use: CaptureUse
    captured_at: datetime
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedRefund:
    """One attempt of ours to send money back. `transaction_id`: the gateway's of the refund."""

    id: UUID
    refund_id: UUID
    payment_id: UUID
    reference: str
    transaction_id: str
    charge_transaction_id: str
    amount: Money
    outcome: RefundAttemptOutcome
    sent_at: datetime | None


Booked = BookedAttempt | BookedCapture | BookedRefund


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Our record: all that the statement names, and all that we date in the period."""

    attempts: Sequence[BookedAttempt] = ()
    captures: Sequence[BookedCapture] = ()
    refunds: Sequence[BookedRefund] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One difference, once per cause.

    `transaction_id`: the gateway's of the transaction, refund, chargeback or settlement; our
    reference where it has none. `at`: when the gateway, else we, recorded it. `theirs`, `ours`: the
    two sides, as far as there are two.
    """

    kind: BreakKind
    subject: Subject
    transaction_id: str
    reference: str
    summary: str
    at: datetime
    payment_id: UUID | None = None
    theirs: Transaction | None = None
    ours: Booked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found, and how many rows it looked at."""

    compared: int
    breaks: tuple[Break, ...]

    def __add__(self, other: "Comparison") -> "Comparison":
        """Return what both found."""
        return Comparison(
            compared=self.compared + other.compared, breaks=(*self.breaks, *other.breaks)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reconciliation. `requested_by`: a calling service, or "worker"."""

    id: UUID
    gateway: str
    period: Period
    requested_by: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run found. `clearing`: what the gateway owes us afterwards, one sum per currency."""

    run_id: UUID
    compared: int
    breaks: int
    healed: int
    clearing: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBreak:
    """A break as it is on record."""

    id: UUID
    gateway: str
    kind: BreakKind
    subject: Subject
    transaction_id: str
    reference: str
    payment_id: UUID | None
    summary: str
    status: BreakStatus
    found_at: datetime
