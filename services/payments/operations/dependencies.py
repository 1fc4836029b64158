"""What every operation is given."""

from dataclasses import dataclass

from kit.clock import Clock
from kit.ids import Ids
from kit.tasks import OwnedTasks
from services.payments.domain.evidence import SAFE_RULES, Rules
from services.payments.ports import DEFAULT_TIMING, Gateways, Storage, Timing, Wakeups
from services.payments.router import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The outside world of the operations.

    `sender`: names this process over restarts, so that it knows what its earlier run left behind.
    `rules`: what a gateway's answers prove; only a simulation of wrong rules changes them.
    """

    storage: Storage
    gateways: Gateways
    router: Router
    clock: Clock
    ids: Ids
    wakeups: Wakeups
    tasks: OwnedTasks
    sender: str
    timing: Timing = DEFAULT_TIMING
    rules: Rules = SAFE_RULES
