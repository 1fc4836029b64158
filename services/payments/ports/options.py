"""What an installation may choose: how long things may take, and which gateways to prefer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.payments.domain.payment import PaymentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take, in seconds.

    `charge`: one call that creates a charge. `look_up`: one call that asks or closes. `takeover`:
    after that, work that a stopped process left behind is continued by another; longer than a
    charge can take. `quiet`: how long a request may still be on its way, with everybody's deadlines
    and the gateway's processing; after that, "not found" begins to prove something. `otp`: how long
    a member may take to enter a one-time password. `lag`: how long a payment that has begun may be
    missing from a gateway's look-ups; the look after a closing waits so long.
    """

    charge: float = 20.0
    look_up: float = 10.0
    takeover: float = 30.0
    quiet: float = 900.0
    otp: float = 900.0
    lag: float = 0.0


DEFAULT_TIMING = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Which gateways to prefer for a method, best first."""

    preferences: Mapping[PaymentMethod, Sequence[str]] = field(default_factory=dict)
