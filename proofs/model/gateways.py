"""The world outside: requests that travel, gateways that act on them, payers who pay or do not.

Assumed of gateways: a refusal is final, a closed page takes no new try, a look-up knows a try that
is under way. Not assumed: that anything arrives, in which order, or that a failure stays one.
"""

from collections.abc import Iterator

from proofs.model.rulings import World
from proofs.model.state import (
    MONEY,
    Attempt,
    Charge,
    Move,
    Sender,
    State,
    Word,
    charges_of,
    name,
    with_attempt,
    with_charge,
)
from services.payments.domain.attempts import Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Answer


def outside(world: World, state: State) -> Iterator[Move]:
    """Yield what may happen outside."""
    for index, charge in enumerate(state.charges):
        attempt = state.attempts[charge.attempt]
        if charge.word is Word.ON_ITS_WAY:
            yield from _arrivals(world, state, index)
        elif world.flow(attempt.route) is Flow.HOSTED:
            yield from _page(state, index)
        else:
            yield from _prompt(state, index)
        if charge.word is Word.DECLINED and state.surprises:
            late = f"the gateway turns the failure of {name(charge.attempt)} into a late success"
            yield late, _surprised(state, index, Word.PAID)
        if (
            charge.use is CaptureUse.SURPLUS
            and not charge.refunded
            and world.policy.returns_surplus
        ):
            back = f"the surplus on {name(charge.attempt)} is refunded"
            yield back, with_charge(state, index, charge._replace(refunded=True))


def answers(world: World, state: State, index: int) -> tuple[Answer, ...]:
    """Return what a look-up of an attempt may answer now; the first is what it says in the end."""
    words = {state.charges[each].word for each in charges_of(state, index)}
    hosted = world.flow(state.attempts[index].route) is Flow.HOSTED
    if words & MONEY:
        # A payment has been seen to stay invisible for a moment (Flutterwave contract, A3.4).
        return (Answer.SUCCEEDED, Answer.NOT_FOUND)
    if Word.TRYING in words:
        return (Answer.PENDING,)
    if Word.WAITING in words:
        # A page that nobody tried to pay on is not a transaction yet.
        return (Answer.NOT_FOUND,) if hosted else (Answer.PENDING, Answer.NOT_FOUND)
    return (Answer.FAILED,) if Word.DECLINED in words else (Answer.NOT_FOUND,)


def reply(world: World, state: State, index: int) -> Answer | None:
    """Return the reply to the creation of an attempt that may come in now, if any."""
    charge = state.charges[charges_of(state, index)[-1]]
    if charge.word in (Word.NOTHING, Word.ON_ITS_WAY):
        return None
    if charge.word is Word.REFUSED:
        return Answer.NOT_CREATED
    if world.flow(state.attempts[index].route) is Flow.HOSTED:
        return Answer.REQUIRES_ACTION
    return Answer.FAILED if charge.word is Word.DECLINED else Answer.PENDING


def can_take_money(world: World, state: State, index: int) -> bool:
    """Whether a payer can pay on a charge now, or is about to, without a gateway's surprise."""
    charge = state.charges[index]
    attempt = state.attempts[charge.attempt]
    if charge.word is Word.TRYING:
        return True
    if world.flow(attempt.route) is Flow.PROMPT:
        return charge.word in (Word.ON_ITS_WAY, Word.WAITING)
    return _page_open(charge, attempt) and charge.word not in MONEY


def closed(state: State, index: int) -> State:
    """Return the state once a gateway takes no new try on an attempt's page."""
    for each in charges_of(state, index):
        state = with_charge(state, each, state.charges[each]._replace(payable=False))
    return state


def _arrivals(world: World, state: State, index: int) -> Iterator[Move]:
    charge = state.charges[index]
    letter = name(charge.attempt)
    hosted = world.flow(state.attempts[charge.attempt].route) is Flow.HOSTED
    made = charge._replace(word=Word.WAITING, payable=True)
    what = "makes a page for it" if hosted else "puts a prompt on the phone"
    yield f"the request of {letter} arrives: the gateway {what}", with_charge(state, index, made)
    refused = charge._replace(word=Word.REFUSED)
    yield f"the request of {letter} arrives and is refused", with_charge(state, index, refused)
    lost = charge._replace(word=Word.NOTHING)
    yield f"the request of {letter} is lost on the way", with_charge(state, index, lost)


def _prompt(state: State, index: int) -> Iterator[Move]:
    charge = state.charges[index]
    if charge.word is not Word.WAITING:
        return
    letter = name(charge.attempt)
    yield f"the payer approves the prompt of {letter}", _now(state, index, Word.PAID)
    yield f"the payer declines the prompt of {letter}", _now(state, index, Word.DECLINED)
    if state.surprises:
        yield f"the payer pays too little on {letter}", _surprised(state, index, Word.SHORT)


def _page(state: State, index: int) -> Iterator[Move]:
    charge = state.charges[index]
    letter = name(charge.attempt)
    if charge.word is Word.TRYING:
        yield f"the payer's try on {letter} succeeds", _now(state, index, Word.PAID)
        yield f"the payer's try on {letter} fails", _now(state, index, Word.DECLINED)
        if state.surprises:
            yield f"the payer pays too little on {letter}", _surprised(state, index, Word.SHORT)
    if not _page_open(charge, state.attempts[charge.attempt]):
        return
    if charge.word in (Word.WAITING, Word.DECLINED):
        trying = with_charge(state, index, charge._replace(word=Word.TRYING))
        yield f"the payer begins to pay on the page of {letter}", trying
    elif charge.word in MONEY and state.surprises:
        again = Charge(attempt=charge.attempt, word=Word.PAID)
        twice = state._replace(charges=(*state.charges, again), surprises=state.surprises - 1)
        yield f"the payer pays a second time on the page of {letter}", twice


def _page_open(charge: Charge, attempt: Attempt) -> bool:
    return charge.payable and attempt.delivered


def _now(state: State, index: int, word: Word) -> State:
    return with_charge(state, index, state.charges[index]._replace(word=word))


def _surprised(state: State, index: int, word: Word) -> State:
    return _now(state, index, word)._replace(surprises=state.surprises - 1)


def on_its_way(state: State, index: int) -> State:
    """Return the state once the request of an attempt has left."""
    each = charges_of(state, index)[-1]
    state = with_charge(state, each, state.charges[each]._replace(word=Word.ON_ITS_WAY))
    return with_attempt(state, index, state.attempts[index]._replace(sender=Sender.WAITING))
