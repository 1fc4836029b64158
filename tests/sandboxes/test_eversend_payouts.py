"""Eversend: what becomes of payouts, and how they are seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway_sandboxes import eversend as eversend_sandbox
from tests.sandboxes.eversend_payouts import OPENING, PHONE, balance, paid_out, state_of, token_of
from tests.sandboxes.rigs import EversendRig


async def test_a_payout_arrives_after_two_seconds_or_as_many_as_are_set(
    eversend: EversendRig,
) -> None:
    await paid_out(eversend)
    await eversend.steer("config", payout_seconds=30)
    await paid_out(eversend, "refund2")
    assert await state_of(eversend) == ("pending", None)

    await eversend.steer("clock", advance_seconds=2)
    assert await state_of(eversend) == ("successful", None)
    assert await state_of(eversend, "refund2") == ("pending", None)
    await eversend.steer("clock", advance_seconds=28)

    assert await state_of(eversend, "refund2") == ("successful", None)
    assert "You received UGX 10,000" in (await eversend.api.get(f"/phone/{PHONE}")).text


async def test_a_failed_payout_is_credited_back_with_its_fee(eversend: EversendRig) -> None:
    transaction_id = await paid_out(eversend)

    await eversend.steer("transactions/refund1/fail", reason="Recipient limit exceeded")
    await eversend.steer("clock", advance_seconds=60)

    found = await eversend.transaction(transaction_id)
    assert (found["status"], found["reason"]) == ("failed", "Recipient limit exceeded")
    assert found["isRefunded"] is True
    assert await balance(eversend) == OPENING


async def test_a_hand_decides_a_pending_payout_and_no_other(eversend: EversendRig) -> None:
    await eversend.steer("config", payout_seconds=600)
    await paid_out(eversend)

    lapse = await eversend.control.post("/_sandbox/transactions/refund1/expire")
    await eversend.steer("transactions/refund1/complete")
    again = await eversend.control.post("/_sandbox/transactions/refund1/fail", json={})

    assert (lapse.status_code, again.status_code) == (409, 409)
    assert await state_of(eversend) == ("successful", None)
    assert await balance(eversend) == OPENING - 10500


async def test_a_payout_is_looked_up_in_the_shape_of_every_transaction(
    eversend: EversendRig,
) -> None:
    transaction_id = await paid_out(eversend)
    collection_id = await eversend.collected()
    await eversend.steer("transactions/refund1/complete")

    payout = await eversend.transaction(transaction_id)

    assert payout.keys() == (await eversend.transaction(collection_id)).keys()
    assert (payout["amount"], payout["fees"]) == ("10000", "500")
    assert (payout["balanceBefore"], payout["balanceAfter"]) == ("1250000", "1239500")
    assert (payout["sourceCountry"], payout["destinationCountry"]) == ("UG", "UG")
    assert payout["isRefunded"] is False
    assert payout["beneficiary"]["firstName"] == "Amina"


async def test_the_list_has_both_kinds_newest_first_and_filters_them(
    eversend: EversendRig,
) -> None:
    await eversend.collected("order1")
    await paid_out(eversend, "refund1")
    await eversend.collected("order2")
    for reference in ("order1", "refund1"):
        await eversend.steer(f"transactions/{reference}/complete")

    async def listed(**params: str) -> tuple[list[str], dict[str, Any]]:
        data = (await eversend.api.get("/v1/transactions", params=params)).json()["data"]
        return [row["transactionRef"] for row in data["transactions"]], data

    everything, data = await listed()
    assert everything == ["order2", "refund1", "order1"]
    assert (data["total_payouts"], data["total_collections"]) == ("10000", "25000")
    assert (await listed(type="payout"))[0] == ["refund1"]
    assert (await listed(type="collection", status="pending"))[0] == ["order2"]
    assert (await listed(search="refund1"))[0] == ["refund1"]
    assert (await listed(limit="2", page="2"))[0] == ["order1"]
    assert (await listed(to="2020-01-01"))[0] == []


@asynccontextmanager
async def eversend_on(state: Path) -> AsyncIterator[EversendRig]:
    settings = eversend_sandbox.Settings(port=0, control_port=0, state=state)
    async with eversend_sandbox.Sandbox(settings) as sandbox:
        rig = EversendRig(
            sandbox.gateway_url, sandbox.control_url, settings.client_id, settings.client_secret
        )
        await rig.authorize()
        yield rig
        await rig.aclose()


async def test_payouts_quotations_and_wallets_outlive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "eversend.sqlite"
    async with eversend_on(state) as rig:
        await rig.steer("config", payout_seconds=600)
        await paid_out(rig)
        unused = await token_of(rig)
        before = await rig.look("transactions")

    async with eversend_on(state) as rig:
        assert await rig.look("transactions") == before
        assert await balance(rig) == OPENING - 10500
        await paid_out(rig, "refund2", token=unused)
        await rig.steer("clock", advance_seconds=600)
        assert await state_of(rig) == ("successful", None)
