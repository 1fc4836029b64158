"""What people read of a run, and the command that shows a broken point again."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from proofs.crash.idempotency.reuse import Refusals
from proofs.crash.lane import Trial, Verdict
from proofs.crash.matrix import Tally
from proofs.crash.variants import AS_BUILT

HEADER = f"{'story':<18}{'points':>8}{'trials':>8}{'seconds':>9}{'broken':>8}"


def line(tally: Tally) -> str:
    """Return the line of a story. Its seconds are those of all lanes together."""
    return (
        f"{tally.story:<18}{len(tally.points):>8}{tally.strikes:>8}{tally.seconds:>9.1f}"
        f"{len(tally.broken):>8}"
    )


def total(tallies: Iterable[Tally], seconds: float) -> str:
    """Return the sum of all stories. `seconds`: as they passed on the wall."""
    every = list(tallies)
    return (
        f"{'together':<18}{sum(len(each.points) for each in every):>8}"
        f"{sum(each.strikes for each in every):>8}{seconds:>9.1f}"
        f"{sum(len(each.broken) for each in every):>8}"
    )


def broken(verdict: Verdict) -> str:
    """Return everything that is wrong after one trial, with the command that shows it again."""
    what = "\n".join(f"    {each}" for each in verdict.broken)
    return f"  {replay(verdict.trial)}\n{what}"


def replay(trial: Trial) -> str:
    """Return the command that tries a point again."""
    words = ["python -m proofs.crash point", trial.story, str(trial.point or "none")]
    words.append(f"--comeback {trial.comeback}")
    if trial.variant != AS_BUILT:
        words.append(f"--variant {trial.variant}")
    return " ".join(words)


def refusals(of_method: Refusals) -> str:
    """Return the line of a method whose requests were changed under a used key."""
    return (
        f"{of_method.method:<20}{len(of_method.fields):>3} fields,{of_method.changes:>4} changes:"
        f"{of_method.reused:>4} refused for the key,{of_method.invalid:>4} not valid,"
        f"{len(of_method.wrong):>3} wrong"
    )


def counts(numbers: Mapping[str, int]) -> str:
    """Return names with their numbers, the most frequent first."""
    ordered = sorted(numbers.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{number} {name}" for name, number in ordered)


def versions() -> str:
    """Return what the figures were made with."""
    libraries = [f"{name} {version(name)}" for name in ("sqlalchemy", "asyncpg", "grpcio")]
    return ", ".join([f"Python {platform.python_version()}", *libraries])
