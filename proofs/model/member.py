"""What the member may want: another payment for the same thing, to pay otherwise, to cancel.

Stands for services.payments.operations.create_payment, cancel_payment, retry_payment and
submit_action.
"""

from collections.abc import Iterator

from proofs.model.checking import bought
from proofs.model.rulings import World
from proofs.model.sending import begin, moved
from proofs.model.state import (
    Attempt,
    Handler,
    Kind,
    Move,
    Otp,
    Payment,
    Seen,
    Sender,
    State,
    Step,
    going_on,
    name,
    with_attempt,
    with_handler,
)
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.states import PaymentStatus

_OVER = frozenset({PaymentStatus.FAILED, PaymentStatus.EXPIRED})


def wishing(world: World, state: State) -> Iterator[Move]:
    """Yield what the member may ask for, and what becomes of what was asked for before."""
    for handler in state.handlers:
        if handler.step is Step.RECORD:
            yield from _record(world, state, handler)
    if not _full(world, state):
        yield from _second_payment(world, state)
    room = state.wishes and len(state.handlers) < world.scenario.handlers
    for index, attempt in enumerate(state.attempts):
        if attempt.awaits_otp:
            yield from _password(state, index)
        if room:
            yield from _cancel_or_switch(world, state, index)
            yield from _try_again(world, state, index)


def _second_payment(world: World, state: State) -> Iterator[Move]:
    if len(state.payments) >= world.scenario.payments or bought(state):
        return
    if world.policy.one_open_payment and any(payment.open for payment in state.payments):
        return
    added = state._replace(payments=(*state.payments, Payment()))
    begun = begin(added, Attempt(payment=len(state.payments), route=0))
    yield f"the member begins a second payment, with {name(len(state.attempts))}", begun


def _password(state: State, index: int) -> Iterator[Move]:
    attempt = state.attempts[index]
    if state.payments[attempt.payment].status is not PaymentStatus.PROCESSING:
        return
    entered = attempt._replace(
        outcome=AttemptOutcome.SENDING, otp=Otp.ENTERED, sender=Sender.READY, due=True
    )
    yield f"the member enters the password of {name(index)}", with_attempt(state, index, entered)


def _cancel_or_switch(world: World, state: State, index: int) -> Iterator[Move]:
    """Yield what can be withdrawn: a live page, or what awaits a password, but no prompt."""
    attempt = state.attempts[index]
    payment = state.payments[attempt.payment]
    page = world.flow(attempt.route) is Flow.HOSTED and attempt.outcome is AttemptOutcome.LIVE
    if not (page or attempt.awaits_otp) or not payment.open or payment.held:
        return
    cancel = Handler(kind=Kind.CANCEL, attempt=index, step=Step.CLOSE)
    if attempt.awaits_otp:
        # The gateway has nothing that could be paid, so there is nothing to close.
        cancel = cancel._replace(step=Step.RECORD, seen=Seen.AWAITING_OTP)
    wished = state._replace(wishes=state.wishes - 1)
    yield f"the member cancels {name(index)}", with_handler(wished, cancel)
    if not _full(world, state):
        switched = with_handler(wished, cancel._replace(kind=Kind.RETRY))
        yield f"the member wants to pay otherwise than with {name(index)}", switched


def _try_again(world: World, state: State, index: int) -> Iterator[Move]:
    """Yield the wish for another attempt; the newest one is asked about before it begins."""
    number = state.attempts[index].payment
    newest = max(at for at, each in enumerate(state.attempts) if each.payment == number)
    payment = state.payments[number]
    if index != newest or payment.status not in _OVER or payment.held or _full(world, state):
        return
    step = Step.ASK if state.attempts[index].due else Step.RECORD
    retry = Handler(kind=Kind.RETRY, attempt=index, step=step)
    wished = state._replace(wishes=state.wishes - 1)
    yield f"the member tries again after {name(index)}", with_handler(wished, retry)


def _record(world: World, state: State, handler: Handler) -> Iterator[Move]:
    state = going_on(state, handler, None)
    if handler.kind is Kind.CANCEL:
        yield "the cancellation is recorded", _cancelled(world, state, handler)
        return
    for route in range(len(world.scenario.flows)):
        story = f"the new try is recorded, with {name(len(state.attempts))}"
        yield story, _retried(world, state, handler, route)


def _cancelled(world: World, state: State, handler: Handler) -> State:
    number = state.attempts[handler.attempt].payment
    payment = state.payments[number]
    if not payment.open or payment.held or not _only_what_was_closed(world, state, handler):
        return state
    return moved(world, _given_up(state, number), number, (PaymentStatus.CANCELLED,))


def _retried(world: World, state: State, handler: Handler, route: int) -> State:
    before = state.attempts[handler.attempt]
    number = before.payment
    payment = state.payments[number]
    others = [each for each in state.payments if each is not payment]
    taken = world.policy.one_open_payment and any(each.open for each in others)
    if _full(world, state) or payment.held or bought(state) or taken:
        return state
    if world.policy.one_unsettled_attempt:
        retryable = payment.status in (*_OVER, PaymentStatus.PROCESSING)
        if not retryable or not _only_what_was_closed(world, state, handler):
            return state
        state = _given_up(state, number)
    if state.payments[number].status in _OVER:
        state = moved(world, state, number, (PaymentStatus.PROCESSING,))
    return begin(state, Attempt(payment=number, route=route, round=before.round + 1))


def _only_what_was_closed(world: World, state: State, handler: Handler) -> bool:
    """Whether nothing would be given up but the attempt that was closed, as it was then."""
    number = state.attempts[handler.attempt].payment
    changed = handler.seen is Seen.AWAITING_OTP and not _awaits_still(world, state, handler)
    others = any(index != handler.attempt for index in _unsettled(state, number))
    return not (changed or (others and world.policy.gives_up_only_what_it_closed))


def _awaits_still(world: World, state: State, handler: Handler) -> bool:
    attempt = state.attempts[handler.attempt]
    if world.policy.notices_an_entered_password:
        return attempt.otp is Otp.AWAITED
    return attempt.outcome is AttemptOutcome.LIVE


def _given_up(state: State, number: int) -> State:
    for index in _unsettled(state, number):
        cancelled = state.attempts[index]._replace(outcome=AttemptOutcome.CANCELLED)
        state = with_attempt(state, index, cancelled)
    return state


def _unsettled(state: State, number: int) -> list[int]:
    return [
        index
        for index, attempt in enumerate(state.attempts)
        if attempt.payment == number and attempt.unsettled
    ]


def _full(world: World, state: State) -> bool:
    return len(state.attempts) >= world.scenario.attempts
