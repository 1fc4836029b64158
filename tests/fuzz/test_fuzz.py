"""The fuzzer is reproducible, reaches what it should, and finds the bugs that are planted."""

import asyncio
import sys
from collections.abc import Callable

import pytest

from fuzz.engine import Outcome, run_seeded
from fuzz.mutator import Mutator
from fuzz.targets import LARGEST, TARGETS, Target
from gateway_adapters.json_body import JsonBodyError, read_json
from tests.kit.processes import ROOT

EXECUTIONS = 3000


def _run(target: Target, seed: int = 1, executions: int = EXECUTIONS) -> Outcome:
    return run_seeded(target, seed, lambda count: count < executions)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_our_own_errors_leaves_a_target(name: str, seed: int) -> None:
    outcome = _run(TARGETS[name], seed)
    assert outcome.failing is None, f"{outcome.error!r} of {outcome.failing!r}"
    assert outcome.executions == EXECUTIONS


def test_the_same_seed_makes_the_same_inputs_and_another_seed_makes_others() -> None:
    first, again, other = (Mutator(seed, [b"example"], 1000) for seed in (1, 1, 2))
    inputs = [[mutator.next_input() for _ in range(200)] for mutator in (first, again, other)]

    assert inputs[0] == inputs[1] != inputs[2]
    assert len(set(inputs[0])) > 150


def test_no_input_is_larger_than_a_callback_may_be() -> None:
    mutator = Mutator(1, [b"x" * LARGEST], LARGEST)
    assert max(len(mutator.next_input()) for _ in range(200)) <= LARGEST


def _takes_repeated_digits(data: bytes) -> None:
    if b"999999" in data:
        raise ValueError("planted")


def _forgets_recursion(data: bytes) -> None:
    depth = data.count(b"[")
    if depth > 1000:
        raise RecursionError("planted")


def _takes_nan(data: bytes) -> None:
    try:
        read_json(data.replace(b"NaN", b"0"))
    except JsonBodyError:
        return
    if b"NaN" in data:
        raise AssertionError("planted")


@pytest.mark.parametrize("bug", [_takes_repeated_digits, _forgets_recursion, _takes_nan])
def test_a_planted_bug_is_found_and_its_input_is_shown(bug: Callable[[bytes], None]) -> None:
    target = Target(run=bug, examples=TARGETS["json"].examples)
    outcome = _run(target, executions=20_000)

    assert outcome.failing is not None
    with pytest.raises(type(outcome.error) if outcome.error else ValueError, match="planted"):
        bug(outcome.failing)


def test_the_verifiers_examples_are_accepted_so_that_mutations_start_from_genuine_ones() -> None:
    """A target that never sees a right signature would prove nothing about wrong ones."""
    for name in ("eversend-verifier", "flutterwave-verifier"):
        for example in TARGETS[name].examples:
            TARGETS[name].run(example)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["money", "--seconds", "1", "--seed", "7", "--own-mutator"], 0), (["nonsense"], 2)],
)
async def test_it_is_run_from_the_command_line(arguments: list[str], code: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fuzz", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()

    assert process.returncode == code
    assert code or output.startswith(b"money: ")
