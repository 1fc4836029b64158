"""Which faults strike, and how often each did."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from proofs.simulation.chance import Chance


class Fault(StrEnum):
    """Everything that can go wrong around the product."""

    # Between the adapter and its gateway.
    CONNECT_REFUSED = "connect refused"
    REQUEST_LOST = "request lost"
    REPLY_CUT = "reply cut"
    REPLY_NEVER = "reply never comes"
    ARRIVES_LATE = "request arrives late"
    ARRIVES_TOO_LATE = "request arrives after the quiet time"
    ERROR_BEFORE = "5xx before the effect"
    ERROR_AFTER = "5xx after the effect"
    HTML = "HTML instead of JSON"
    BAD_JSON = "broken JSON"
    RATE_LIMITED = "429"
    FORBIDDEN = "401 or 403"
    # At the gateway.
    REFUSED_BY_GATEWAY = "gateway refuses"
    SLOW_TO_APPEAR = "not found at first"
    FAILED_THEN_PAID = "failed, then paid"
    WRONG_AMOUNT = "wrong amount"
    # Between the payments service and the adapter.
    RPC_BEFORE = "RPC fails before"
    RPC_AFTER = "RPC fails after"
    # The database.
    DATABASE_AWAY = "database away"
    COMMIT_LOST = "commit unknown: not stored"
    COMMIT_UNSEEN = "commit unknown: stored"
    # For a while, nothing gets through.
    DATABASE_DOWN = "database down for a while"
    GATEWAY_DOWN = "gateway down for a while"
    ADAPTER_DOWN = "adapter down for a while"
    # Our own processes.
    KILLED = "process killed"
    CALLER_GONE = "caller gone"
    SIGNAL_LOST = "signal lost"
    # Callbacks.
    CALLBACK_LOST = "callback lost"
    CALLBACK_REPEATED = "callback repeated"
    CALLBACK_LATE = "callback late"
    CALLBACK_FORGED = "callback forged"


# How likely each is at one occasion, in a seed where it strikes at all.
_RATES: Mapping[Fault, float] = MappingProxyType(
    {
        Fault.CONNECT_REFUSED: 0.06,
        Fault.REQUEST_LOST: 0.05,
        Fault.REPLY_CUT: 0.06,
        Fault.REPLY_NEVER: 0.03,
        Fault.ARRIVES_LATE: 0.10,
        Fault.ARRIVES_TOO_LATE: 0.02,
        Fault.ERROR_BEFORE: 0.05,
        Fault.ERROR_AFTER: 0.06,
        Fault.HTML: 0.04,
        Fault.BAD_JSON: 0.04,
        Fault.RATE_LIMITED: 0.04,
        Fault.FORBIDDEN: 0.02,
        Fault.REFUSED_BY_GATEWAY: 0.10,
        Fault.SLOW_TO_APPEAR: 0.30,
        Fault.FAILED_THEN_PAID: 0.10,
        Fault.WRONG_AMOUNT: 0.25,
        Fault.RPC_BEFORE: 0.04,
        Fault.RPC_AFTER: 0.04,
        Fault.DATABASE_AWAY: 0.004,
        Fault.COMMIT_LOST: 0.01,
        Fault.COMMIT_UNSEEN: 0.015,
        Fault.DATABASE_DOWN: 0.5,
        Fault.GATEWAY_DOWN: 0.5,
        Fault.ADAPTER_DOWN: 0.5,
        Fault.KILLED: 0.006,
        Fault.CALLER_GONE: 0.06,
        Fault.SIGNAL_LOST: 0.30,
        Fault.CALLBACK_LOST: 0.30,
        Fault.CALLBACK_REPEATED: 0.30,
        Fault.CALLBACK_LATE: 0.25,
        Fault.CALLBACK_FORGED: 0.20,
    }
)
_STRIKES_AT_ALL = 0.45
_MOST_KILLS = 4


class Faults:
    """Decides about every fault of one seed.

    Each seed has its own selection of kinds: with all of them at once, nothing would ever work,
    and most stories would be the same. `on`: faults strike only while it is set.
    """

    def __init__(self, chance: Chance) -> None:
        self.fired: Counter[Fault] = Counter()
        self.on = True
        self._fraction = chance.fraction
        strength = chance.pick((0.5, 1.0, 1.0, 2.0))
        self._rates = {
            fault: rate * strength if chance.hits(_STRIKES_AT_ALL) else 0.0
            for fault, rate in _RATES.items()
        }

    def strikes(self, fault: Fault) -> bool:
        """Decide whether a fault strikes on this occasion, and count it."""
        rate = self._rates[fault]
        if not rate or not self.on or self._fraction() >= rate:
            return False
        if fault is Fault.KILLED and self.fired[fault] >= _MOST_KILLS:
            return False
        self.fired[fault] += 1
        return True
