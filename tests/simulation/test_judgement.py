"""Each thing that must never be is found when it is: a judge that cannot condemn proves nothing."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kit.money import Money
from proofs.simulation.adapters import build_gateway_side
from proofs.simulation.gateways.book import RealCharge, RealRefund, RealState
from proofs.simulation.judgement import Judgement
from proofs.simulation.nature import nature_of
from proofs.simulation.storage import Database
from proofs.simulation.storage.rows import AttemptRow, EventRow, RefundAttemptRow
from proofs.simulation.truth import Truth
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.events import Delivery
from services.payments.domain.ledger import EntryKind, JournalEntry, Line
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.pricing import PriceBook
from services.payments.domain.refunds import RefundAttemptOutcome, RefundPurpose, RefundStatus
from services.payments.domain.states import PaymentStatus
from tests.unit.factories import (
    NOW,
    PRICE,
    make_attempt,
    make_capture,
    make_payment,
    make_purchase,
    make_refund,
    make_refund_attempt,
)


@dataclass(slots=True)
class Case:
    """Books of ours and the gateways', without anything wrong in them until a test puts it in."""

    database: Database
    truth: Truth

    def violations(self) -> list[str]:
        return Judgement(self.database, self.truth).violations()

    def paid(self, minutes: int = 0, **changes: Any) -> tuple[Payment, Capture]:
        """Add a payment that was paid once, with everything that belongs to it."""
        payment = make_payment(
            **{
                "id": uuid4(),
                "status": PaymentStatus.COMPLETED,
                "completed_at": NOW + timedelta(minutes=minutes),
                "version": 3,
                **changes,
            }
        )
        attempt = make_attempt(
            id=uuid4(),
            payment_id=payment.id,
            reference=f"cp{payment.id.hex[:12]}",
            outcome=AttemptOutcome.SUCCEEDED,
            next_check_at=None,
        )
        capture = make_capture(
            id=uuid4(),
            payment_id=payment.id,
            attempt_id=attempt.id,
            gateway_transaction_id=uuid4().hex,
            captured_at=NOW + timedelta(minutes=minutes),
        )
        self.database.payments.rows[payment.id] = payment
        self.database.attempts.rows[attempt.id] = AttemptRow(attempt=attempt)
        self.database.captures.rows[capture.id] = capture
        self.granted(payment)
        self.took(capture, attempt.reference)
        self.entered(capture.amount.minor - capture.amount.minor * 2 // 100)
        return payment, capture

    def granted(self, payment: Payment) -> None:
        entry = AuditEntry(
            payment_id=payment.id,
            kind=AuditKind.EFFECT,
            actor="worker",
            action="tier_granted",
            reason="paid",
            request_id="request-1",
            at=NOW,
        )
        self.database.audit.rows[self.database.next_serial()] = entry

    def took(self, capture: Capture, reference: str) -> RealCharge:
        charge = RealCharge(
            gateway=capture.gateway,
            reference=reference,
            id=capture.gateway_transaction_id,
            asked=PRICE,
            amount=capture.amount,
            visible_from=0.0,
            state=RealState.SUCCESSFUL,
        )
        self.truth.book(capture.gateway).charges[charge.id] = charge
        return charge

    def entered(self, minor: int, *, off_by: int = 0) -> None:
        lines = (
            Line(account="clearing:eversend", amount=Money("UGX", minor)),
            Line(account="revenue:memberships", amount=Money("UGX", off_by - minor)),
        )
        source = uuid4().hex
        self.database.ledger.rows[source] = JournalEntry(
            id=uuid4(), kind=EntryKind.CAPTURE, source=source, summary="", at=NOW, lines=lines
        )

    def refunded(self, capture: Capture, status: RefundStatus, *done: RealState) -> UUID:
        """Add a refund of a capture and what became of it at the gateway."""
        refund = make_refund(
            id=uuid4(), payment_id=capture.payment_id, capture_id=capture.id, status=status
        )
        attempt = make_refund_attempt(
            id=uuid4(),
            refund_id=refund.id,
            payment_id=refund.payment_id,
            outcome=RefundAttemptOutcome.SUCCEEDED,
            next_check_at=None,
        )
        self.database.refunds.rows[refund.id] = refund
        self.database.refund_attempts.rows[attempt.id] = RefundAttemptRow(attempt=attempt)
        for state in done:
            real = RealRefund(
                gateway="eversend",
                reference=attempt.reference,
                id=uuid4().hex,
                charge_id="",
                amount=refund.amount,
                state=state,
            )
            self.truth.book("eversend").refunds[real.id] = real
            if state is RealState.SUCCESSFUL:
                self.entered(-refund.amount.minor)
        return refund.id


@pytest.fixture
def case() -> Case:
    nature = nature_of(1)
    nature.loop.close()
    database = Database(PriceBook(version=1, tiers=()))
    return Case(database, Truth(build_gateway_side(nature)))


def test_books_that_agree_are_left_alone(case: Case) -> None:
    case.paid()
    case.paid(purchase=make_purchase(user_id="member-2"))
    assert case.violations() == []
    assert Judgement(case.database, case.truth).is_settled()


def test_a_second_charge_for_the_same_thing_is_found(case: Case) -> None:
    case.paid()
    case.paid(minutes=5)
    (violation,) = case.violations()
    assert violation.startswith("DOUBLE CHARGE KEPT")


def test_buying_again_after_having_switched_is_no_double_charge(case: Case) -> None:
    case.paid()
    case.paid(minutes=5, purchase=make_purchase(tier="premium"))
    payment, capture = case.paid(minutes=9)
    (again,) = [
        key
        for key, row in case.database.attempts.rows.items()
        if row.attempt.payment_id == payment.id
    ]
    assert case.violations()
    begun = make_attempt(
        id=capture.attempt_id,
        payment_id=payment.id,
        outcome=AttemptOutcome.SUCCEEDED,
        created_at=NOW + timedelta(minutes=8),
        next_check_at=None,
    )
    case.database.attempts.rows[again] = AttemptRow(attempt=begun)
    assert case.violations() == []


def test_money_that_is_on_no_record_is_found(case: Case) -> None:
    case.paid()
    case.took(make_capture(gateway_transaction_id="tx-lost"), "cplost")
    case.entered(PRICE.minor - PRICE.minor * 2 // 100)
    (violation,) = case.violations()
    assert violation.startswith("MONEY WITHOUT EFFECT")
    assert not Judgement(case.database, case.truth).is_settled()


def test_a_payment_that_nobody_paid_is_found(case: Case) -> None:
    _, capture = case.paid()
    charge = case.truth.book("eversend").charges[capture.gateway_transaction_id]
    charge.state = RealState.FAILED
    assert any(each.startswith("NEVER PAID") for each in case.violations())


def test_a_capture_of_another_amount_is_found(case: Case) -> None:
    _, capture = case.paid()
    wrong = replace(capture, amount=capture.amount * 2)
    case.database.captures.rows[capture.id] = wrong
    assert any("the charge" in each for each in case.violations())


@pytest.mark.parametrize("status", [PaymentStatus.PENDING, PaymentStatus.PROCESSING])
def test_a_payment_that_is_never_over_is_found(case: Case, status: PaymentStatus) -> None:
    payment = make_payment(status=status)
    case.database.payments.rows[payment.id] = payment
    assert case.violations() == [f"STUCK: payment {payment.id} is still {status}"]
    held = replace(payment, review_reason="underpaid")
    case.database.payments.rows[payment.id] = held
    assert case.violations() == []


def test_an_attempt_and_a_callback_that_are_never_over_are_found(case: Case) -> None:
    payment, _ = case.paid()
    attempt = make_attempt(payment_id=payment.id, outcome=AttemptOutcome.LIVE)
    case.database.attempts.rows[attempt.id] = AttemptRow(attempt=attempt)
    delivery = Delivery(
        gateway="eversend",
        event_key="event-1",
        event_type="",
        reference="",
        gateway_transaction_id="",
        raw_body=b"",
        headers={},
        received_at=NOW,
    )
    event = EventRow(id=uuid4(), delivery=delivery, request_id="", next_try_at=NOW)
    case.database.events.rows[event.id] = event
    assert [each.partition(":")[0] for each in case.violations()] == ["STUCK", "STUCK"]


def test_what_was_paid_and_not_granted_or_granted_twice_is_found(case: Case) -> None:
    payment, _ = case.paid()
    case.granted(payment)
    assert any("granted 2 times" in each for each in case.violations())
    case.database.audit.rows.clear()
    assert any("granted 0 times" in each for each in case.violations())


def test_a_tier_that_nobody_paid_for_is_found(case: Case) -> None:
    failed = make_payment(status=PaymentStatus.FAILED)
    case.database.payments.rows[failed.id] = failed
    given = Membership(user_id="member-1", tier="pro", payment_id=failed.id)
    case.database.memberships.rows["member-1"] = given
    assert case.violations() == ["member-1 has pro that nobody paid for"]


def test_surplus_that_does_not_go_back_is_found(case: Case) -> None:
    payment, capture = case.paid()
    surplus = replace(
        capture,
        id=uuid4(),
        gateway_transaction_id="tx-2",
        use=CaptureUse.SURPLUS,
        excess=capture.amount,
    )
    case.database.captures.rows[surplus.id] = surplus
    case.took(surplus, "cpagain")
    case.entered(PRICE.minor - PRICE.minor * 2 // 100)
    assert case.violations() == [f"the surplus of capture {surplus.id} does not go back"]
    refund = make_refund(
        payment_id=payment.id, capture_id=surplus.id, purpose=RefundPurpose.SURPLUS
    )
    case.database.refunds.rows[refund.id] = refund
    assert case.violations() == []


def test_a_refund_that_went_back_twice_is_found(case: Case) -> None:
    _, capture = case.paid()
    done = RealState.SUCCESSFUL
    case.refunded(capture, RefundStatus.SUCCEEDED, done, done)
    assert {each.partition(":")[0] for each in case.violations()} == {
        "SENT TWICE",
        "REFUNDED TWICE",
    }


@pytest.mark.parametrize(
    ("status", "done"),
    [
        (RefundStatus.SUCCEEDED, RealState.FAILED),
        (RefundStatus.FAILED, RealState.SUCCESSFUL),
        (RefundStatus.PROCESSING, RealState.SUCCESSFUL),
    ],
)
def test_a_refund_whose_status_is_not_what_happened_is_found(
    case: Case, status: RefundStatus, done: RealState
) -> None:
    _, capture = case.paid()
    refund_id = case.refunded(capture, status, done)
    assert any(each.startswith(f"refund {refund_id} is {status}") for each in case.violations())


def test_books_that_do_not_balance_or_do_not_agree_are_found(case: Case) -> None:
    case.paid()
    case.entered(500)
    assert [each.partition(":")[0] for each in case.violations()] == ["LEDGER"]
    case.entered(-500, off_by=1)
    assert any(each.endswith("does not balance") for each in case.violations())
