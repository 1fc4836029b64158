"""Sending attempts: creation, its lost and late replies, fallback, crash and take-over.

Stands for services.payments.operations.send_attempts and take_over_attempt.
"""

from collections.abc import Iterator

from proofs.model.gateways import on_its_way, reply
from proofs.model.rulings import Tried, World
from proofs.model.state import (
    Attempt,
    Charge,
    Move,
    Otp,
    Sender,
    State,
    Word,
    name,
    with_attempt,
    with_payment,
)
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.evidence import Answer, Evidence, outcome_after
from services.payments.domain.states import PaymentStatus

# Nothing is on record at the gateway, so there is nothing to ask about.
_NOTHING_TO_ASK = frozenset({Answer.NOT_SENT, Answer.NOT_CREATED})


def sending(world: World, state: State) -> Iterator[Move]:
    """Yield what the processes that send attempts may do, and what becomes of the stopped ones."""
    for index, attempt in enumerate(state.attempts):
        if attempt.sender is Sender.READY:
            yield from _send(world, state, index)
        elif attempt.sender is Sender.WAITING:
            yield from _wait(world, state, index)
        if attempt.outcome is AttemptOutcome.SENDING:
            yield _take_over(world, state, index)


def begin(state: State, attempt: Attempt) -> State:
    """Return the state with a new attempt on record."""
    return state._replace(
        attempts=(*state.attempts, attempt),
        charges=(*state.charges, Charge(attempt=len(state.attempts))),
    )


def moved(world: World, state: State, index: int, path: tuple[PaymentStatus, ...]) -> State:
    """Return the state after a payment's moves; a move that the table does not know is a breach."""
    payment = state.payments[index]
    for status in path:
        if status not in world.policy.transitions[payment.status]:
            return state._replace(breach=f"P7: a payment moved from {payment.status} to {status}")
        payment = payment._replace(status=status)
    return with_payment(state, index, payment)


def _send(world: World, state: State, index: int) -> Iterator[Move]:
    letter = name(index)
    attempt = state.attempts[index]
    prompt = world.flow(attempt.route) is Flow.PROMPT
    if world.scenario.passwords and prompt and attempt.otp is Otp.NONE:
        asked = _recorded(world, state, index, Answer.REQUIRES_ACTION)
        if asked.attempts[index].outcome is AttemptOutcome.LIVE:
            asked = _awaiting(asked, index)
        yield f"the gateway of {letter} asks for a one-time password", asked
        yield f"{letter} times out", _recorded(world, state, index, Answer.UNKNOWN)
    else:
        yield f"the request of {letter} leaves", on_its_way(state, index)
    unreachable = f"the gateway of {letter} cannot be reached: nothing was sent"
    yield unreachable, _answered(world, state, index, Answer.NOT_SENT)
    yield f"the process stops before it sends {letter}", _stopped(state, index)


def _wait(world: World, state: State, index: int) -> Iterator[Move]:
    letter = name(index)
    answer = reply(world, state, index)
    if answer is not None:
        story = f"the reply to {letter} comes in: {answer}"
        yield story, _answered(world, state, index, answer)
    yield f"{letter} times out", _recorded(world, state, index, Answer.UNKNOWN)
    yield f"the process that sends {letter} stops", _stopped(state, index)


def _answered(world: World, state: State, index: int, answer: Answer) -> State:
    """Await a password again that did not get there or was wrong; else record the answer."""
    attempt = state.attempts[index]
    again = attempt.otp is Otp.ENTERED and attempt.outcome is AttemptOutcome.SENDING
    if again and answer in _NOTHING_TO_ASK:
        return _awaiting(state, index)
    return _recorded(world, state, index, answer)


def _awaiting(state: State, index: int) -> State:
    attempt = state.attempts[index]._replace(
        outcome=AttemptOutcome.LIVE, otp=Otp.AWAITED, sender=Sender.GONE
    )
    return with_attempt(state, index, attempt)


def _stopped(state: State, index: int) -> State:
    return with_attempt(state, index, state.attempts[index]._replace(sender=Sender.GONE))


def _take_over(world: World, state: State, index: int) -> Move:
    """Return how a worker decides an attempt whose process stopped, or only seems to have."""
    story = f"a worker takes {name(index)} over"
    attempt = state.attempts[index]
    if not world.policy.gives_up_on_take_over:
        again = Charge(attempt=index, word=Word.ON_ITS_WAY)
        sent = attempt._replace(sender=Sender.WAITING)
        resent = with_attempt(state, index, sent)._replace(charges=(*state.charges, again))
        return f"{story} and sends it again", resent
    decided = _recorded(world, state, index, Answer.UNKNOWN, interrupted=True)
    if attempt.sender is Sender.READY:
        # The process that was taken for stopped may still send it.
        slow = decided.attempts[index]._replace(sender=Sender.READY)
        decided = with_attempt(decided, index, slow)
    return story, decided


def _recorded(
    world: World, state: State, index: int, answer: Answer, *, interrupted: bool = False
) -> State:
    """Return the state once the outcome of sending is on record, with the next attempt if any."""
    attempt = state.attempts[index]._replace(sender=Sender.GONE)
    state = with_attempt(state, index, attempt)
    if attempt.outcome is not AttemptOutcome.SENDING:
        # Somebody else has decided about it meanwhile: its link is not delivered.
        return state
    payment = state.payments[attempt.payment]
    rules = world.policy.take_over_rules if interrupted else world.policy.rules
    evidence = rules.creation[answer][world.flow(attempt.route)]
    if payment.held:
        # Once money was found that does not fit, nothing starts before staff have decided.
        evidence = Evidence.UNKNOWN
    decided = attempt._replace(
        outcome=outcome_after(evidence, attempt.outcome),
        due=_is_asked_about(world, evidence, answer),
        interrupted=interrupted,
        delivered=evidence is Evidence.LIVE,
    )
    state = with_attempt(state, index, decided)
    if not payment.open:
        return state
    if evidence in world.policy.allows_fallback:
        return _fallen_back(world, state, decided)
    if payment.status is PaymentStatus.PENDING:
        return moved(world, state, decided.payment, (PaymentStatus.PROCESSING,))
    return state


def _is_asked_about(world: World, evidence: Evidence, answer: Answer) -> bool:
    if evidence is Evidence.UNKNOWN:
        return world.policy.asks_until_settled
    declined = answer is Answer.FAILED and not world.policy.keeps_asking_after_a_decline
    return not (declined or answer in _NOTHING_TO_ASK)


def _fallen_back(world: World, state: State, failed: Attempt) -> State:
    tried = tuple(
        Tried(each.route, each.round, each.outcome, each.due, each.interrupted)
        for each in state.attempts
        if each.payment == failed.payment
    )
    route = world.next_route(tried)
    room = len(state.attempts) < world.scenario.attempts
    # Once the member is at a gateway, no other is tried from there.
    if route is not None and room and failed.otp is Otp.NONE:
        return begin(state, Attempt(payment=failed.payment, route=route, round=failed.round))
    return moved(world, state, failed.payment, (PaymentStatus.FAILED,))
