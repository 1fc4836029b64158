"""Faults of outcomes and of webhooks: what a payer or the network does to a payment."""

import hashlib
import hmac
import json

import pytest

from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import EversendRig, FlutterwaveRig


@pytest.fixture
async def told(flutterwave: FlutterwaveRig, receiver: Receiver) -> FlutterwaveRig:
    await flutterwave.steer("config", webhook_url=receiver.url, webhook_secret="right")
    await flutterwave.link()
    return flutterwave


async def test_a_dropped_webhook_is_never_sent(told: FlutterwaveRig, receiver: Receiver) -> None:
    await told.fault("webhook_drop", times=1)
    await told.steer("transactions/ref-1/complete")

    (dropped,) = await told.deliveries("dropped")

    assert dropped["faults"] == ["webhook_drop"]
    assert receiver.received == []


async def test_a_delayed_webhook_comes_on_the_sandboxes_clock(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.fault("webhook_delay", seconds=300)
    await told.steer("transactions/ref-1/complete")
    await told.deliveries("waiting")
    assert receiver.received == []

    await told.steer("clock", advance_seconds=300)

    await receiver.wait_for(1)


async def test_a_duplicated_webhook_comes_twice_with_the_same_bytes(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.fault("webhook_duplicate", times=1)
    await told.steer("transactions/ref-1/complete")

    first, second = await receiver.wait_for(2)

    assert first.body == second.body
    await told.deliveries("delivered", "delivered")


async def test_a_reordered_webhook_is_overtaken_by_the_next_one(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.link("ref-2")
    await told.fault("webhook_reorder", match={"reference": "ref-1"}, times=1)
    await told.steer("transactions/ref-1/complete")
    await told.steer("transactions/ref-2/complete")

    received = await receiver.wait_for(2)

    refs = [json.loads(request.body)["data"]["tx_ref"] for request in received]
    assert refs == ["ref-2", "ref-1"]
    await told.deliveries("delivered", "delivered")


async def test_a_reordered_webhook_that_nothing_overtakes_still_comes(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.fault("webhook_reorder", seconds=40)
    await told.steer("transactions/ref-1/complete")

    await told.steer("clock", advance_seconds=40)

    await receiver.wait_for(1)


@pytest.mark.parametrize(
    ("fault", "shown"), [("webhook_bad_signature", "00000"), ("webhook_missing_signature", None)]
)
async def test_a_signature_can_be_wrong_or_missing_on_every_try(
    told: FlutterwaveRig, receiver: Receiver, fault: str, shown: str | None
) -> None:
    receiver.answers.append(401)
    await told.fault(fault, times=1)
    await told.steer("transactions/ref-1/complete")
    await receiver.wait_for(1)
    await told.deliveries("waiting")
    await told.steer("clock", advance_seconds=1801)

    received = await receiver.wait_for(2)

    assert [request.headers.get("verif-hash") for request in received] == [shown, shown]


async def test_a_tampered_amount_keeps_flutterwaves_hash_valid(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.fault("webhook_tampered_amount", times=1)
    await told.steer("transactions/ref-1/complete")

    (request,) = await receiver.wait_for(1)

    assert request.headers["verif-hash"] == "right"
    assert json.loads(request.body)["data"]["amount"] == 250000
    assert (await told.verify()).json()["data"]["amount"] == 25000


async def test_a_tampered_amount_breaks_eversends_signature(
    eversend: EversendRig, receiver: Receiver
) -> None:
    await eversend.steer("config", webhook_url=receiver.url, webhook_secret="right")
    await eversend.collected()
    await eversend.fault("webhook_tampered_amount")
    await eversend.steer("transactions/ref1/complete")

    (request,) = await receiver.wait_for(1)

    right = hmac.new(b"right", request.body, hashlib.sha512).hexdigest()
    assert json.loads(request.body)["amount"] == "250000"
    assert request.headers["x-eversend-signature"] != right


async def test_a_replay_sends_the_same_bytes_again_and_faults_leave_it_alone(
    told: FlutterwaveRig, receiver: Receiver
) -> None:
    await told.steer("transactions/ref-1/complete")
    (delivery,) = await told.deliveries("delivered")
    await told.fault("webhook_drop")

    replayed = await told.steer(f"webhooks/{delivery['id']}/replay")

    first, second = receiver.received
    assert replayed["replay_of"] == delivery["id"]
    assert replayed["tries"][0]["status"] == 200
    assert (first.body, first.headers["verif-hash"]) == (second.body, second.headers["verif-hash"])


@pytest.mark.parametrize(
    ("fault", "amount", "currency"),
    [
        ("underpaid", 12500, "UGX"),
        ("overpaid", 50000, "UGX"),
        ("wrong_currency", 25000, "USD"),
    ],
)
async def test_a_payer_may_send_something_else(
    flutterwave: FlutterwaveRig, eversend: EversendRig, fault: str, amount: int, currency: str
) -> None:
    await flutterwave.link()
    await flutterwave.fault(fault, match={"reference": "ref-1"})
    await flutterwave.steer("transactions/ref-1/complete")
    transaction_id = await eversend.collected()
    await eversend.fault(fault, match={"amount": 25000})
    await eversend.steer("transactions/ref1/complete")

    data = (await flutterwave.verify()).json()["data"]
    found = await eversend.transaction(transaction_id)

    assert (data["status"], data["amount"], data["currency"]) == ("successful", amount, currency)
    assert (found["status"], found["amount"], found["currency"]) == (
        "successful",
        str(amount),
        currency,
    )


@pytest.mark.parametrize(
    ("card", "amount"),
    [
        ("5061460166976054667", 12500),
        ("5061 4601 6697 6054 667", 12500),
        ("5377283645077450", 25000),
    ],
)
async def test_a_fault_matches_by_the_card_that_a_payer_enters(
    flutterwave: FlutterwaveRig, card: str, amount: int
) -> None:
    link = await flutterwave.link()
    await flutterwave.fault("underpaid", match={"card": card})
    await flutterwave.submit(
        link, "card", card_number="5061460166976054667", expiry="10/29", cvv="564"
    )

    assert (await flutterwave.verify()).json()["data"]["amount"] == amount


async def test_two_payments_may_arrive_under_one_reference_as_two_transactions(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.link()
    await flutterwave.fault("second_success", match={"reference": "ref-1"}, seconds=5)
    await flutterwave.steer("transactions/ref-1/complete")
    await flutterwave.steer("clock", advance_seconds=5)

    reply = await flutterwave.api.get("/v3/transactions", params={"tx_ref": "ref-1"})

    rows = reply.json()["data"]
    assert [row["status"] for row in rows] == ["successful", "successful"]
    assert len({row["id"] for row in rows}) == 2


@pytest.mark.parametrize("move", ["fail", "expire"])
async def test_money_may_arrive_after_the_payment_is_over(
    flutterwave: FlutterwaveRig, eversend: EversendRig, move: str
) -> None:
    await flutterwave.link()
    await flutterwave.fault("late_success", seconds=120)
    await flutterwave.steer(f"transactions/ref-1/{move}")
    await eversend.collected()
    await eversend.fault("late_success", seconds=120)
    await eversend.steer(f"transactions/ref1/{move}")
    assert (await flutterwave.look("transactions/ref-1"))["successful_count"] == 0
    assert (await eversend.look("transactions/ref1"))["successful_count"] == 0

    await flutterwave.steer("clock", advance_seconds=120)
    await eversend.steer("clock", advance_seconds=120)

    assert (await flutterwave.look("transactions/ref-1"))["successful_count"] == 1
    assert (await eversend.look("transactions/ref1"))["successful_count"] == 1


async def test_a_payer_may_pay_twice_but_not_for_ever(
    flutterwave: FlutterwaveRig, eversend: EversendRig
) -> None:
    await flutterwave.link()
    await flutterwave.fault("second_success")
    await flutterwave.steer("transactions/ref-1/complete")
    await eversend.collected()
    await eversend.fault("second_success")
    await eversend.steer("transactions/ref1/complete")

    for _ in range(3):
        await flutterwave.steer("clock", advance_seconds=60)
        await eversend.steer("clock", advance_seconds=60)

    assert (await flutterwave.look("transactions/ref-1"))["successful_count"] == 2
    assert (await eversend.look("transactions/ref1"))["successful_count"] == 2
