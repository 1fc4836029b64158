"""docs/payment-states.md repeats the tables of legal moves and the outcomes of attempts."""

import re

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.refunds import REFUND_TRANSITIONS
from services.payments.domain.states import TRANSITIONS, PaymentStatus
from tests.docs.markdown import document, named

PAGE = document("docs/payment-states.md")
_ARROW = re.compile(r"^\s*(\w+) --> (\w+)$", re.MULTILINE)


def test_the_table_of_moves_is_the_one_in_the_code() -> None:
    written = {named(start)[0]: set(named(ends)) for start, ends in PAGE.table("Payment states")}
    assert written == {start: set(ends) for start, ends in TRANSITIONS.items()}


def test_the_table_of_moves_of_refunds_is_the_one_in_the_code() -> None:
    written = {named(start)[0]: set(named(ends)) for start, ends in PAGE.table("Refunds")}
    assert written == {start: set(ends) for start, ends in REFUND_TRANSITIONS.items()}


def test_the_diagram_has_an_arrow_for_every_move_and_no_other() -> None:
    (diagram,) = PAGE.blocks("mermaid")
    arrows = _ARROW.findall(diagram)
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == {(start, end) for start, ends in TRANSITIONS.items() for end in ends}


def test_the_diagram_ends_where_no_move_leads_on() -> None:
    (diagram,) = PAGE.blocks("mermaid")
    ends = set(re.findall(r"(\w+) --> \[\*\]", diagram))
    assert ends == {status for status, following in TRANSITIONS.items() if not following}


def test_every_state_is_explained_once() -> None:
    explained = [named(row[0])[0] for row in PAGE.table("What they mean")]
    assert explained == list(PaymentStatus)


def test_every_outcome_of_an_attempt_is_explained_once() -> None:
    explained = [named(row[0])[0] for row in PAGE.table("Attempts")]
    assert explained == list(AttemptOutcome)
