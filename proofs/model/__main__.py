"""`python -m proofs.model`: explores every scenario and shows that wrong variants are caught."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from proofs.model.explorer import Exploration, explore
from proofs.model.policy import SAFE, Policy
from proofs.model.rulings import World
from proofs.model.scenarios import DEEP, FULL, QUICK, Scenario
from proofs.model.variants import VARIANTS

_DEPTHS = {"quick": QUICK, "full": FULL, "deep": DEEP}
_SCENARIOS = {each.name: each for each in (*QUICK, *FULL, *DEEP)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One search and how long it took. `seconds`: by the wall clock."""

    name: str
    scenario: str
    found: Exploration
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say. Returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m proofs.model", description=__doc__)
    parser.add_argument("--variant", choices=sorted(VARIANTS), help="tell how one is caught")
    parser.add_argument("--depth", choices=sorted(_DEPTHS), default="full", help="default: full")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args(arguments)
    if options.variant:
        return _tell(run_variant(options.variant))
    started = perf_counter()
    with ProcessPoolExecutor(max_workers=options.workers) as pool:
        safe = pool.map(run_safe, [each.name for each in _DEPTHS[options.depth]])
        wrong = pool.map(run_variant, VARIANTS)
        correct = show_safe(safe)
        caught = show_variants(wrong)
    print(f"\n{perf_counter() - started:.0f} seconds in all")
    return 0 if correct and caught else 1


def run_safe(scenario: str) -> Run:
    """Explore a scenario under the product's policy."""
    return _run("the product's policy", SAFE, _SCENARIOS[scenario])


def run_variant(name: str) -> Run:
    """Explore a variant's scenario until it is caught."""
    variant = VARIANTS[name]
    return _run(name, variant.policy, variant.scenario)


def _run(name: str, policy: Policy, scenario: Scenario) -> Run:
    started = perf_counter()
    found = explore(World(policy, scenario))
    return Run(name=name, scenario=scenario.name, found=found, seconds=perf_counter() - started)


def show_safe(runs: Iterable[Run]) -> bool:
    """Print what became of the product's policy. Returns whether it kept every property."""
    print("The product's policy: every state within these bounds\n")
    print(f"  {'scenario':32}{'states':>10}{'transitions':>13}{'depth':>7}{'seconds':>9}")
    correct, total = True, [0, 0]
    for run in runs:
        found = run.found
        print(
            f"  {run.scenario:32}{found.states:>10,}{found.transitions:>13,}"
            f"{found.depth:>7}{run.seconds:>9.1f}",
            flush=True,
        )
        total = [total[0] + found.states, total[1] + found.transitions]
        if found.breach:
            correct = False
            _tell(run)
    print(f"  {'together':32}{total[0]:>10,}{total[1]:>13,}")
    return correct


def show_variants(runs: Iterable[Run]) -> bool:
    """Print what became of the wrong variants. Returns whether every one was caught."""
    print("\nWrong variants: each must be caught; the steps are those of the shortest story\n")
    print(f"  {'variant':32}{'broken':>10}{'steps':>13}{'seconds':>16}")
    survived: list[str] = []
    for run in runs:
        found = run.found
        broken, _, _ = found.breach.partition(":")
        print(
            f"  {run.name:32}{broken or 'SURVIVED':>10}{found.steps:>13}{run.seconds:>16.1f}",
            flush=True,
        )
        if not found.breach:
            survived.append(run.name)
    print(f"  {len(VARIANTS) - len(survived)} of {len(VARIANTS)} caught;", end=" ")
    print("`python -m proofs.model --variant NAME` tells how")
    return not survived


def _tell(run: Run) -> int:
    """Print the story of a broken property. Returns whether there is one, as an exit code."""
    variant = VARIANTS.get(run.name)
    print(f"\n{run.name}: {variant.mistake if variant else 'what the product does'}")
    print(f"in the scenario: {run.scenario}\n")
    if not run.found.breach:
        print("  no property is broken")
        return 1
    print("\n".join(f"  {line}" for line in run.found.story))
    print(f"\n  {run.found.breach}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
