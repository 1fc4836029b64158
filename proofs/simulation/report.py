"""Shows how a simulation goes on, and what came out of it."""

from collections.abc import Iterable
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from proofs.simulation.faults import Fault
from proofs.simulation.fleet import Tally
from services.payments.domain.states import TRANSITIONS

_EDGES = sum(len(targets) for targets in TRANSITIONS.values())
_MOST_LISTED = 20


def follow(
    console: Console, seeds: int, tallies: Iterable[Tally], *, fail_fast: bool = False
) -> Tally:
    """Show a bar that grows with the seeds that are over; return the sum of all tallies."""
    total, began = Tally(), perf_counter()
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} seeds/s"),
        TextColumn("{task.fields[failing]} failing"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("seeds", total=seeds, rate=0.0, failing=0)
        for tally in tallies:
            total.add(tally)
            rate = total.seeds / (perf_counter() - began)
            progress.update(bar, completed=total.seeds, rate=rate, failing=len(total.failing))
            if fail_fast and total.failing:
                break
    return total


def summary(total: Tally) -> Table:
    """Return what happened, as a table."""
    table = Table(title="Simulation", show_header=False)
    table.add_row("seeds", f"{total.seeds:,}")
    table.add_row("payments", f"{total.payments:,}")
    table.add_row("charges at the gateways", f"{total.charges:,}")
    table.add_row("steps", f"{total.steps:,}")
    table.add_row("moves of payments seen", f"{len(total.edges)} of {_EDGES}")
    table.add_row("faults", f"{total.faults.total():,}")
    for fault in Fault:
        table.add_row(f"  {fault}", f"{total.faults[fault]:,}")
    table.add_row("failing seeds", f"{len(total.failing):,}")
    return table


def missing_moves(total: Tally) -> list[str]:
    """Return the moves of payments that no seed made."""
    return [
        f"{old} -> {new}"
        for old, targets in TRANSITIONS.items()
        for new in sorted(targets)
        if (old, new) not in total.edges
    ]


def tell_failures(console: Console, total: Tally, policy: str) -> None:
    """Print the whole story of the first failing seed, and how to see the others'."""
    failing = sorted(total.failing, key=lambda outcome: outcome.seed)
    for line in failing[0].story:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print()
    for outcome in failing[:_MOST_LISTED]:
        console.print(f"seed {outcome.seed}: {outcome.violations[0]}", markup=False)
        console.print(f"    {replay_command(outcome.seed, policy)}", markup=False)
    if len(failing) > _MOST_LISTED:
        console.print(f"… and {len(failing) - _MOST_LISTED} more")


def replay_command(seed: int, policy: str) -> str:
    """Return the command that tells a seed's story."""
    return f"make simulate SEED={seed}" + ("" if policy == "safe" else f" POLICY={policy}")
