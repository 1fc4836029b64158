"""Verified money for what the member has bought with another payment meanwhile is surplus."""

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.ruling import bought_elsewhere
from services.payments.domain.states import PaymentStatus
from tests.unit.factories import NOW, PRICE, make_attempt, make_payment


@pytest.mark.parametrize(
    ("status", "afterwards"),
    [
        ("pending", "cancelled"),
        ("processing", "cancelled"),
        ("failed", "failed"),
        ("expired", "expired"),
    ],
)
def test_the_money_is_on_record_and_an_open_payment_is_withdrawn(
    status: str, afterwards: str
) -> None:
    payment = make_payment(status=PaymentStatus(status))
    settled = bought_elsewhere(payment, make_attempt(outcome=AttemptOutcome.LIVE), PRICE, NOW)
    assert settled.taken is not None
    assert (settled.taken.use, settled.taken.excess) == (CaptureUse.SURPLUS, PRICE)
    assert settled.attempt.outcome is AttemptOutcome.SUCCEEDED
    assert settled.payment.status == afterwards
    assert settled.notes[0].action == "surplus_found"
