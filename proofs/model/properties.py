"""What must hold: in every state, or in every state in which nothing more happens by itself.

P1: two charges are never kept for one thing.
P2: the member can never pay on two attempts at once, except beside one that was given up as absent
    after the quiet time, and then only while surplus is refunded by itself.
P3: at rest, money at a gateway bought something, went back, or is held for staff.
P4: what was granted was paid for.
P5: at rest, a payment is over, held for staff, or has an attempt that will be asked about.
P6: a worker that lost its lease changes nothing.
P7: every move of a payment is one of the product's table.
"""

from proofs.model.checking import settled
from proofs.model.gateways import can_take_money
from proofs.model.rulings import World
from proofs.model.state import MONEY, Charge, Sender, State, Word
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.captures import CaptureUse
from services.payments.domain.states import RESTING_STATUSES

_MOVING = frozenset({Word.ON_ITS_WAY, Word.TRYING})


def broken(world: World, state: State) -> str:
    """Return which property a state breaks and how, or an empty text."""
    return (
        state.breach
        or _two_charges_kept(state)
        or _two_attempts_payable(world, state)
        or _granted_without_money(state)
        or (_at_rest(state) if quiescent(world, state) else "")
    )


def quiescent(world: World, state: State) -> bool:
    """Whether nothing is under way and every look-up that is due changes nothing.

    What payers, members and gateways might still choose to do does not count.
    """
    if state.handlers or any(charge.word in _MOVING for charge in state.charges):
        return False
    if world.policy.returns_surplus and any(_to_be_returned(each) for each in state.charges):
        return False
    for index, attempt in enumerate(state.attempts):
        if attempt.sender is not Sender.GONE or attempt.outcome is AttemptOutcome.SENDING:
            return False
        if attempt.due and settled(world, state, index) != state:
            return False
    return True


def _to_be_returned(charge: Charge) -> bool:
    return charge.use is CaptureUse.SURPLUS and not charge.refunded


def _two_charges_kept(state: State) -> str:
    kept = sum(charge.use is CaptureUse.KEPT for charge in state.charges)
    return "P1: two charges are kept for one thing" if kept > 1 else ""


def _two_attempts_payable(world: World, state: State) -> str:
    """After the quiet time two may be payable: the refund of what is not needed is armed."""
    open_ = [index for index in range(len(state.charges)) if can_take_money(world, state, index)]
    earlier = [state.attempts[state.charges[index].attempt] for index in open_[:-1]]
    armed = world.policy.returns_surplus and all(attempt.absent for attempt in earlier)
    return "P2: the member can pay on two attempts at once" if earlier and not armed else ""


def _granted_without_money(state: State) -> str:
    for charge in state.charges:
        enough = charge.word is Word.PAID or charge.vouched
        if charge.use is CaptureUse.KEPT and not enough:
            return "P4: the tier was granted and nobody paid for it"
    granted = sum(payment.granted for payment in state.payments)
    kept = sum(charge.use is CaptureUse.KEPT for charge in state.charges)
    return "P4: the tier was granted without money" if granted > kept else ""


def _at_rest(state: State) -> str:
    for charge in state.charges:
        if charge.word in MONEY and not (charge.refunded or _has_effect(state, charge)):
            return "P3: money is at a gateway without effect, and nobody will look"
    for index, payment in enumerate(state.payments):
        scheduled = any(
            attempt.payment == index and attempt.unsettled and attempt.due
            for attempt in state.attempts
        )
        if payment.status not in RESTING_STATUSES and not (payment.held or scheduled):
            return f"P5: a payment is stuck in {payment.status}, and nothing is scheduled"
    return ""


def _has_effect(state: State, charge: Charge) -> bool:
    if charge.use is CaptureUse.KEPT:
        return state.payments[state.attempts[charge.attempt].payment].granted
    return charge.use is CaptureUse.HELD
