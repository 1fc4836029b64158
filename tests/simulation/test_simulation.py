"""The safe rules hold in every seed; each unsafe one is caught, with a story to read."""

import re

import pytest

from proofs.simulation.policies import POLICIES, SAFE
from tests.simulation.running import simulate

UNSAFE = sorted(set(POLICIES) - {SAFE})
_BROKEN = re.compile(r"seed (\d+): (NO PROOF|DOUBLE CHARGE KEPT)")


async def test_nothing_goes_wrong_in_150_seeds() -> None:
    run = await simulate("--seeds", "150")
    assert run.code == 0, run.output
    assert "150/150" in run.output
    assert "moves of payments seen" in run.output


async def test_the_same_seed_tells_the_same_story_in_every_process() -> None:
    first, again, other = [
        await simulate("--seed", seed, hash_seed=hash_seed)
        for seed, hash_seed in (("11", "1"), ("11", "2"), ("12", "1"))
    ]
    assert first.code == 0, first.output
    assert re.search(r"^trace [0-9a-f]{64}$", first.output, re.MULTILINE)
    assert first.output == again.output
    assert first.output != other.output


@pytest.mark.parametrize("policy", UNSAFE)
async def test_rules_that_charge_twice_are_caught_and_their_story_is_told(policy: str) -> None:
    run = await simulate("--seeds", "200", "--policy", policy, "--fail-fast")
    assert run.code == 1, run.output
    found = _BROKEN.search(run.output)
    assert found, run.output
    assert f"make simulate SEED={found[1]} POLICY={policy}" in run.output
    told = await simulate("--seed", found[1], "--policy", policy)
    assert told.code == 1
    assert f"VIOLATION {found[2]}" in told.output
    safe = await simulate("--seed", found[1])
    assert safe.code == 0, safe.output


async def test_a_story_names_the_time_the_actor_and_the_step() -> None:
    run = await simulate("--seed", "11")
    lines = run.output.splitlines()
    assert any(re.fullmatch(r"0d 00:\d\d:\d\d\.\d{3}  member-\d +buys .+", line) for line in lines)
    assert any(re.match(r"0d \S+  server-\d +payments\.add", line) for line in lines)
    assert lines[-1] == "again: make simulate SEED=11"
