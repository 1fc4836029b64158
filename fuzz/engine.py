"""Runs a target: guided by coverage when atheris is installed, else with our own mutator."""

import importlib
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fuzz.mutator import Mutator
from fuzz.targets import LARGEST, Target

_INSTRUMENTED = ("gateway_adapters", "kit.money", "fuzz.targets", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run found.

    `slowest`: most CPU seconds that one input took. `failing`: the input that let something out of
    the target, and `error`: what.
    """

    executions: int
    slowest: float
    failing: bytes | None = None
    error: BaseException | None = None


def has_atheris() -> bool:
    """Tell whether the coverage-guided fuzzer is there; nothing here depends on it."""
    return importlib.util.find_spec("atheris") is not None


def run_seeded(target: Target, seed: int, goes_on: Callable[[int], bool]) -> Outcome:
    """Run inputs of our mutator while `goes_on` (told how many there were) agrees.

    The examples themselves come first. Stops at the first input that lets an error out.
    """
    mutator = Mutator(seed, target.examples, LARGEST)
    executions, slowest = 0, 0.0
    while goes_on(executions):
        waiting = target.examples[executions : executions + 1]
        data = waiting[0] if waiting else mutator.next_input()
        try:
            spent = _timed(target, data)
            if spent > slowest:
                # Once more: a garbage collection may have fallen into the first time.
                slowest = max(slowest, min(spent, _timed(target, data)))
        except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
            return Outcome(executions=executions + 1, slowest=slowest, failing=data, error=error)
        executions += 1
    return Outcome(executions=executions, slowest=slowest)


def _timed(target: Target, data: bytes) -> float:
    began = time.process_time()
    target.run(data)
    return time.process_time() - began


def for_seconds(seconds: float) -> Callable[[int], bool]:
    """Go on for so long."""
    end = time.monotonic() + seconds
    return lambda _executions: time.monotonic() < end


def run_guided(name: str, seed: int, seconds: int) -> NoReturn:
    """Run atheris on the target called `name`; it reports by itself and ends the process."""
    atheris: Any = importlib.import_module("atheris")
    # It sees the branches of what is imported under its eyes only.
    for module in [module for module in sys.modules if module.startswith(_INSTRUMENTED)]:
        del sys.modules[module]
    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        target: Target = importlib.import_module("fuzz.targets").TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(target.examples):
            (Path(corpus) / str(number)).write_bytes(example)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LARGEST}"]
        atheris.Setup([sys.argv[0], *options, corpus], target.run)
        atheris.Fuzz()
    raise SystemExit(0)
