"""Eversend: every fault there is strikes whom it was asked for, by reference, phone or amount."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway_sandboxes.faults import KNOWN, REFUND_FAILS, UNREACHABLE
from tests.sandboxes.rigs import EversendRig, eventually

MATCHES = ({"reference": "ref1"}, {"phone": "+256 772 123456"}, {"amount": 25000})
STATUS = {
    "error_before_effect": 500,
    "error_after_effect": 500,
    "rate_limited": 429,
    "html_error": 502,
    "bad_json": 200,
    "lost_reply": None,
}
TAKEN = {
    "underpaid": ("12500", "UGX"),
    "overpaid": ("50000", "UGX"),
    "wrong_currency": ("25000", "USD"),
}
LATER = ("late_success", "second_success")
WEBHOOK = tuple(fault for fault in KNOWN if fault.startswith("webhook_"))

by_match = pytest.mark.parametrize("match", MATCHES, ids=["reference", "phone", "amount"])


async def another(rig: EversendRig) -> httpx.Response:
    """Create a collection that no match of these tests fits."""
    return await rig.collect("ref2", phone="+256772999999", amount=30000)


async def answer(rig: EversendRig) -> tuple[int | None, bool]:
    """Create the collection that every match fits: the status, and whether its body is JSON."""
    try:
        reply = await rig.collect()
    except httpx.TransportError:
        return None, False
    try:
        reply.json()
    except json.JSONDecodeError:
        return reply.status_code, False
    return reply.status_code, True


def test_no_fault_is_left_out_here() -> None:
    here = {*STATUS, *TAKEN, *LATER, *WEBHOOK, "delay", "slow_lookup"}
    # Both have tests of their own: a closed port strikes everybody, and refunds are payouts.
    assert here | {UNREACHABLE, REFUND_FAILS} == set(KNOWN)


@by_match
@pytest.mark.parametrize("fault", STATUS)
async def test_a_fault_of_requests_strikes_the_chosen_one(
    eversend: EversendRig, fault: str, match: dict[str, object]
) -> None:
    await eversend.fault(fault, operation="create", match=match)

    assert (await another(eversend)).status_code == 200
    status, readable = await answer(eversend)

    assert status == STATUS[fault]
    assert readable == (fault not in ("html_error", "bad_json", "lost_reply"))
    assert await eversend.fired() == [1]


@by_match
async def test_a_delay_holds_the_chosen_one(
    eversend: EversendRig, match: dict[str, object]
) -> None:
    await eversend.fault("delay", operation="create", match=match, seconds=600)
    held = asyncio.create_task(eversend.collect())

    async def holding() -> bool:
        return await eversend.fired() == [1]

    await eventually(holding)
    assert (await another(eversend)).status_code == 200
    assert not held.done()
    await eversend.steer("clock", advance_seconds=600)

    assert (await held).status_code == 200


@by_match
async def test_a_slow_look_up_lags_behind_the_chosen_one(
    eversend: EversendRig, match: dict[str, object]
) -> None:
    chosen = await eversend.collected()
    other = (await another(eversend)).json()["data"]["transactionId"]
    await eversend.fault("slow_lookup", match=match)

    assert (await eversend.api.get(f"/v1/transactions/{chosen}")).status_code == 404
    assert (await eversend.api.get(f"/v1/transactions/{other}")).status_code == 200


@by_match
@pytest.mark.parametrize("fault", TAKEN)
async def test_the_chosen_payer_sends_something_else(
    eversend: EversendRig, fault: str, match: dict[str, object]
) -> None:
    ids = [await eversend.collected(), (await another(eversend)).json()["data"]["transactionId"]]
    await eversend.fault(fault, match=match)
    for reference in ("ref2", "ref1"):
        await eversend.steer(f"transactions/{reference}/complete")

    chosen, other = [await eversend.transaction(transaction_id) for transaction_id in ids]

    assert (chosen["amount"], chosen["currency"]) == TAKEN[fault]
    assert (other["amount"], other["currency"]) == ("30000", "UGX")


@by_match
@pytest.mark.parametrize(
    ("fault", "move", "count"), [("late_success", "fail", 1), ("second_success", "complete", 2)]
)
async def test_the_chosen_payers_money_arrives_once_more(
    eversend: EversendRig, fault: str, move: str, count: int, match: dict[str, object]
) -> None:
    await eversend.collected()
    await another(eversend)
    await eversend.fault(fault, match=match)
    for reference in ("ref2", "ref1"):
        await eversend.steer(f"transactions/{reference}/{move}")

    await eversend.steer("clock", advance_seconds=60)

    chosen, other = [await eversend.look(f"transactions/{key}") for key in ("ref1", "ref2")]
    assert (chosen["successful_count"], other["successful_count"]) == (count, count - 1)


@by_match
@pytest.mark.parametrize("fault", WEBHOOK)
async def test_a_fault_of_webhooks_strikes_the_chosen_one(
    eversend: EversendRig, fault: str, match: dict[str, object]
) -> None:
    await eversend.collected()
    await another(eversend)
    await eversend.fault(fault, match=match)
    for reference in ("ref2", "ref1"):
        await eversend.steer(f"transactions/{reference}/complete")

    struck: dict[str, list[Any]] = {"ref1": [], "ref2": []}
    for delivery in (await eversend.look("webhooks"))["webhooks"]:
        struck[delivery["reference"]] += delivery["faults"]

    assert set(struck["ref1"]) == {fault}
    assert struck["ref2"] == []


async def test_the_dice_of_a_seed_fall_alike_again(eversend: EversendRig) -> None:
    async def thrown() -> list[int]:
        await eversend.steer("reset")
        await eversend.authorize()
        await eversend.fault("error_before_effect", operation="create", probability=0.5, seed=7)
        return [(await eversend.collect(f"ref{number}")).status_code for number in range(12)]

    first = await thrown()

    assert set(first) == {200, 500}
    assert await thrown() == first
