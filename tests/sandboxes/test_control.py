"""The control API, the same in both sandboxes."""

import pytest

from tests.sandboxes.rigs import EversendRig, FlutterwaveRig, Rig


@pytest.fixture(params=["flutterwave", "eversend"])
async def payment(
    request: pytest.FixtureRequest, flutterwave: FlutterwaveRig, eversend: EversendRig
) -> Rig:
    """Give each sandbox in turn, with one open payment under the reference `ref1`."""
    if request.param == "flutterwave":
        await flutterwave.link("ref1")
        return flutterwave
    await eversend.collected("ref1")
    return eversend


async def test_health_names_the_sandbox_and_its_time(payment: Rig) -> None:
    health = await payment.look("health")

    assert health["status"] == "ok"
    assert health["sandbox"] in ("flutterwave", "eversend")
    assert health["time"].endswith("Z")


async def test_an_open_payment_is_created_once_and_not_successful(payment: Rig) -> None:
    summary = await payment.look("transactions/ref1")

    (charge,) = summary["charges"]
    assert (summary["reference"], charge["reference"]) == ("ref1", "ref1")
    assert (charge["amount"], charge["currency"]) == (25000, "UGX")
    assert (summary["created_count"], summary["successful_count"]) == (1, 0)
    assert (await payment.look("transactions"))["transactions"] == [summary]


async def test_completing_pays_exactly_once(payment: Rig) -> None:
    summary = await payment.steer("transactions/ref1/complete")
    again = await payment.control.post("/_sandbox/transactions/ref1/complete")

    assert summary["successful_count"] == 1
    assert summary["charges"][-1]["status"] == "successful"
    assert again.status_code == 409
    assert (await payment.look("transactions/ref1"))["successful_count"] == 1


@pytest.mark.parametrize("move", ["fail", "expire"])
async def test_a_payment_that_is_over_cannot_be_moved_again(payment: Rig, move: str) -> None:
    summary = await payment.steer(f"transactions/ref1/{move}")

    for again in ("complete", "fail", "expire"):
        reply = await payment.control.post(f"/_sandbox/transactions/ref1/{again}")
        assert reply.status_code == 409
    assert summary["successful_count"] == 0
    assert await payment.look("transactions/ref1") == summary


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "transactions/nope"),
        ("POST", "transactions/nope/complete"),
        ("POST", "transactions/nope/fail"),
        ("POST", "transactions/nope/expire"),
        ("POST", "webhooks/nope/replay"),
        ("GET", "nope"),
    ],
)
async def test_what_is_unknown_is_not_found_in_json(payment: Rig, method: str, path: str) -> None:
    reply = await payment.control.request(method, f"/_sandbox/{path}")

    assert reply.status_code == 404
    assert "error" in reply.json()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"fault": "explode"}, "unknown fault 'explode'"),
        ({}, "unknown fault None"),
        ({"fault": "delay", "operation": "pay"}, "unknown operation 'pay'"),
        ({"fault": "delay", "match": {"colour": "red"}}, "match must be an object"),
        ({"fault": "delay", "match": {"card": "1"}}, "match.card"),
        ({"fault": "delay", "match": {"amount": "x"}}, "match.amount"),
        ({"fault": "delay", "times": 0}, "times must be a whole number"),
        ({"fault": "delay", "probability": 1.5}, "probability must be a number"),
        ({"fault": "delay", "seconds": -1}, "seconds must be a number"),
        ({"fault": "delay", "second": 1}, "unknown field 'second'"),
    ],
)
async def test_a_fault_that_cannot_be_set_is_explained(
    payment: Rig, fault: dict[str, object], said: str
) -> None:
    reply = await payment.control.post("/_sandbox/faults", json=fault)

    assert reply.status_code == 400
    assert said in reply.json()["error"]
    assert "lost_reply" in reply.json()["known_faults"]
    assert (await payment.look("faults"))["faults"] == []


async def test_faults_are_listed_with_their_counts_and_cleared(payment: Rig) -> None:
    await payment.fault("webhook_drop", match={"reference": "ref1"}, times=2, seed=9)
    await payment.steer("transactions/ref1/complete")

    (listed,) = (await payment.look("faults"))["faults"]
    cleared = await payment.control.delete("/_sandbox/faults")

    assert listed == {
        "id": listed["id"],
        "fault": "webhook_drop",
        "operation": "any",
        "match": {"reference": "ref1"},
        "times": 2,
        "probability": 1,
        "seconds": None,
        "seed": 9,
        "fired": 1,
    }
    assert cleared.status_code == 200
    assert (await payment.look("faults"))["faults"] == []


@pytest.mark.parametrize("body", ['{"advance_seconds": -1}', '{"advance_seconds": "x"}', "{}", "["])
async def test_the_clock_only_moves_forward(payment: Rig, body: str) -> None:
    reply = await payment.control.post("/_sandbox/clock", content=body)

    assert reply.status_code == 400
    assert (await payment.look("clock"))["offset_seconds"] == 0


async def test_settings_change_all_or_none_and_show_themselves(payment: Rig) -> None:
    changed = await payment.steer("config", webhook_url="http://127.0.0.1:1/x")
    refused = await payment.control.post(
        "/_sandbox/config", json={"webhook_url": None, "webhook_shape": "round"}
    )
    unknown = await payment.control.post("/_sandbox/config", json={"port": 1})

    assert changed["webhook_url"] == "http://127.0.0.1:1/x"
    assert refused.status_code == unknown.status_code == 400
    assert "webhook_shape must be one of" in refused.json()["error"]
    assert "unknown setting 'port'" in unknown.json()["error"]
    assert await payment.look("config") == changed


async def test_without_an_address_webhooks_are_logged_but_not_sent(payment: Rig) -> None:
    await payment.steer("transactions/ref1/complete")

    (delivery,) = await payment.deliveries("no_url")

    assert delivery["reference"] == "ref1"
    assert delivery["tries"] == []
    assert (await payment.look("webhooks?reference=other"))["webhooks"] == []


async def test_a_reset_forgets_everything(payment: Rig) -> None:
    before = await payment.look("config")
    await payment.steer("config", webhook_url="http://127.0.0.1:1/x")
    await payment.steer("transactions/ref1/complete")
    await payment.fault("unreachable")
    await payment.steer("clock", advance_seconds=50)

    await payment.steer("reset")

    assert (await payment.look("transactions"))["transactions"] == []
    assert (await payment.look("webhooks"))["webhooks"] == []
    assert (await payment.look("faults"))["faults"] == []
    assert (await payment.look("clock"))["offset_seconds"] == 0
    assert await payment.look("config") == before
    assert (await payment.api.get("/")).status_code == 404
