"""What really happened at a gateway: its charges, its refunds, and the money that it holds."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from kit.money import Money

_FEE_PERCENT = 2
_encoder = msgspec.json.Encoder(decimal_format="number")


class RealState(StrEnum):
    """Where a charge or a refund really stands."""

    PENDING = "pending"
    SUCCESSFUL = "successful"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True, eq=False)
class RealCharge:
    """One try of a payer: a transaction of the gateway.

    `asked`: the price on the page or the phone. `amount`: what is really taken. `visible_from`:
    since when look-ups find it, in virtual seconds. `said_failed`: the gateway once said "failed".
    """

    gateway: str
    reference: str
    id: str
    asked: Money
    amount: Money
    visible_from: float
    state: RealState = RealState.PENDING
    said_failed: bool = False
    why: str = ""

    @property
    def fee(self) -> Money:
        """What the gateway keeps of it."""
        return Money(self.amount.currency, self.amount.minor * _FEE_PERCENT // 100)


@dataclass(slots=True, kw_only=True, eq=False)
class RealRefund:
    """Money that goes back. `reference`: ours. `charge_id`: of the charge, where it is known."""

    gateway: str
    reference: str
    id: str
    charge_id: str
    amount: Money
    state: RealState = RealState.PENDING


@dataclass(frozen=True, slots=True)
class Reply:
    """What a gateway answers to a request."""

    status: int
    body: bytes


@dataclass(slots=True)
class Book:
    """The books of one gateway.

    `charge_listeners`, `refund_listeners`: called with whatever changes. `on_way`: how many
    creating requests with a reference have not arrived yet. `surprising`: the references about
    which the gateway broke its own word; what it said about them proves nothing.
    """

    gateway: str
    charges: dict[str, RealCharge] = field(default_factory=dict)
    refunds: dict[str, RealRefund] = field(default_factory=dict)
    on_way: Counter[str] = field(default_factory=Counter)
    surprising: set[str] = field(default_factory=set)
    charge_listeners: list[Callable[[RealCharge], None]] = field(default_factory=list)
    refund_listeners: list[Callable[[RealRefund], None]] = field(default_factory=list)
    _serial: int = 0

    def next_number(self) -> int:
        """Return the next number of an identifier."""
        self._serial += 1
        return self._serial

    def under(self, reference: str) -> list[RealCharge]:
        """Return every charge under a reference, oldest first."""
        return [charge for charge in self.charges.values() if charge.reference == reference]

    def add_charge(self, charge: RealCharge) -> None:
        """Begin a charge."""
        self.charges[charge.id] = charge
        self._charge_changed(charge)

    def took(self, reference: str) -> list[RealCharge]:
        """Return the charges under a reference that took money."""
        charges = self.under(reference)
        return [charge for charge in charges if charge.state is RealState.SUCCESSFUL]

    def finish(self, charge: RealCharge, state: RealState, why: str = "") -> None:
        """End a charge that is pending, or turn a failed one into a success."""
        if charge.state is RealState.SUCCESSFUL:
            return
        if charge.said_failed and state is RealState.SUCCESSFUL:
            self.surprising.add(charge.reference)
        charge.said_failed = charge.said_failed or state is RealState.FAILED
        charge.state, charge.why = state, why
        self._charge_changed(charge)

    def add_refund(self, refund: RealRefund) -> None:
        """Accept a refund."""
        self.refunds[refund.id] = refund
        self._refund_changed(refund)

    def finish_refund(self, refund: RealRefund, state: RealState) -> None:
        """End a refund that is pending."""
        if refund.state is RealState.PENDING:
            refund.state = state
            self._refund_changed(refund)

    def returned(self, charge_id: str) -> int:
        """Return how many minor units of a charge went back or are going back."""
        return sum(
            refund.amount.minor
            for refund in self.refunds.values()
            if refund.charge_id == charge_id and refund.state is not RealState.FAILED
        )

    def balance(self, currency: str) -> int:
        """Return what the gateway owes us, in minor units."""
        taken = sum(
            charge.amount.minor - charge.fee.minor
            for charge in self.charges.values()
            if charge.state is RealState.SUCCESSFUL and charge.amount.currency == currency
        )
        return taken - sum(
            refund.amount.minor
            for refund in self.refunds.values()
            if refund.state is RealState.SUCCESSFUL and refund.amount.currency == currency
        )

    def _charge_changed(self, charge: RealCharge) -> None:
        for listener in self.charge_listeners:
            listener(charge)

    def _refund_changed(self, refund: RealRefund) -> None:
        for listener in self.refund_listeners:
            listener(refund)


def reply(status: int, document: object) -> Reply:
    """Return a JSON reply."""
    return Reply(status, _encoder.encode(document))


def page_of(found: Iterable[RealCharge], now: float) -> list[RealCharge]:
    """Return the charges that look-ups find by now."""
    return [charge for charge in found if charge.visible_from <= now]
