"""What members will do in one seed: who buys what, when, how they pay, and what they press then."""

from dataclasses import dataclass
from enum import StrEnum

from proofs.simulation.chance import Chance
from services.payments.domain.payment import BillingCycle, Customer, PaymentMethod

STORM_SECONDS = 3 * 3600.0


class Habit(StrEnum):
    """How a payer reacts to a page or a prompt."""

    APPROVES = "approves"
    DECLINES = "declines"
    HESITATES = "declines, then approves"
    IGNORES = "ignores"
    TWICE = "pays twice"
    LATE = "pays late"


_HABITS = (
    *(Habit.APPROVES,) * 8,
    *(Habit.DECLINES,) * 3,
    *(Habit.HESITATES,) * 2,
    *(Habit.IGNORES,) * 2,
    *(Habit.TWICE,) * 3,
    *(Habit.LATE,) * 2,
)


class Press(StrEnum):
    """What a member does after having begun to pay."""

    REPEAT = "repeats the request"
    OTHER_TAB = "buys in another tab"
    VERIFY = "asks whether it is paid"
    CANCEL = "cancels"
    BUY_AGAIN = "buys again"
    RETRY = "tries again"
    REFUND = "is refunded"


_PRESSES = (
    *(Press.REPEAT,) * 3,
    *(Press.OTHER_TAB,) * 3,
    *(Press.VERIFY,) * 6,
    *(Press.CANCEL,) * 3,
    *(Press.BUY_AGAIN,) * 4,
    *(Press.RETRY,) * 4,
    *(Press.REFUND,) * 2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One press of a member, some seconds after the purchase began."""

    press: Press
    after: float
    method: PaymentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasePlan:
    """One member's way to one thing."""

    user_id: str
    tier: str
    cycle: BillingCycle
    method: PaymentMethod
    habit: Habit
    begins_at: float
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is decided before a seed's story begins.

    `preferences`: the order of the gateways by method. `thorough`: whether time runs until the last
    check of all is over, and not only until nothing can happen any more.
    """

    purchases: tuple[PurchasePlan, ...]
    preferences: dict[PaymentMethod, tuple[str, ...]]
    workers: int
    thorough: bool


_COUNTS = (1, 1, 2, 2, 3, 4)
_GATEWAYS = ("eversend", "flutterwave")
_METHODS = (
    PaymentMethod.MOBILE_MONEY,
    PaymentMethod.MOBILE_MONEY,
    PaymentMethod.MOBILE_MONEY,
    PaymentMethod.CARD,
    PaymentMethod.CARD,
)


def plan_of(chance: Chance) -> Plan:
    """Decide what members will do."""
    members = 1 + chance.below(3)
    purchases = tuple(_purchase(chance, members) for _ in range(chance.pick(_COUNTS)))
    order = _GATEWAYS if chance.hits(0.7) else tuple(reversed(_GATEWAYS))
    return Plan(
        purchases=purchases,
        preferences=dict.fromkeys(PaymentMethod, order),
        workers=2 if chance.hits(0.25) else 1,
        thorough=chance.hits(1 / 16),
    )


def customer_of(user_id: str) -> Customer:
    """Return who pays."""
    return Customer(
        email=f"{user_id}@example.com",
        name="Amina Okello",
        phone_number="+256772123456",
        country_code="UG",
    )


def _purchase(chance: Chance, members: int) -> PurchasePlan:
    actions = [_action(chance) for _ in range(chance.below(5))]
    actions.sort(key=lambda action: action.after)
    return PurchasePlan(
        user_id=f"member-{1 + chance.below(members)}",
        tier=chance.pick(("pro", "pro", "premium")),
        cycle=chance.pick((BillingCycle.MONTHLY, BillingCycle.MONTHLY, BillingCycle.ANNUAL)),
        method=chance.pick(_METHODS),
        habit=chance.pick(_HABITS),
        begins_at=chance.between(0.0, chance.pick((5.0, 600.0, 3600.0))),
        actions=tuple(actions),
    )


def _action(chance: Chance) -> Action:
    return Action(
        press=chance.pick(_PRESSES),
        after=chance.between(0.0, chance.pick((0.5, 10.0, 60.0, 1200.0, 5400.0))),
        method=chance.pick(_METHODS),
    )
