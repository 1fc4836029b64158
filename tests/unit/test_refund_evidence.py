"""What an answer proves about a refund: every cell, written by hand."""

from itertools import product
from types import MappingProxyType

import pytest

from services.payments.domain.evidence import Answer
from services.payments.domain.refund_evidence import (
    REFUND_CREATION,
    REFUND_LOOK_UP,
    REFUND_RULES,
    STATUS_OF,
    outcome_after_look_up,
)
from services.payments.domain.refunds import REFUND_TRANSITIONS, RefundAttemptOutcome, RefundStatus
from tests.unit.factories import NOW, make_refund, make_refund_attempt

# answer -> (answered to "send it back", answered to "what became of it"; None: no news)
ANSWERS = {
    "succeeded": ("succeeded", "succeeded"),
    "pending": ("accepted", "accepted"),  # accepted is not done
    "requires_action": ("accepted", "accepted"),
    "failed": ("failed", "failed"),
    "not_found": ("unknown", None),  # contradicts a creation; the request may still arrive
    "not_sent": ("recorded", None),  # the only one that is sent again
    "not_created": ("failed", None),
    "unknown": ("unknown", None),  # never sent again
}
STATUSES = {
    "recorded": "pending",
    "sending": "pending",
    "accepted": "processing",
    "unknown": "processing",
    "succeeded": "succeeded",
    "failed": "failed",
}
LEGAL_MOVES = {
    ("pending", "processing"), ("pending", "succeeded"), ("pending", "failed"),
    ("processing", "succeeded"), ("processing", "failed"),
    ("failed", "pending"), ("failed", "succeeded"),
}  # fmt: skip
FOUND = list(dict.fromkeys(REFUND_LOOK_UP.values()))


def test_the_tables_cover_every_answer_and_every_outcome() -> None:
    assert ANSWERS.keys() == REFUND_CREATION.keys() == REFUND_LOOK_UP.keys() == set(Answer)
    assert STATUSES.keys() == STATUS_OF.keys() == REFUND_RULES.keys() == set(RefundAttemptOutcome)


def test_nothing_can_change_the_tables() -> None:
    for table in (REFUND_CREATION, REFUND_LOOK_UP, STATUS_OF, REFUND_RULES, REFUND_TRANSITIONS):
        assert isinstance(table, MappingProxyType)


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_an_answer_to_a_refund_proves_what_the_table_says(answer: str) -> None:
    created, found = ANSWERS[answer]
    assert REFUND_CREATION[Answer(answer)] == created
    assert REFUND_LOOK_UP[Answer(answer)] == found


def test_only_what_never_left_may_be_sent_again() -> None:
    resent = {answer for answer, outcome in REFUND_CREATION.items() if outcome == "recorded"}
    assert resent == {"not_sent"}
    assert RefundAttemptOutcome.RECORDED not in REFUND_LOOK_UP.values()
    assert RefundAttemptOutcome.SENDING not in {*REFUND_CREATION.values(), *REFUND_LOOK_UP.values()}


@pytest.mark.parametrize(("before", "found"), list(product(RefundAttemptOutcome, FOUND)))
def test_a_look_up_moves_what_is_over_by_success_alone(
    before: RefundAttemptOutcome, found: RefundAttemptOutcome | None
) -> None:
    over = before in ("succeeded", "failed")
    expected = found if found is not None and not over else before
    if before == "failed" and found == "succeeded":
        expected = RefundAttemptOutcome.SUCCEEDED
    assert outcome_after_look_up(before, found) is expected


@pytest.mark.parametrize("outcome", list(RefundAttemptOutcome))
def test_a_refund_stands_where_its_newest_attempt_does(outcome: RefundAttemptOutcome) -> None:
    assert STATUS_OF[outcome] == STATUSES[outcome]
    assert REFUND_RULES[outcome].split(":")[0] in {outcome.upper(), "NOT_SENT"}
    unsettled = STATUSES[outcome] in ("pending", "processing")
    assert make_refund_attempt(outcome=outcome).unsettled is unsettled


@pytest.mark.parametrize(("old", "new"), list(product(RefundStatus, RefundStatus)))
def test_a_refund_moves_exactly_as_the_table_says(old: RefundStatus, new: RefundStatus) -> None:
    later = NOW.replace(year=2027)
    if old is new or (old, new) in LEGAL_MOVES:
        moved = make_refund(status=old).moved(new, later)
        assert (moved.status, moved.updated_at, moved.failure) == (new, later, None)
    else:
        with pytest.raises(ValueError, match=f"from {old} to {new}"):
            make_refund(status=old).moved(new, later)
    assert (new in REFUND_TRANSITIONS[old]) is ((old, new) in LEGAL_MOVES)
