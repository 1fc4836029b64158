"""Times in which something does not answer at all: the database, a gateway, an adapter."""

from proofs.simulation.chance import Chance
from proofs.simulation.faults import Fault, Faults

_HOUR = 3600.0
_LONGEST_SECONDS = {
    Fault.DATABASE_DOWN: 90.0,
    Fault.GATEWAY_DOWN: 1800.0,
    Fault.ADAPTER_DOWN: 120.0,
}


class Outage:
    """When one thing is down. It may never be; at most once in a seed."""

    def __init__(self, fault: Fault, faults: Faults, chance: Chance) -> None:
        self._from = self._to = 0.0
        if faults.strikes(fault):
            # Most happens soon.
            self._from = chance.between(0.0, chance.pick((60.0, 900.0, 2 * _HOUR)))
            self._to = self._from + chance.between(1.0, _LONGEST_SECONDS[fault])

    def covers(self, now: float) -> bool:
        """Whether it is down now."""
        return self._from <= now < self._to
