"""Every policy that is one mistake away from the product's is caught, by the promise it breaks."""

import pytest

from proofs.model.__main__ import Run, main, run_safe, run_variant, show_safe, show_variants
from proofs.model.scenarios import QUICK
from proofs.model.variants import VARIANTS

# Which promise each mistake breaks first; model/properties.py says what they are.
_BROKEN = {
    "cancel_without_acknowledgement": "P2",
    "do_not_ask_after_closing": "P2",
    "expire_without_asking": "P2",
    "fail_beside_payable_attempt": "P2",
    "fall_back_on_timeout": "P2",
    "fall_back_when_not_found": "P2",
    "forget_declined_creation": "P3",
    "give_up_unseen_attempt": "P2",
    "grant_on_callback": "P4",
    "ignore_late_success": "P3",
    "keep_surplus": "P3",
    "leave_failed_page_open": "P2",
    "no_fencing_token": "P6",
    "no_open_payment_index": "P2",
    "no_unique_attempt_index": "P2",
    "overlook_entered_password": "P2",
    "pay_twice_for_one_thing": "P1",
    "resend_on_take_over": "P2",
    "revive_cancelled": "P7",
    "stop_asking": "P5",
    "take_prompt_for_undelivered": "P2",
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_mistake_is_caught(name: str) -> None:
    found = run_variant(name).found
    assert found.breach.startswith(f"{_BROKEN[name]}:")
    assert found.steps >= 1


def test_every_promise_is_broken_by_some_mistake() -> None:
    assert set(_BROKEN) == set(VARIANTS)
    assert set(_BROKEN.values()) == {f"P{number}" for number in range(1, 8)}


def test_the_story_is_the_shortest_and_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--variant", "fall_back_on_timeout"]) == 0
    told = capsys.readouterr().out
    happened = [line.strip() for line in told.splitlines() if ". " in line]
    assert happened == [
        "0. the member begins to pay",
        "1. the request of A leaves",
        "2. A times out",
        "3. the request of B leaves",
        "4. the request of B arrives: the gateway makes a page for it",
        "5. the reply to B comes in: requires_action",
    ]
    assert "attempt B is on record: gateway 2, a page" in told
    assert "P2: the member can pay on two attempts at once" in told


def test_a_mistake_in_the_products_policy_would_fail_the_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show_safe([run_safe(QUICK[1].name)])
    assert not show_safe([run_safe(QUICK[1].name), run_variant("stop_asking")])
    assert "P5: a payment is stuck" in capsys.readouterr().out


def test_a_mistake_that_survives_would_fail_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    caught = run_variant("grant_on_callback")
    harmless = run_safe(QUICK[1].name)
    survivor = Run(name="stop_asking", scenario="", found=harmless.found, seconds=0.0)
    assert show_variants([caught])
    assert not show_variants([caught, survivor])
    assert "SURVIVED" in capsys.readouterr().out
