"""`python -m proofs.simulation`: runs many seeds, or tells the story of one."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from proofs.simulation import alerts
from proofs.simulation.fleet import run_seeds
from proofs.simulation.policies import POLICIES, SAFE
from proofs.simulation.report import follow, missing_moves, replay_command, summary, tell_failures
from proofs.simulation.run import run_seed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 1 when something must not be."""
    options = _parser().parse_args(arguments)
    console = Console()
    if options.seed is not None:
        return _replay(console, options.seed, options.policy)
    seeds = range(options.first, options.first + options.seeds)
    tallies = run_seeds(seeds, options.policy, options.workers)
    total = follow(console, len(seeds), tallies, fail_fast=options.fail_fast)
    console.print(summary(total))
    unseen = missing_moves(total)
    if unseen:
        console.print("moves not seen: " + ", ".join(unseen), highlight=False)
    if not total.failing:
        return 0
    tell_failures(console, total, options.policy)
    return 1


def _replay(console: Console, seed: int, policy: str) -> int:
    alerts.listen()
    outcome = run_seed(seed, policy, tell=True)
    for line in outcome.story:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"trace {outcome.digest}", highlight=False)
    for violation in outcome.violations:
        console.print(f"VIOLATION {violation}", markup=False, style="bold red")
    console.print(f"again: {replay_command(seed, policy)}", highlight=False)
    return 1 if outcome.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proofs.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="tell the story of this one seed instead")
    parser.add_argument(
        "--fail-fast", action="store_true", help="stop soon after the first failing seed"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes to run them in")
    parser.add_argument("--policy", choices=sorted(POLICIES), default=SAFE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
