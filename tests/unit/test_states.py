"""The legal moves of a payment, against a table written by hand from the money-safety rules."""

from itertools import product

import pytest

from services.payments.domain.payment import Payment
from services.payments.domain.states import (
    OPEN_STATUSES,
    RESTING_STATUSES,
    TRANSITIONS,
    IllegalTransitionError,
    PaymentStatus,
    require_transition,
)
from tests.unit.factories import NOW, make_payment

LEGAL = """
pending            -> processing failed cancelled expired
processing         -> completed failed cancelled expired
failed             -> processing completed
expired            -> processing completed
cancelled          ->
completed          -> partially_refunded refunded disputed
partially_refunded -> refunded disputed
refunded           ->
disputed           -> completed partially_refunded charged_back refunded
charged_back       ->
"""
LEGAL_MOVES = {
    (line.split(" -> ")[0].strip(), new)
    for line in LEGAL.strip().splitlines()
    for new in line.split("->")[1].split()
}
NAMES = [line.split("->")[0].strip() for line in LEGAL.strip().splitlines()]
LATER = NOW.replace(year=2027)


def moved(old: str, new: str) -> Payment:
    return make_payment(status=PaymentStatus(old)).moved(PaymentStatus(new), NOW)


def test_there_are_exactly_the_ten_states_of_the_table() -> None:
    assert sorted(PaymentStatus) == sorted(NAMES)
    assert len(LEGAL_MOVES) == 21


@pytest.mark.parametrize(("old", "new"), list(product(NAMES, NAMES)))
def test_a_move_is_allowed_exactly_when_the_table_has_it(old: str, new: str) -> None:
    if (old, new) in LEGAL_MOVES:
        require_transition(PaymentStatus(old), PaymentStatus(new))
        assert moved(old, new).status == new
    else:
        with pytest.raises(IllegalTransitionError, match=f"^{old} -> {new}$"):
            require_transition(PaymentStatus(old), PaymentStatus(new))
        with pytest.raises(IllegalTransitionError):
            moved(old, new)


def test_nothing_can_change_the_table() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[PaymentStatus.CANCELLED] = frozenset(PaymentStatus)  # type: ignore[index]  # that it is refused is the test


def test_only_pending_and_processing_payments_are_open() -> None:
    assert sorted(OPEN_STATUSES) == ["pending", "processing"]


def test_a_stream_goes_on_while_a_payment_is_open_or_disputed() -> None:
    assert sorted(set(PaymentStatus) - RESTING_STATUSES) == ["disputed", "pending", "processing"]


def test_completion_is_timed_when_the_money_is_verified_and_never_again() -> None:
    completed = make_payment(status=PaymentStatus.PROCESSING).moved(PaymentStatus.COMPLETED, NOW)
    assert completed.completed_at == NOW
    won = completed.moved(PaymentStatus.DISPUTED, LATER).moved(PaymentStatus.COMPLETED, LATER)
    assert won.completed_at == NOW


def test_a_touched_payment_is_the_next_version() -> None:
    touched = make_payment(version=7).touched(LATER)
    assert (touched.version, touched.updated_at) == (8, LATER)
