"""Look-ups may arrive in any order and any number: the end is the same, and one grant at most."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse, Taken
from services.payments.domain.evidence import SAFE_RULES, Answer, Evidence
from services.payments.domain.payment import NextAction, Payment
from services.payments.domain.ruling import judge
from services.payments.domain.states import PaymentStatus
from tests.unit.factories import NOW, PRICE, make_attempt, make_payment, make_report

# A busy machine is no reason to fail.
search = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANSWERS = (
    Answer.SUCCEEDED,
    Answer.FAILED,
    Answer.PENDING,
    Answer.REQUIRES_ACTION,
    Answer.NOT_FOUND,
    Answer.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A payment with its attempts; `takes`: what each attempt takes if it succeeds."""

    payment: Payment
    attempts: tuple[Attempt, ...]
    takes: tuple[Money, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A look-up of one attempt and what the gateway answers."""

    attempt: int
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What is left when all look-ups are applied; `surplus`: what goes back, in total."""

    status: PaymentStatus
    next_action: NextAction
    outcomes: tuple[AttemptOutcome, ...]
    grants: int
    surplus: int


def apply(start: Start, facts: Sequence[Fact]) -> End:
    payment, attempts = start.payment, list(start.attempts)
    captured: dict[int, Taken] = {}
    for fact in facts:
        attempt = attempts[fact.attempt]
        report = make_report(attempt, fact.answer, amount=start.takes[fact.attempt])
        evidence = SAFE_RULES.look_up[fact.answer]
        if evidence is Evidence.PAID and fact.attempt in captured:
            # The same transaction again is on record already.
            evidence = Evidence.NO_NEWS
        settled = judge(payment, attempt, evidence, report, NOW)
        payment, attempts[fact.attempt] = settled.payment, settled.attempt
        if settled.taken is not None:
            captured[fact.attempt] = settled.taken
    return End(
        status=payment.status,
        next_action=payment.next_action,
        outcomes=tuple(attempt.outcome for attempt in attempts),
        grants=sum(taken.use is CaptureUse.KEPT for taken in captured.values()),
        surplus=sum(taken.excess.minor for taken in captured.values()),
    )


@st.composite
def starts(draw: st.DrawFn) -> Start:
    """Draw a payment whose attempts are as the database allows: at most the last is unsettled."""
    earlier = draw(st.lists(st.sampled_from(["rejected", "undelivered"]), max_size=2))
    status = draw(st.sampled_from(["pending", "processing", "failed", "expired", "cancelled"]))
    unsettled = ["sending", "live", "unknown"]
    last = {"pending": unsettled, "processing": unsettled, "cancelled": ["cancelled"]}
    outcomes = [*earlier, draw(st.sampled_from(last.get(status, ["rejected", "undelivered"])))]
    attempts = tuple(
        make_attempt(
            id=UUID(int=100 + number),
            number=number,
            reference=f"cp000{number}",
            outcome=AttemptOutcome(outcome),
            flow=draw(st.sampled_from(Flow)),
        )
        for number, outcome in enumerate(outcomes, start=1)
    )
    extras = st.sampled_from([0, 0, 1, 35_000])
    takes = tuple(PRICE + Money("UGX", draw(extras)) for _ in attempts)
    payment = make_payment(status=PaymentStatus(status))
    return Start(payment=payment, attempts=attempts, takes=takes)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Start, list[Fact], list[Fact]]:
    """Draw a start, look-ups of it, and the same look-ups in another order, some of them twice."""
    start = draw(starts())
    which = st.integers(0, len(start.attempts) - 1)
    fact = st.builds(Fact, attempt=which, answer=st.sampled_from(ANSWERS))
    facts = draw(st.lists(fact, max_size=5))
    again = draw(st.lists(st.sampled_from(facts), max_size=3)) if facts else []
    return start, facts, draw(st.permutations(facts + again))


@search
@given(histories())
def test_every_order_of_the_same_look_ups_ends_the_same(
    history: tuple[Start, list[Fact], list[Fact]],
) -> None:
    start, facts, reordered = history
    assert apply(start, facts) == apply(start, reordered)


@search
@given(histories())
def test_one_payment_grants_at_most_once_and_all_money_has_an_effect(
    history: tuple[Start, list[Fact], list[Fact]],
) -> None:
    start, _, facts = history
    end = apply(start, facts)
    paid = {fact.attempt for fact in facts if fact.answer is Answer.SUCCEEDED}
    needed = bool(paid) and start.payment.status != "cancelled"
    assert end.grants == needed
    assert (end.status == "completed") is needed
    assert end.surplus == sum(start.takes[each].minor for each in paid) - needed * PRICE.minor


@search
@given(histories())
def test_a_completed_payment_is_left_alone_by_everything_that_is_found_later(
    history: tuple[Start, list[Fact], list[Fact]],
) -> None:
    start, facts, _ = history
    completed = replace(
        start, payment=replace(start.payment, status=PaymentStatus.COMPLETED, completed_at=NOW)
    )
    end = apply(completed, facts)
    assert (end.status, end.next_action) == ("completed", completed.payment.next_action)
    assert end.grants == 0
