"""What an answer proves: every cell of the money-safety table, written by hand."""

from itertools import product
from types import MappingProxyType

import pytest

from services.payments.domain.attempts import UNSETTLED_OUTCOMES, AttemptOutcome, Flow
from services.payments.domain.evidence import (
    ALLOWS_FALLBACK,
    RULES,
    SAFE_RULES,
    Answer,
    Evidence,
    outcome_after,
)

# answer to "create this charge" -> (hosted link, phone prompt)
CREATION = {
    "succeeded": ("LIVE", "LIVE"),  # only a look-up proves money
    "pending": ("LIVE", "LIVE"),
    "requires_action": ("LIVE", "LIVE"),
    "failed": ("REJECTED", "REJECTED"),
    "not_found": ("UNDELIVERED", "UNKNOWN"),  # contradicts a creation: the reply counts as lost
    "not_sent": ("NOT_SENT", "NOT_SENT"),
    "not_created": ("REJECTED", "REJECTED"),
    "unknown": ("UNDELIVERED", "UNKNOWN"),  # an unseen link pays nothing, a prompt may be seen
}
# answer to "what became of this charge", in either flow
LOOK_UP = {
    "succeeded": "PAID",
    "pending": "LIVE",
    "requires_action": "LIVE",
    "failed": "REJECTED",
    "not_found": "NO_NEWS",  # the creation may still arrive after the look-up
    "not_sent": "NO_NEWS",
    "not_created": "NO_NEWS",
    "unknown": "NO_NEWS",
}
FALLBACK = {"NOT_SENT", "REJECTED", "UNDELIVERED"}
# evidence -> the outcome of an attempt that was unsettled; None: it stays what it was
OUTCOMES = {
    "NOT_SENT": "undelivered",
    "REJECTED": "rejected",
    "UNDELIVERED": "undelivered",
    "UNKNOWN": "unknown",
    "LIVE": "live",
    "PAID": "succeeded",
    "EXPIRED": "expired",  # on the acknowledgement that the link is closed
    "CLOSED": "cancelled",  # likewise, because nobody needs it any more
    "ABSENT": "undelivered",  # only after the quiet time and three look-ups
    "NO_NEWS": None,
}
UNSETTLED = {"sending", "live", "unknown"}


def test_the_tables_cover_every_answer_and_every_evidence() -> None:
    assert CREATION.keys() == LOOK_UP.keys() == set(Answer)
    assert OUTCOMES.keys() == set(Evidence)


@pytest.mark.parametrize(("answer", "flow"), list(product(CREATION, Flow)))
def test_a_creation_proves_what_its_flow_allows(answer: str, flow: Flow) -> None:
    hosted, prompt = CREATION[answer]
    proven = SAFE_RULES.creation[Answer(answer)][flow]
    assert proven == (hosted if flow is Flow.HOSTED else prompt)


@pytest.mark.parametrize("answer", list(LOOK_UP))
def test_a_look_up_proves_nothing_but_what_the_gateway_said(answer: str) -> None:
    assert SAFE_RULES.look_up[Answer(answer)] == LOOK_UP[answer]


def test_nothing_can_change_what_answers_prove() -> None:
    for table in (SAFE_RULES.look_up, SAFE_RULES.creation, *SAFE_RULES.creation.values()):
        assert isinstance(table, MappingProxyType)


@pytest.mark.parametrize("moment", ["creation", "look-up"])
def test_no_single_answer_proves_that_a_request_never_arrived(moment: str) -> None:
    look_ups = set(SAFE_RULES.look_up.values())
    creations = {cell for row in SAFE_RULES.creation.values() for cell in row.values()}
    proven = look_ups if moment == "look-up" else creations
    assert not proven & {Evidence.ABSENT, Evidence.CLOSED, Evidence.EXPIRED}


def test_a_creation_never_proves_money() -> None:
    cells = [cell for row in SAFE_RULES.creation.values() for cell in row.values()]
    assert Evidence.PAID not in cells


@pytest.mark.parametrize("evidence", list(Evidence))
def test_another_attempt_may_start_only_on_negative_proof(evidence: Evidence) -> None:
    assert (evidence in ALLOWS_FALLBACK) is (evidence in FALLBACK)


def test_no_answer_to_a_prompt_allows_a_fallback_but_a_definite_no() -> None:
    allowing = {
        answer for answer in Answer if SAFE_RULES.creation[answer][Flow.PROMPT] in ALLOWS_FALLBACK
    }
    assert allowing == {"failed", "not_sent", "not_created"}


@pytest.mark.parametrize(("evidence", "before"), list(product(Evidence, AttemptOutcome)))
def test_a_settled_attempt_is_moved_by_money_alone(
    evidence: Evidence, before: AttemptOutcome
) -> None:
    moves = before in UNSETTLED or evidence == "PAID"
    expected = (OUTCOMES[evidence] if moves else None) or before
    assert outcome_after(evidence, before) == expected


def test_an_attempt_may_take_money_while_it_is_sending_live_or_unknown() -> None:
    assert UNSETTLED_OUTCOMES == UNSETTLED


@pytest.mark.parametrize("evidence", list(Evidence))
def test_every_decision_has_a_rule_that_support_can_read(evidence: Evidence) -> None:
    assert RULES[evidence].startswith(f"{evidence}: ")
