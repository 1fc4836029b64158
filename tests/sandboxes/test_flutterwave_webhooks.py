"""Flutterwave: what merchants are told, and what counts as delivered."""

import json

import pytest

from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import FlutterwaveRig

HASH = "the-hash-of-this-test"


@pytest.fixture
async def told(flutterwave: FlutterwaveRig, receiver: Receiver) -> FlutterwaveRig:
    """Point the sandbox's webhooks at the receiver, with one payment waiting."""
    await flutterwave.steer("config", webhook_url=receiver.url, webhook_secret=HASH)
    await flutterwave.link(meta={"order_id": "480"})
    return flutterwave


async def test_a_success_is_told_in_the_v3_shape_with_the_secret_hash(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("transactions/ref-1/complete", payment_option="card")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    verified = (await told.verify()).json()["data"]
    assert request.headers["verif-hash"] == HASH
    assert list(body) == ["event", "data", "event.type"]
    assert (body["event"], body["event.type"]) == ("charge.completed", "CARD_TRANSACTION")
    assert "token" not in body["data"]["card"]
    del verified["card"]["token"]
    assert {**body["data"]} == {
        name: value for name, value in verified.items() if name not in ("meta", "amount_settled")
    }


async def test_a_failed_attempt_is_told_as_a_completed_charge_that_failed(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("transactions/ref-1/fail", reason="Do Not Honour")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert body["event"] == "charge.completed"
    assert (body["data"]["status"], body["data"]["processor_response"]) == (
        "failed",
        "Do Not Honour",
    )


async def test_failed_attempts_are_silent_when_that_is_switched_off(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("config", failed_webhooks=False)
    await told.steer("transactions/ref-1/fail")
    await told.link("ref-2")
    await told.steer("transactions/ref-2/complete")

    (request,) = await receiver.wait_for(1)

    assert json.loads(request.body)["data"]["tx_ref"] == "ref-2"
    await told.deliveries("delivered")


async def test_the_merchants_meta_is_told_only_when_switched_on(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("config", webhook_meta=True)
    await told.steer("transactions/ref-1/complete")

    (request,) = await receiver.wait_for(1)

    assert json.loads(request.body)["meta_data"]["order_id"] == "480"


async def test_the_legacy_shape_is_flat(told: FlutterwaveRig, receiver: Receiver) -> None:
    await told.steer("config", webhook_shape="legacy")
    await told.steer("transactions/ref-1/complete", payment_option="mobilemoneyuganda")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert "event" not in body
    assert (body["txRef"], body["status"], body["amount"]) == ("ref-1", "successful", 25000)
    assert body["entity"] == {"id": "NO-ENTITY"}
    assert body["event.type"] == "MOBILEMONEYUG_TRANSACTION"


async def test_without_a_secret_there_is_no_hash(told: FlutterwaveRig, receiver: Receiver) -> None:
    await told.steer("config", webhook_secret=None)
    await told.steer("transactions/ref-1/complete")

    (request,) = await receiver.wait_for(1)

    assert "verif-hash" not in request.headers


@pytest.mark.parametrize("answer", [201, 204, 302, 400, 500])
async def test_anything_but_200_is_retried_on_the_sandboxes_clock(
    told: FlutterwaveRig, receiver: Receiver, answer: int
) -> None:
    receiver.answers.append(answer)
    await told.steer("transactions/ref-1/complete")
    await receiver.wait_for(1)
    (waiting,) = await told.deliveries("waiting")
    assert [entry["status"] for entry in waiting["tries"]] == [answer]

    await told.steer("clock", advance_seconds=1801)
    await receiver.wait_for(2)

    (delivered,) = await told.deliveries("delivered")
    assert [entry["status"] for entry in delivered["tries"]] == [answer, 200]
    assert receiver.received[0].body == receiver.received[1].body


async def test_after_three_retries_the_delivery_is_given_up(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    receiver.answers.extend([500] * 4)
    await told.steer("transactions/ref-1/complete")
    for count in (1, 2, 3):
        await receiver.wait_for(count)
        await told.deliveries("waiting")
        await told.steer("clock", advance_seconds=1801)
    await receiver.wait_for(4)

    (given_up,) = await told.deliveries("given_up")

    assert len(given_up["tries"]) == 4
    assert given_up["next_try_at"] is None


async def test_a_receiver_that_is_gone_or_silent_is_noted_in_the_log(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    receiver.answers.append(0)
    await told.steer("config", webhook_timeout_seconds=0.05, webhook_retry_seconds=[])
    await told.steer("transactions/ref-1/complete")
    (silent,) = await told.deliveries("given_up")
    await told.steer("config", webhook_url="http://127.0.0.1:1/nobody")
    await told.link("ref-2")
    await told.steer("transactions/ref-2/complete")
    _, gone = await told.deliveries("given_up", "given_up")

    assert silent["tries"][0]["error"] == "no answer within 0.05 seconds"
    assert gone["tries"][0]["error"].startswith("ConnectError")


async def test_a_webhook_can_be_sent_again_by_the_merchant(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("transactions/ref-1/complete")
    await receiver.wait_for(1)
    number = (await told.verify()).json()["data"]["id"]

    reply = await told.api.post(f"/v3/transactions/{number}/resend-hook")
    unknown = await told.api.post("/v3/transactions/1/resend-hook")

    first, second = await receiver.wait_for(2)
    assert reply.json() == {
        "status": "success",
        "message": "hook sent successfully",
        "data": "hook sent",
    }
    assert first.body == second.body
    assert unknown.status_code == 400
