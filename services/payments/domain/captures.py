"""A capture: money that a gateway verifiably took from a payer, and what it counts for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money


class CaptureUse(StrEnum):
    """What captured money counts for.

    KEPT: it buys the payment. SURPLUS: the payment does not need it, so it goes back. HELD: its
    amount or currency is not what was asked for; staff decide.
    """

    KEPT = "kept"
    SURPLUS = "surplus"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a look-up found that a gateway took, and what it counts for.

    `excess`: the part that is not needed; all of a surplus, nothing of held money. `why`: the
    reason for a use other than KEPT.
    """

    amount: Money
    use: CaptureUse
    excess: Money
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Money that a gateway took, once per transaction of the gateway.

    `amount`: what the payer was charged. `excess`: the part that goes back by itself. `fee`: what
    the gateway keeps of it; None while it is not known. `held_because`: why staff must decide, or
    empty.
    """

    id: UUID
    payment_id: UUID
    attempt_id: UUID
    gateway: str
    gateway_transaction_id: str
    amount: Money
    use: CaptureUse
    excess: Money
    captured_at: datetime
    fee: Money | None = None
    held_because: str = ""

    @property
    def needed(self) -> Money:
        """The part that buys the payment; nothing of surplus and of held money."""
        if self.use is not CaptureUse.KEPT:
            return Money(self.amount.currency, 0)
        return self.amount - self.excess
