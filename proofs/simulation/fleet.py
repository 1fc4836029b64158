"""Runs many seeds over several processes and adds up what became of them."""

import gc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from proofs.simulation import alerts
from proofs.simulation.faults import Fault
from proofs.simulation.invariants import Edge
from proofs.simulation.run import Outcome, run_seed

_BATCH = 25
# Tasks and their errors are cycles; looking for them less often saves a tenth of the time.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


@dataclass(slots=True)
class Tally:
    """What became of some seeds. `failing`: those in which something was wrong."""

    seeds: int = 0
    steps: int = 0
    payments: int = 0
    charges: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    edges: Counter[Edge] = field(default_factory=Counter)
    failing: list[Outcome] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Add one seed."""
        self.seeds += 1
        self.steps += outcome.steps
        self.payments += outcome.payments
        self.charges += outcome.charges
        self.faults.update(outcome.faults)
        self.edges.update(outcome.edges)
        if outcome.violations:
            self.failing.append(outcome)

    def add(self, other: "Tally") -> None:
        """Add what another tally counted."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.payments += other.payments
        self.charges += other.charges
        self.faults.update(other.faults)
        self.edges.update(other.edges)
        self.failing.extend(other.failing)


def run_seeds(seeds: range, policy: str, workers: int) -> Iterator[Tally]:
    """Run seeds and yield a tally for every few of them, in no order."""
    with ProcessPoolExecutor(
        max_workers=workers, mp_context=get_context("spawn"), initializer=_prepare
    ) as pool:
        batches = [
            pool.submit(_run_batch, seeds[start : start + _BATCH], policy)
            for start in range(0, len(seeds), _BATCH)
        ]
        try:
            for batch in as_completed(batches):
                yield batch.result()
        finally:
            # Whoever stops listening wants no more of them.
            pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    alerts.listen()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _run_batch(seeds: range, policy: str) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.count(run_seed(seed, policy))
    return tally
