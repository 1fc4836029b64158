"""Breadth-first search over every reachable state, and the shortest story of a broken property."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from proofs.model.checking import checking
from proofs.model.gateways import outside
from proofs.model.member import wishing
from proofs.model.properties import broken
from proofs.model.rulings import World
from proofs.model.sending import begin, sending
from proofs.model.staff import deciding
from proofs.model.state import Attempt, Move, Payment, State
from proofs.model.story import tell
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.states import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What a search found.

    `depth`: the most steps that are needed to reach a state. `statuses` and `outcomes`: all that
    payments and attempts were found in. `breach`: which property broke, or empty. `steps` and
    `story`: the shortest way to it.
    """

    states: int
    transitions: int
    depth: int
    statuses: frozenset[PaymentStatus]
    outcomes: frozenset[AttemptOutcome]
    breach: str = ""
    steps: int = 0
    story: tuple[str, ...] = ()


@dataclass(slots=True)
class _Search:
    world: World
    came_from: dict[State, State | None] = field(default_factory=dict)
    transitions: int = 0
    depth: int = 0

    def run(self) -> Exploration:
        start = beginning(self.world)
        self.came_from[start] = None
        edge = [start]
        while edge:
            beyond: list[State] = []
            for state in edge:
                for after in self._new(state):
                    breach = broken(self.world, after)
                    if breach:
                        return self._found(breach, after)
                    beyond.append(after)
            edge = beyond
            self.depth += bool(beyond)
        return self._found()

    def _new(self, state: State) -> Iterator[State]:
        """Yield the states after one that were not reached before."""
        for _, after in moves(self.world, state):
            self.transitions += 1
            if after not in self.came_from:
                self.came_from[after] = state
                yield after

    def _found(self, breach: str = "", last: State | None = None) -> Exploration:
        path = self._path(last) if last else []
        return Exploration(
            states=len(self.came_from),
            transitions=self.transitions,
            depth=self.depth,
            statuses=frozenset(each.status for state in self.came_from for each in state.payments),
            outcomes=frozenset(each.outcome for state in self.came_from for each in state.attempts),
            breach=breach,
            steps=max(len(path) - 1, 0),
            story=tell(self.world, path) if path else (),
        )

    def _path(self, last: State) -> list[Move]:
        """Return what happened on the way to a state, first things first."""
        path: list[Move] = []
        state = last
        while (before := self.came_from[state]) is not None:
            happened = next(text for text, after in moves(self.world, before) if after == state)
            path.append((happened, state))
            state = before
        path.append(("the member begins to pay", state))
        return path[::-1]


def explore(world: World) -> Exploration:
    """Search a world's states, nearest first, until a property breaks or all are known."""
    collecting = gc.isenabled()
    # States hold no cycles, and looking for some in a million tuples takes longer than the search.
    gc.disable()
    try:
        return _Search(world).run()
    finally:
        if collecting:
            gc.enable()


def moves(world: World, state: State) -> Iterator[Move]:
    """Yield everything that may happen next."""
    return chain(
        outside(world, state),
        sending(world, state),
        checking(world, state),
        wishing(world, state),
        deciding(world, state),
    )


def beginning(world: World) -> State:
    """Return the moment at which the first attempt is on record and nothing was sent."""
    nothing = State(
        payments=(Payment(),),
        attempts=(),
        charges=(),
        surprises=world.scenario.surprises,
        wishes=world.scenario.wishes,
    )
    return begin(nothing, Attempt(payment=0, route=0))
