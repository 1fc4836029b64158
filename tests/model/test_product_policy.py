"""The product's own tables keep every promise, in every order of events within small bounds."""

import pytest

from proofs.model.explorer import Exploration, explore
from proofs.model.policy import SAFE
from proofs.model.rulings import World
from proofs.model.scenarios import QUICK, Scenario
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import ALLOWS_FALLBACK, SAFE_RULES
from services.payments.domain.ruling import judge
from services.payments.domain.states import TRANSITIONS, PaymentStatus

# What only refunds and disputes lead to is not modelled.
_AFTER_COMPLETION = {
    PaymentStatus.PARTIALLY_REFUNDED,
    PaymentStatus.REFUNDED,
    PaymentStatus.DISPUTED,
    PaymentStatus.CHARGED_BACK,
}


@pytest.fixture(scope="module")
def explored() -> dict[str, Exploration]:
    return {scenario.name: explore(World(SAFE, scenario)) for scenario in QUICK}


@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
def test_no_order_of_events_breaks_a_promise(
    explored: dict[str, Exploration], scenario: Scenario
) -> None:
    found = explored[scenario.name]
    assert found.breach == "", "\n".join(found.story)
    assert found.states > 1000


def test_every_outcome_of_an_attempt_is_reached(explored: dict[str, Exploration]) -> None:
    reached = frozenset().union(*(found.outcomes for found in explored.values()))
    assert reached == set(AttemptOutcome)


def test_every_status_that_attempts_can_lead_to_is_reached(
    explored: dict[str, Exploration],
) -> None:
    reached = frozenset().union(*(found.statuses for found in explored.values()))
    assert reached == set(PaymentStatus) - _AFTER_COMPLETION


def test_the_model_decides_by_the_products_own_tables() -> None:
    assert SAFE.rules is SAFE_RULES
    assert SAFE.take_over_rules is SAFE_RULES
    assert SAFE.transitions is TRANSITIONS
    assert SAFE.allows_fallback is ALLOWS_FALLBACK
    assert SAFE.judge is judge


def test_the_same_bounds_are_explored_in_the_same_way_again(
    explored: dict[str, Exploration],
) -> None:
    again = explore(World(SAFE, QUICK[1]))
    assert again == explored[QUICK[1].name]
