"""What staff may decide about money that is held: it buys the tier after all, or it goes back.

Stands for services.payments.operations.resolve_review.
"""

from collections.abc import Iterator

from proofs.model.checking import bought, rescheduled
from proofs.model.rulings import World
from proofs.model.sending import moved
from proofs.model.state import (
    Move,
    State,
    with_attempt,
    with_charge,
    with_payment,
)
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.ruling import COMPLETABLE
from services.payments.domain.states import PaymentStatus


def deciding(world: World, state: State) -> Iterator[Move]:
    """Yield what staff may decide about held money."""
    for number, payment in enumerate(state.payments):
        held = _held(state, number)
        if not held:
            continue
        yield "staff send the held money back", _sent_back(world, state, number, held)
        if payment.status in COMPLETABLE and not bought(state):
            yield "staff grant the tier for the held money", _granted(world, state, number, held)


def _held(state: State, number: int) -> list[int]:
    return [
        index
        for index, charge in enumerate(state.charges)
        if charge.use is CaptureUse.HELD and state.attempts[charge.attempt].payment == number
    ]


def _granted(world: World, state: State, number: int, held: list[int]) -> State:
    """Let the newest held money buy the tier; any other goes back."""
    *others, chosen = held
    state = _returned(world, state, others)
    kept = state.charges[chosen]._replace(use=CaptureUse.KEPT, vouched=True)
    state = _taken(world, with_charge(state, chosen, kept), chosen)
    path: tuple[PaymentStatus, ...] = (PaymentStatus.COMPLETED,)
    if state.payments[number].status is PaymentStatus.PENDING:
        path = (PaymentStatus.PROCESSING, *path)
    state = moved(world, state, number, path)
    return with_payment(state, number, state.payments[number]._replace(held=False, granted=True))


def _sent_back(world: World, state: State, number: int, held: list[int]) -> State:
    """Fail an open payment, unless the member can still pay it on another attempt."""
    state = _returned(world, state, held)
    payment = state.payments[number]._replace(held=False)
    state = with_payment(state, number, payment)
    alive = any(each.payment == number and each.unsettled for each in state.attempts)
    if not payment.open or (alive and world.policy.keeps_open_what_is_payable):
        return state
    return moved(world, state, number, (PaymentStatus.FAILED,))


def _returned(world: World, state: State, held: list[int]) -> State:
    for index in held:
        surplus = state.charges[index]._replace(use=CaptureUse.SURPLUS)
        state = _taken(world, with_charge(state, index, surplus), index)
    return state


def _taken(world: World, state: State, index: int) -> State:
    """End an attempt whose money was decided about."""
    number = state.charges[index].attempt
    taken = state.attempts[number]._replace(outcome=AttemptOutcome.SUCCEEDED)
    return with_attempt(state, number, rescheduled(world, taken))
