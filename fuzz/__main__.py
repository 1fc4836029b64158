"""`python -m fuzz`: fuzzes one target, or runs other people's vectors."""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzz.engine import Outcome, for_seconds, has_atheris, run_guided, run_seeded
from fuzz.targets import TARGETS
from fuzz.vectors import STRICTER, NoVectorsError, Report, run_vectors

_EXIT_USAGE = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; return 1 when a defect was found."""
    options = _parser().parse_args(arguments)
    if options.what == "vectors":
        return _vectors(options.folder)
    names = list(TARGETS) if options.what == "all" else [options.what]
    if has_atheris() and not options.own_mutator and len(names) == 1:
        run_guided(names[0], options.seed, options.seconds)
    outcomes = {
        name: run_seeded(TARGETS[name], options.seed, for_seconds(options.seconds))
        for name in names
    }
    for name, outcome in outcomes.items():
        _tell(name, options.seed, outcome)
    return 1 if any(outcome.failing is not None for outcome in outcomes.values()) else 0


def _tell(name: str, seed: int, outcome: Outcome) -> None:
    print(
        f"{name}: {outcome.executions} inputs, seed {seed}, slowest {outcome.slowest * 1000:.1f} ms"
        f" of CPU, Python {platform.python_version()}"
    )
    if outcome.failing is not None:
        print(f"  {type(outcome.error).__name__}: {outcome.error}")
        print(f"  input ({len(outcome.failing)} bytes): {outcome.failing[:500]!r}")


def _vectors(folder: Path) -> int:
    try:
        reports = run_vectors(folder)
    except NoVectorsError as error:
        print(error, file=sys.stderr)
        return _EXIT_USAGE
    for report in reports:
        _tell_suite(report)
    print("valid JSON that is refused all the same:")
    for refusal, reason in STRICTER.items():
        print(f"  {refusal}: {reason}")
    return 1 if any(report.failures for report in reports) else 0


def _tell_suite(report: Report) -> None:
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(report.counts.items()))
    print(
        f"{report.suite}: {report.total} vectors, {len(report.failures)} failures"
        f" ({counts}), slowest {report.slowest * 1000:.1f} ms of CPU"
    )
    for failure in report.failures:
        print(f"  {failure}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in (*TARGETS, "all"):
        command = commands.add_parser(name)
        command.add_argument("--seconds", type=int, default=10)
        command.add_argument("--seed", type=int, default=1)
        command.add_argument(
            "--own-mutator", action="store_true", help="even where atheris is installed"
        )
    vectors = commands.add_parser("vectors", help="JSON parsing and HMAC vectors of others")
    vectors.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
