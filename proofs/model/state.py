"""What the model keeps track of: our records, the gateways' truth, and who is doing what."""

from enum import StrEnum
from typing import NamedTuple, TypeVar

from services.payments.domain.attempts import UNSETTLED_OUTCOMES, AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.evidence import Evidence
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus

ItemT = TypeVar("ItemT")


class Word(StrEnum):
    """What a gateway knows about a charge.

    NOTHING: never heard of it. ON_ITS_WAY: the request may still arrive. REFUSED: it arrived and
    made nothing. WAITING: the payer can act. TRYING: a payer's try is under way. SHORT: too little
    was paid.
    """

    NOTHING = "nothing"
    ON_ITS_WAY = "on_its_way"
    REFUSED = "refused"
    WAITING = "waiting"
    TRYING = "trying"
    DECLINED = "declined"
    PAID = "paid"
    SHORT = "short"


MONEY = frozenset({Word.PAID, Word.SHORT})


class Sender(StrEnum):
    """How far the process is that sends an attempt. GONE: it is done, or it stopped."""

    READY = "ready"
    WAITING = "waiting"
    GONE = "gone"


class Otp(StrEnum):
    """Where an attempt's one-time password is: not needed, not yet entered, or handed in."""

    NONE = "none"
    AWAITED = "awaited"
    ENTERED = "entered"


class Payment(NamedTuple):
    """One payment on record; all payments of a model are for the same thing."""

    status: PaymentStatus = PaymentStatus.PENDING
    held: bool = False
    granted: bool = False

    @property
    def open(self) -> bool:
        """Whether it may still be paid in the normal course."""
        return self.status in OPEN_STATUSES


class Attempt(NamedTuple):
    """One attempt on record.

    `route`: index of its gateway. `due`: a worker will ask about it. `delivered`: its link was
    handed out. `absent`: it was given up after the quiet time, with its money's refund armed.
    """

    payment: int
    route: int
    round: int = 1
    outcome: AttemptOutcome = AttemptOutcome.SENDING
    due: bool = True
    interrupted: bool = False
    delivered: bool = False
    absent: bool = False
    otp: Otp = Otp.NONE
    sender: Sender = Sender.READY

    @property
    def unsettled(self) -> bool:
        """Whether our record says that it may still take money."""
        return self.outcome in UNSETTLED_OUTCOMES

    @property
    def awaits_otp(self) -> bool:
        """Whether nothing can be paid before the member enters the password."""
        return self.otp is Otp.AWAITED and self.outcome is AttemptOutcome.LIVE


class Charge(NamedTuple):
    """What one gateway has under the reference of an attempt, and what we recorded of its money.

    `payable`: the gateway takes a payer's next try. `use`: None while the money is not on record.
    `vouched`: staff took what was held for enough.
    """

    attempt: int
    word: Word = Word.NOTHING
    payable: bool = False
    use: CaptureUse | None = None
    vouched: bool = False
    refunded: bool = False


class Kind(StrEnum):
    """Who handles an attempt: a worker with a lease, a callback's hint, or the member's wish."""

    WORKER = "worker"
    HINT = "hint"
    CANCEL = "cancel"
    RETRY = "retry"


class Step(StrEnum):
    """What a handler does next."""

    ASK = "ask"
    CLOSE = "close"
    ASK_AGAIN = "ask_again"
    APPLY = "apply"
    RECORD = "record"


class Seen(StrEnum):
    """What an attempt was like when a handler read it, as far as that can change while it waits."""

    SENT = "sent"
    SENDING = "sending"
    AWAITING_OTP = "awaiting_otp"


class Handler(NamedTuple):
    """Work between two units of work, which may be as slow as it likes.

    `evidence`: what it found, or what closing the link would end the attempt with. `leased`: nobody
    claimed its attempt since.
    """

    kind: Kind
    attempt: int
    step: Step
    evidence: Evidence = Evidence.NO_NEWS
    leased: bool = True
    seen: Seen = Seen.SENT


class State(NamedTuple):
    """Everything at one moment.

    `surprises`: how often a gateway may still do what it should not. `wishes`: how often the member
    may still cancel or try again. `breach`: the property that the last step broke, or empty.
    """

    payments: tuple[Payment, ...]
    attempts: tuple[Attempt, ...]
    charges: tuple[Charge, ...]
    handlers: tuple[Handler, ...] = ()
    surprises: int = 0
    wishes: int = 0
    breach: str = ""


# A step: the sentence that a story tells, and the state after it.
Move = tuple[str, State]


def put(items: tuple[ItemT, ...], index: int, item: ItemT) -> tuple[ItemT, ...]:
    """Return the items with one replaced."""
    return (*items[:index], item, *items[index + 1 :])


def with_attempt(state: State, index: int, attempt: Attempt) -> State:
    """Return the state with one attempt replaced."""
    return state._replace(attempts=put(state.attempts, index, attempt))


def with_charge(state: State, index: int, charge: Charge) -> State:
    """Return the state with one charge replaced."""
    return state._replace(charges=put(state.charges, index, charge))


def with_payment(state: State, index: int, payment: Payment) -> State:
    """Return the state with one payment replaced."""
    return state._replace(payments=put(state.payments, index, payment))


def without(state: State, handler: Handler) -> State:
    """Return the state after a handler is done."""
    index = state.handlers.index(handler)
    return state._replace(handlers=state.handlers[:index] + state.handlers[index + 1 :])


def going_on(state: State, handler: Handler, then: Handler | None) -> State:
    """Return the state with a handler's next step; None when it is done."""
    state = without(state, handler)
    return with_handler(state, then) if then else state


def with_handler(state: State, handler: Handler) -> State:
    """Return the state with one more handler. Equal sets of handlers are equal states."""
    return state._replace(handlers=tuple(sorted((*state.handlers, handler))))


def charges_of(state: State, attempt: int) -> list[int]:
    """Return the indices of what a gateway has under an attempt's reference."""
    return [index for index, charge in enumerate(state.charges) if charge.attempt == attempt]


def name(attempt: int) -> str:
    """Return how a story calls an attempt."""
    return "ABCDEFGH"[attempt]
