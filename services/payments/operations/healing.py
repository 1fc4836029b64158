"""How a break stands after it was worked on."""

from dataclasses import dataclass

from services.payments.domain.reconciliation import BreakStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """Whether a break is healed. `why`: what was done, or what is in the way."""

    status: BreakStatus
    why: str = ""


def healed(why: str) -> Healing:
    """Return that our books agree with the gateway's now."""
    return Healing(status=BreakStatus.HEALED, why=why)


def left_open(why: str = "") -> Healing:
    """Return that a person must decide."""
    return Healing(status=BreakStatus.OPEN, why=why)
