"""Faults of requests: each happens as often as it was asked for, to whom it was asked for."""

import asyncio
import json

import httpx
import pytest

from tests.sandboxes.rigs import EversendRig, FlutterwaveRig, Rig, eventually


async def created(rig: FlutterwaveRig, tx_ref: str = "ref-1") -> int:
    summary = await rig.control.get(f"/_sandbox/transactions/{tx_ref}")
    return int(summary.json()["created_count"]) if summary.is_success else 0


@pytest.mark.parametrize(
    ("fault", "status"), [("error_before_effect", 500), ("rate_limited", 429), ("html_error", 502)]
)
async def test_a_fault_before_the_effect_leaves_no_trace(
    flutterwave: FlutterwaveRig, fault: str, status: int
) -> None:
    await flutterwave.fault(fault, operation="create", times=1)

    refused, accepted = await flutterwave.create("ref-1"), await flutterwave.create("ref-2")

    assert (refused.status_code, accepted.status_code) == (status, 200)
    assert (await created(flutterwave, "ref-1"), await created(flutterwave, "ref-2")) == (0, 1)


async def test_an_error_after_the_effect_hides_what_was_done(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.fault("error_after_effect", operation="create", times=1)

    reply = await flutterwave.create()

    assert reply.status_code == 500
    assert reply.json()["error_id"].startswith("ERRNO")
    assert await created(flutterwave) == 1


async def test_an_error_with_seconds_is_a_timeout_of_the_gateways_own(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("error_after_effect", operation="create", seconds=28)
    asking = asyncio.create_task(flutterwave.create())
    await firing(flutterwave)

    await flutterwave.steer("clock", advance_seconds=28)

    reply = await asking
    assert reply.status_code == 503
    assert reply.json()["message"] == "An error occurred. Please contact support"
    assert await created(flutterwave) == 1


async def test_a_lost_reply_cuts_the_connection_after_the_effect(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("lost_reply", operation="create", times=1)

    with pytest.raises(httpx.TransportError):
        await flutterwave.create()

    assert await created(flutterwave) == 1
    assert (await flutterwave.create("ref-2")).status_code == 200


async def test_bad_json_is_a_success_that_cannot_be_read(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.fault("bad_json", operation="create", times=1)

    reply = await flutterwave.create()

    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        reply.json()
    assert await created(flutterwave) == 1


async def test_a_refused_request_does_not_use_up_a_fault_after_the_effect(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("error_after_effect", operation="create", times=1)

    refused = await flutterwave.create(amount=0)
    broken = await flutterwave.create()

    assert (refused.status_code, broken.status_code) == (400, 500)


async def test_refused_credentials_do_not_use_up_a_fault_after_the_effect(
    eversend: EversendRig,
) -> None:
    await eversend.fault("error_after_effect", operation="token", times=1)
    wrong = {**eversend.credentials, "clientSecret": "wrong"}

    refused = await eversend.api.get("/v1/auth/token", headers=wrong)
    broken = await eversend.api.get("/v1/auth/token", headers=eversend.credentials)

    assert (refused.status_code, broken.status_code) == (401, 500)


async def test_a_request_without_the_key_does_not_use_up_a_fault(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("rate_limited", times=1)

    await flutterwave.api.get("/v3/transactions", headers={"authorization": "Bearer x"})

    assert await flutterwave.fired() == [0]
    assert (await flutterwave.create()).status_code == 429


async def test_a_delay_holds_the_request_on_the_sandboxes_clock(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("delay", operation="create", seconds=3600)
    asking = asyncio.create_task(flutterwave.create())
    await firing(flutterwave)
    assert await created(flutterwave) == 0

    await flutterwave.steer("clock", advance_seconds=3600)

    assert (await asking).status_code == 200


async def test_a_reset_lets_delayed_requests_go(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.fault("delay", seconds=3600)
    asking = asyncio.create_task(flutterwave.create())
    await firing(flutterwave)

    await flutterwave.steer("reset")

    assert (await asking).status_code == 200


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ({"reference": "ref-1"}, 500),
        ({"reference": "ref-2"}, 200),
        ({"phone": "+256 772 000 481"}, 500),
        ({"phone": "+256772000482"}, 200),
        ({"amount": "25000.00"}, 500),
        ({"amount": 25001}, 200),
        ({"reference": "ref-1", "amount": 1}, 200),
    ],
)
async def test_a_fault_matches_by_reference_phone_and_amount(
    flutterwave: FlutterwaveRig, match: dict[str, object], status: int
) -> None:
    await flutterwave.fault("error_before_effect", operation="create", match=match)

    reply = await flutterwave.create()

    assert reply.status_code == status


async def test_a_fault_strikes_only_its_operation(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")
    await flutterwave.fault("error_before_effect", operation="lookup")

    by_reference = await flutterwave.verify()
    listed = await flutterwave.api.get("/v3/transactions")
    disabled = await flutterwave.api.post("/v3/payments/link/disable", json={"link": link})

    assert by_reference.status_code == listed.status_code == 500
    assert disabled.status_code == 400


async def test_a_fault_of_any_operation_strikes_them_all(eversend: EversendRig) -> None:
    await eversend.fault("error_before_effect")

    replies = [
        await eversend.collect(),
        await eversend.api.get("/v1/transactions"),
        await eversend.api.get("/v1/wallets"),
        await eversend.api.get("/v1/auth/token", headers=eversend.credentials),
    ]

    assert [reply.status_code for reply in replies] == [500] * 4


async def test_eversends_token_call_is_an_operation_of_its_own(eversend: EversendRig) -> None:
    await eversend.fault("rate_limited", operation="token")

    token = await eversend.api.get("/v1/auth/token", headers=eversend.credentials)

    assert token.status_code == 429
    assert (await eversend.collect()).status_code == 200


async def test_times_is_exact_under_concurrent_requests(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.fault("error_before_effect", operation="create", times=7)
    await flutterwave.fault("delay", operation="create", times=20, seconds=0.01)

    replies = await asyncio.gather(*(flutterwave.create(f"ref-{n}") for n in range(60)))

    assert sum(reply.status_code == 500 for reply in replies) == 7
    assert await flutterwave.fired() == [7, 20]
    assert len((await flutterwave.look("transactions"))["transactions"]) == 53


async def test_a_probability_is_repeatable_by_its_seed(flutterwave: FlutterwaveRig) -> None:
    async def throws(seed: int) -> list[int]:
        await flutterwave.steer("reset")
        await flutterwave.fault("error_before_effect", probability=0.5, seed=seed)
        return [(await flutterwave.create(f"ref-{n}")).status_code for n in range(20)]

    first, second, other = await throws(1), await throws(1), await throws(2)

    assert first == second != other
    assert {200, 500} == set(first)


async def test_an_unreachable_gateway_refuses_connections_until_cleared(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.create()
    await flutterwave.fault("unreachable")

    with pytest.raises(httpx.ConnectError):
        await flutterwave.create("ref-2")
    await flutterwave.control.delete("/_sandbox/faults")

    assert (await flutterwave.create("ref-2")).status_code == 200
    assert (await flutterwave.look("faults"))["faults"] == []


async def test_an_unreachable_gateway_comes_back_after_its_seconds(eversend: EversendRig) -> None:
    await eversend.fault("unreachable", seconds=600)
    with pytest.raises(httpx.ConnectError):
        await eversend.collect()

    await eversend.steer("clock", advance_seconds=600)

    await reachable(eversend)


async def test_requests_under_way_survive_the_port_being_closed(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.fault("delay", seconds=60)
    asking = asyncio.create_task(flutterwave.create())
    await firing(flutterwave)

    await flutterwave.fault("unreachable")
    await flutterwave.steer("clock", advance_seconds=60)

    assert (await asking).status_code == 200


async def test_a_slow_look_up_finds_nothing_then_pending_then_the_truth(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")
    await flutterwave.fault("slow_lookup", operation="lookup")

    first, second, third = [await flutterwave.verify() for _ in range(3)]

    assert first.status_code == 400
    assert second.json()["data"]["status"] == "pending"
    assert second.json()["data"]["amount_settled"] is None
    assert third.json()["data"]["status"] == "successful"
    assert await flutterwave.fired() == [2]


async def test_a_slow_look_up_lags_for_as_many_look_ups_as_asked(eversend: EversendRig) -> None:
    transaction_id = await eversend.collected()
    await eversend.steer("transactions/ref1/complete")
    await eversend.fault("slow_lookup", match={"reference": "ref1"}, times=4)

    async def seen() -> str:
        reply = await eversend.api.get("/v1/transactions", params={"search": "ref1"})
        rows = reply.json()["data"]["transactions"]
        return str(rows[0]["status"]) if rows else "nothing"

    assert [await seen() for _ in range(3)] == ["nothing", "nothing", "pending"]
    assert (await eversend.transaction(transaction_id))["status"] == "pending"
    assert (await eversend.transaction(transaction_id))["status"] == "successful"


async def test_a_slow_look_up_may_lag_by_time(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")
    await flutterwave.fault("slow_lookup", seconds=60)

    first = await flutterwave.verify()
    await flutterwave.steer("clock", advance_seconds=31)
    second = await flutterwave.verify()
    await flutterwave.steer("clock", advance_seconds=31)
    third = await flutterwave.verify()

    assert first.status_code == 400
    assert second.json()["data"]["status"] == "pending"
    assert third.json()["data"]["status"] == "successful"


async def firing(rig: Rig) -> None:
    """Wait until the newest fault has fired, so that its request is under way."""

    async def fired() -> bool:
        return (await rig.fired())[-1] > 0

    await eventually(fired)


async def reachable(rig: Rig) -> None:
    """Wait until the gateway's port accepts a connection again."""

    async def accepted() -> bool:
        try:
            await rig.api.get("/")
        except httpx.ConnectError:
            return False
        return True

    await eventually(accepted)
