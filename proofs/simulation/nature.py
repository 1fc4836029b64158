"""What everything in one seed is made of: time, chance, faults, and the story that is told."""

from dataclasses import dataclass

from proofs.simulation.chance import Chance
from proofs.simulation.clock import SeededIds, VirtualClock
from proofs.simulation.faults import Faults
from proofs.simulation.loop import VirtualLoop
from proofs.simulation.story import Story

_SCHEDULE, _FAULTS, _WORLD, _IDS = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """The nature of one seed's world. `chance`: of everything but the faults and the schedule."""

    seed: int
    loop: VirtualLoop
    chance: Chance
    faults: Faults
    clock: VirtualClock
    ids: SeededIds
    story: Story


def nature_of(seed: int) -> Nature:
    """Return the nature of a seed's world."""
    loop = VirtualLoop(Chance(seed, _SCHEDULE))
    return Nature(
        seed=seed,
        loop=loop,
        chance=Chance(seed, _WORLD),
        faults=Faults(Chance(seed, _FAULTS)),
        clock=VirtualClock(loop),
        ids=SeededIds(Chance(seed, _IDS)),
        story=Story(loop),
    )
