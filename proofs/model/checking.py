"""Asking gateways and applying what they say, with any delay in between.

Stands for services.payments.operations.ask_gateway and check_attempt. A finding that can change
nothing any more is dropped at once, which leaves out only steps without effect.
"""

from collections.abc import Iterator

from proofs.model.gateways import answers, closed
from proofs.model.rulings import Found, World
from proofs.model.sending import moved
from proofs.model.state import (
    MONEY,
    Attempt,
    Handler,
    Kind,
    Move,
    Otp,
    Seen,
    State,
    Step,
    Word,
    charges_of,
    going_on,
    name,
    with_attempt,
    with_charge,
    with_handler,
    with_payment,
)
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.evidence import Answer, Evidence

# What a handler found, as a story tells it, and its next step; None when it is done.
Next = tuple[str, Handler | None]


def checking(world: World, state: State) -> Iterator[Move]:
    """Yield the steps of look-ups: their beginning, and what those under way do next."""
    for handler in state.handlers:
        if handler.step is not Step.RECORD:
            yield from advance(world, state, handler)
    if len(state.handlers) >= world.scenario.handlers:
        return
    for index, attempt in enumerate(state.attempts):
        if attempt.due and attempt.outcome is not AttemptOutcome.SENDING:
            yield from _claimed(world, state, index)
        yield from _hinted(world, state, index)


def advance(world: World, state: State, handler: Handler) -> Iterator[Move]:
    """Yield what a handler may do next; the first is what it does when nothing goes wrong."""
    if handler.step is Step.APPLY:
        after = going_on(_recorded(world, state, handler), handler, _finally(handler))
        yield f"{_who(handler)} records {handler.evidence}", after
    elif handler.step is Step.CLOSE:
        yield from _close(world, state, handler)
    else:
        for found, then in _asked(world, state, handler):
            yield f"{_who(handler)} asks: {found}", going_on(state, handler, then)


def settled(world: World, state: State, index: int) -> State:
    """Return the state after a worker's complete check of an attempt, when nothing goes wrong."""
    _, state = next(_claimed(world, state, index))
    while state.handlers:
        _, state = next(advance(world, state, state.handlers[0]))
    return state


def bought(state: State) -> bool:
    """Whether the member has what all the payments are for."""
    return any(payment.granted for payment in state.payments)


def _who(handler: Handler) -> str:
    who = {
        Kind.WORKER: "the worker" if handler.leased else "the worker that lost its lease",
        Kind.HINT: "the handler of a callback",
        Kind.CANCEL: "the cancellation",
        Kind.RETRY: "the new try",
    }
    return f"{who[handler.kind]} (about {name(handler.attempt)})"


def _finally(handler: Handler) -> Handler | None:
    """Return what follows a check: the member's wish is recorded, all else is done."""
    wished = handler.kind in (Kind.CANCEL, Kind.RETRY)
    return handler._replace(step=Step.RECORD, evidence=Evidence.NO_NEWS) if wished else None


def _claimed(world: World, state: State, index: int) -> Iterator[Move]:
    """Yield how a worker leases an attempt and asks; who held the lease before is fenced off."""
    if state.handlers:
        state = _fenced(state, index)
    worker = Handler(kind=Kind.WORKER, attempt=index, step=Step.ASK)
    for story, then in _asked(world, state, worker):
        after = with_handler(state, then) if then else state
        yield f"a worker claims {name(index)} and asks: {story}", after


def _fenced(state: State, index: int) -> State:
    """Return the state once every earlier lease of an attempt is void."""
    handlers = (
        each._replace(leased=False) if (each.kind, each.attempt) == (Kind.WORKER, index) else each
        for each in state.handlers
    )
    return state._replace(handlers=tuple(sorted(handlers)))


def _hinted(world: World, state: State, index: int) -> Iterator[Move]:
    """Yield how a callback, true or forged, has the gateway asked; or the member, coming back."""
    hint = Handler(kind=Kind.HINT, attempt=index, step=Step.ASK)
    story = f"a callback about {name(index)} comes in"
    if not world.policy.asks_before_it_grants:
        believed = hint._replace(step=Step.APPLY, evidence=Evidence.PAID)
        yield f"{story} and is believed", with_handler(state, believed)
        return
    if state.attempts[index].outcome is AttemptOutcome.SENDING:
        # Its attempt is read now; the gateway may be asked when the creation is on record.
        yield story, with_handler(state, hint._replace(seen=Seen.SENDING))
        return
    for found, then in _asked(world, state, hint):
        if then:
            yield f"{story}, and the gateway is asked: {found}", with_handler(state, then)


def _asked(world: World, state: State, handler: Handler) -> Iterator[Next]:
    """Yield what a gateway may answer, and what the handler does then."""
    attempt = state.attempts[handler.attempt]
    hosted = world.flow(attempt.route) is Flow.HOSTED
    live = attempt.outcome is AttemptOutcome.LIVE and handler.seen is Seen.SENT
    if live and attempt.awaits_otp:
        yield "the password is awaited", _finally(handler)
        lapsed = handler._replace(seen=Seen.AWAITING_OTP)
        yield "the password did not come in time", _applying(state, lapsed, Evidence.EXPIRED)
        return
    for answer in answers(world, state, handler.attempt):
        evidence = world.policy.rules.look_up[answer]
        if handler.step is Step.ASK_AGAIN:
            over = answer in (Answer.NOT_FOUND, Answer.FAILED)
            evidence = handler.evidence if over else evidence
            yield answer, _unless_paying(answer, handler, _applying(state, handler, evidence))
        elif hosted and live:
            yield from _about_page(world, state, handler, answer)
        else:
            yield answer, _unless_paying(answer, handler, _applying(state, handler, evidence))
            if answer is Answer.NOT_FOUND and attempt.outcome is AttemptOutcome.UNKNOWN:
                absent = handler._replace(step=Step.APPLY, evidence=Evidence.ABSENT)
                yield "not found, three times and after the quiet time", absent


def _about_page(world: World, state: State, handler: Handler, answer: Answer) -> Iterator[Next]:
    """Yield what follows an answer about an open page: it is closed before its attempt ends."""
    closing = handler._replace(step=Step.CLOSE)
    evidence = world.policy.rules.look_up[answer]
    if evidence is Evidence.REJECTED and world.policy.closes_failed_links:
        yield answer, closing._replace(evidence=evidence)
    elif answer is not Answer.NOT_FOUND:
        yield answer, _unless_paying(answer, handler, _applying(state, handler, evidence))
    elif not state.payments[state.attempts[handler.attempt].payment].open or bought(state):
        yield "nobody pays on a page that is not needed", closing._replace(evidence=Evidence.CLOSED)
    else:
        yield "nobody pays yet", _applying(state, handler, evidence)
        step = Step.CLOSE if world.policy.asks_before_it_expires else Step.APPLY
        yield "nobody paid in time", handler._replace(step=step, evidence=Evidence.EXPIRED)


def _unless_paying(answer: Answer, handler: Handler, then: Handler | None) -> Handler | None:
    """Refuse what the member wishes while the payer is paying, or has a prompt after all."""
    wished = handler.kind in (Kind.CANCEL, Kind.RETRY)
    return None if wished and answer is Answer.PENDING else then


def _applying(state: State, handler: Handler, evidence: Evidence) -> Handler | None:
    """Return the handler with its finding; one that can change nothing is left out."""
    outcome = state.attempts[handler.attempt].outcome
    undecided = outcome in (AttemptOutcome.SENDING, AttemptOutcome.UNKNOWN)
    if evidence is Evidence.NO_NEWS or (evidence is Evidence.LIVE and not undecided):
        return _finally(handler)
    return handler._replace(step=Step.APPLY, evidence=evidence)


def _close(world: World, state: State, handler: Handler) -> Iterator[Move]:
    """Have a page closed; without the gateway's acknowledgement the attempt stays what it was."""
    letter, wished = name(handler.attempt), handler.evidence is Evidence.NO_NEWS
    asks = world.policy.asks_again_after_closing or handler.evidence is not Evidence.REJECTED
    acknowledged = handler._replace(step=Step.ASK_AGAIN if asks else Step.APPLY)
    refused = None if wished else _finally(handler)
    if wished:
        acknowledged = handler._replace(step=Step.ASK)
        careless = handler.kind is Kind.CANCEL and not world.policy.cancels_on_acknowledgement
        refused = acknowledged if careless else None
    shut = closed(state, handler.attempt)
    yield f"the gateway closes the page of {letter}", going_on(shut, handler, acknowledged)
    lost = f"the gateway closes the page of {letter}, but its word is lost"
    yield lost, going_on(shut, handler, refused)
    yield f"the gateway does not close the page of {letter}", going_on(state, handler, refused)


def _recorded(world: World, state: State, handler: Handler) -> State:
    """Return the state after a handler's unit of work; a lost lease makes it nothing."""
    stale = handler.kind is Kind.WORKER and not handler.leased
    if stale and world.policy.fences_workers:
        return state
    after = _applied(world, state, handler)
    if stale and after != state:
        return after._replace(breach="P6: a worker that had lost its lease changed the record")
    return after


def _applied(world: World, state: State, handler: Handler) -> State:
    index, evidence = handler.attempt, _still_true(world, state, handler)
    if evidence is not Evidence.PAID:
        return _judged(world, state, index, evidence, charges_of(state, index)[0])
    for each in charges_of(state, index):
        charge = state.charges[each]
        believed = charge.word in MONEY or not world.policy.asks_before_it_grants
        if charge.use is None and believed:
            state = _judged(world, state, index, evidence, each)
    return state


def _still_true(world: World, state: State, handler: Handler) -> Evidence:
    """Return what a finding still says after what happened meanwhile."""
    attempt, evidence = state.attempts[handler.attempt], handler.evidence
    if evidence is Evidence.ABSENT and attempt.outcome is not AttemptOutcome.UNKNOWN:
        return Evidence.NO_NEWS
    if evidence is Evidence.REJECTED and handler.seen is Seen.SENDING and attempt.delivered:
        # Its page was delivered meanwhile and has to be closed first.
        return Evidence.LIVE
    entered = attempt.otp is Otp.ENTERED and handler.seen is Seen.AWAITING_OTP
    noticed = world.policy.notices_an_entered_password or attempt.outcome is AttemptOutcome.SENDING
    return Evidence.NO_NEWS if entered and noticed else evidence


def _judged(world: World, state: State, index: int, evidence: Evidence, each: int) -> State:
    """Return the state after the product's ruling about an attempt and one of its charges."""
    attempt, charge = state.attempts[index], state.charges[each]
    payment = state.payments[attempt.payment]
    ruled = world.ruling(
        Found(
            status=payment.status,
            held=payment.held,
            outcome=attempt.outcome,
            flow=world.flow(attempt.route),
            evidence=evidence,
            short=charge.word is Word.SHORT,
            elsewhere=bought(state),
        )
    )
    state = moved(world, state, attempt.payment, tuple(status for _, status in ruled.path))
    payment = state.payments[attempt.payment]
    payment = payment._replace(held=ruled.held, granted=payment.granted or ruled.grants)
    state = with_payment(state, attempt.payment, payment)
    state = with_charge(state, each, charge._replace(use=ruled.use or charge.use))
    absent = attempt.absent or evidence is Evidence.ABSENT
    changed = attempt._replace(outcome=ruled.outcome, absent=absent)
    return with_attempt(state, index, rescheduled(world, changed))


def rescheduled(world: World, attempt: Attempt) -> Attempt:
    """Keep looking at a paid page, for a second success; a paid prompt is over."""
    if attempt.outcome is not AttemptOutcome.SUCCEEDED:
        return attempt
    return attempt._replace(due=world.flow(attempt.route) is Flow.HOSTED)
