"""Complete, valid values of the payments domain, changed field by field where a test says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from kit.clock import SystemClock
from kit.ids import SystemIds
from kit.money import Money
from kit.tasks import OwnedTasks
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import (
    BillingCycle,
    Customer,
    Payment,
    PaymentMethod,
    Purchase,
)
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
)
from services.payments.domain.states import PaymentStatus
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Gateways, Routing, Storage, Wakeups
from services.payments.router import Router

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
PRICE = Money("UGX", 35_000)

_PURCHASE = Purchase(
    user_id="member-1",
    tier="pro",
    billing_cycle=BillingCycle.MONTHLY,
    payment_method=PaymentMethod.MOBILE_MONEY,
    amount=PRICE,
    price_book_version=1,
    customer=Customer(
        email="amina@example.com",
        name="Amina Okello",
        phone_number="+256772123456",
        country_code="UG",
    ),
    return_url="https://creators.example/return",
)
_PAYMENT = Payment(
    id=UUID(int=1),
    purchase=_PURCHASE,
    previous_tier="free",
    idempotency_key="key-1",
    status=PaymentStatus.PENDING,
    version=1,
    created_at=NOW,
    updated_at=NOW,
)
_ATTEMPT = Attempt(
    id=UUID(int=11),
    payment_id=_PAYMENT.id,
    number=1,
    gateway="eversend",
    reference="cp0001",
    flow=Flow.HOSTED,
    outcome=AttemptOutcome.SENDING,
    amount=PRICE,
    created_at=NOW,
    sent_at=NOW,
    next_check_at=NOW + timedelta(seconds=30),
)
_CAPTURE = Capture(
    id=UUID(int=21),
    payment_id=_PAYMENT.id,
    attempt_id=_ATTEMPT.id,
    gateway="eversend",
    gateway_transaction_id="tx-1",
    amount=PRICE,
    use=CaptureUse.KEPT,
    excess=Money("UGX", 0),
    captured_at=NOW,
)
_REFUND = Refund(
    id=UUID(int=31),
    payment_id=_PAYMENT.id,
    capture_id=_CAPTURE.id,
    purpose=RefundPurpose.REQUESTED,
    amount=PRICE,
    reason="asked by the member",
    requested_by="operator",
    gateway="eversend",
    status=RefundStatus.PENDING,
    created_at=NOW,
    updated_at=NOW,
)
_REFUND_ATTEMPT = RefundAttempt(
    id=UUID(int=41),
    refund_id=_REFUND.id,
    payment_id=_PAYMENT.id,
    number=1,
    gateway="eversend",
    reference="cprefund0001",
    outcome=RefundAttemptOutcome.RECORDED,
    created_at=NOW,
    next_check_at=NOW,
)


def make_purchase(**changes: Any) -> Purchase:
    """Return a purchase of one month of "pro" by mobile money in Uganda."""
    return replace(_PURCHASE, **changes)


def make_payment(**changes: Any) -> Payment:
    """Return a pending payment for `make_purchase()`."""
    return replace(_PAYMENT, **changes)


def make_attempt(**changes: Any) -> Attempt:
    """Return the payment's first attempt, on its way to Eversend."""
    return replace(_ATTEMPT, **changes)


def make_capture(**changes: Any) -> Capture:
    """Return the money of `make_attempt()`: the price, kept."""
    return replace(_CAPTURE, **changes)


def make_refund(**changes: Any) -> Refund:
    """Return a refund of all of `make_capture()` that somebody asked for."""
    return replace(_REFUND, **changes)


def make_refund_attempt(**changes: Any) -> RefundAttempt:
    """Return the first attempt of `make_refund()`, not sent yet."""
    return replace(_REFUND_ATTEMPT, **changes)


def make_report(attempt: Attempt, answer: Answer, **changes: Any) -> ChargeReport:
    """Return what a gateway says about an attempt: the price, under our own reference."""
    report = ChargeReport(answer=answer, reference=attempt.reference, amount=attempt.amount)
    return replace(report, **changes)


def make_dependencies(storage: Storage, wakeups: Wakeups, gateways: Gateways) -> Dependencies:
    """Return what operations are given, with the machine's own clock and chance."""
    clock = SystemClock()
    return Dependencies(
        storage=storage,
        gateways=gateways,
        router=Router(gateways, Routing()),
        clock=clock,
        ids=SystemIds(clock),
        wakeups=wakeups,
        tasks=OwnedTasks(),
        sender="tests",
    )
