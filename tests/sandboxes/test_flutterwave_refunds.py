"""Flutterwave: refunds, from accepted to arrived or failed, and the webhook about them."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import FlutterwaveRig, exact

INITIATED = [
    "id",
    "account_id",
    "tx_id",
    "flw_ref",
    "wallet_id",
    "amount_refunded",
    "status",
    "destination",
    "meta",
    "created_at",
]
SNAKE = {
    "id",
    "amount_refunded",
    "status",
    "flw_ref",
    "comment",
    "settlement_id",
    "meta",
    "created_at",
    "account_id",
    "transaction_id",
}
PASCAL = {
    "id",
    "AmountRefunded",
    "status",
    "FlwRef",
    "destination",
    "comments",
    "settlement_id",
    "meta",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "walletId",
    "AccountId",
    "TransactionId",
}


async def paid(rig: FlutterwaveRig, option: str = "mobilemoneyuganda", **fields: object) -> int:
    """Pay 25,000 UGX, or something else, and return the transaction's id."""
    await rig.link("ref-1", **fields)
    await rig.steer("transactions/ref-1/complete", payment_option=option)
    return int((await rig.verify()).json()["data"]["id"])


async def refunded(rig: FlutterwaveRig, transaction: int, **body: object) -> httpx.Response:
    return await rig.api.post(f"/v3/transactions/{transaction}/refund", json=body)


async def refund(rig: FlutterwaveRig, transaction: int, **body: object) -> dict[str, Any]:
    reply = await refunded(rig, transaction, **body)
    assert reply.status_code == 200, reply.text
    data: dict[str, Any] = exact(reply)["data"]
    return data


async def fetched(rig: FlutterwaveRig, refund_id: int) -> dict[str, Any]:
    reply = await rig.api.get(f"/v3/refunds/{refund_id}")
    assert reply.status_code == 200, reply.text
    data: dict[str, Any] = exact(reply)["data"]
    return data


async def test_a_refund_reads_as_documented_when_it_is_accepted(
    flutterwave: FlutterwaveRig,
) -> None:
    transaction = await paid(flutterwave)
    reply = await refunded(flutterwave, transaction, amount=10000.0, comments="rf-1")

    body = exact(reply)
    assert body["message"] == "Transaction refund initiated"
    assert list(body["data"]) == INITIATED
    assert (body["data"]["status"], body["data"]["amount_refunded"]) == ("completed", 10000)
    assert body["data"]["tx_id"] == transaction
    assert body["data"]["meta"] == {"source": "availablebalance"}


@pytest.mark.parametrize(
    ("option", "currency", "word"),
    [
        ("mobilemoneyuganda", "UGX", "completed-momo"),
        ("mpesa", "KES", "completed-momo"),
        ("card", "UGX", "completed-mpgs"),
        ("googlepay", "NGN", "completed-mpgs"),
        ("banktransfer", "NGN", "completed-bank-transfer"),
        ("ussd", "NGN", "completed-bank-transfer"),
    ],
)
async def test_a_refund_arrives_after_a_while_under_the_word_of_its_method(
    flutterwave: FlutterwaveRig, option: str, currency: str, word: str
) -> None:
    made = await refund(flutterwave, await paid(flutterwave, option, currency=currency))

    await flutterwave.steer("clock", advance_seconds=59)
    before = await fetched(flutterwave, made["id"])
    await flutterwave.steer("clock", advance_seconds=2)
    after = await fetched(flutterwave, made["id"])

    assert (before["status"], after["status"]) == ("completed", word)
    assert json.loads(after["meta"])["disburse_status"] == "successful"


async def test_a_refund_may_arrive_at_once_and_is_accepted_first_all_the_same(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.steer("config", refund_seconds=0)

    made = await refund(flutterwave, await paid(flutterwave))

    assert made["status"] == "completed"
    assert (await fetched(flutterwave, made["id"]))["status"] == "completed-momo"


@pytest.mark.parametrize(
    "match", [{"reference": "ref-1"}, {"reference": "rf-1"}, {"amount": 10000}, {}]
)
async def test_a_refund_may_be_accepted_and_then_fail(
    flutterwave: FlutterwaveRig, match: dict[str, object]
) -> None:
    transaction = await paid(flutterwave)
    await flutterwave.fault("refund_fails", match=match, times=1)
    made = await refund(flutterwave, transaction, amount=10000, comments="rf-1")

    await flutterwave.steer("clock", advance_seconds=60)

    assert made["status"] == "completed"
    assert (await fetched(flutterwave, made["id"]))["status"] == "failed"
    assert await flutterwave.fired() == [1]
    again = await refund(flutterwave, transaction, amount=25000)
    await flutterwave.steer("clock", advance_seconds=60)
    assert (await fetched(flutterwave, again["id"]))["status"] == "completed-momo"


async def test_parts_may_go_back_until_nothing_is_left(flutterwave: FlutterwaveRig) -> None:
    transaction = await paid(flutterwave)

    first = await refund(flutterwave, transaction, amount=10000)
    too_much = await refunded(flutterwave, transaction, amount=15001)
    rest = await refund(flutterwave, transaction)
    again = await refunded(flutterwave, transaction, amount=1)

    assert (first["amount_refunded"], rest["amount_refunded"]) == (10000, 15000)
    assert (too_much.status_code, again.status_code) == (400, 400)
    assert again.json() == {
        "status": "error",
        "message": "This transaction has already been refunded",
        "data": None,
    }


@pytest.mark.parametrize(
    ("currency", "amount", "said"),
    [
        ("NGN", 99, "Amount should be above NGN100"),
        ("UGX", 0, "greater than 0"),
        ("UGX", "all", "greater than 0"),
        ("UGX", 0.5, "too many decimals"),
        ("UGX", 25001, "more than what is left"),
    ],
)
async def test_an_amount_that_cannot_go_back_is_refused(
    flutterwave: FlutterwaveRig, currency: str, amount: object, said: str
) -> None:
    transaction = await paid(flutterwave, "card", currency=currency)

    reply = await refunded(flutterwave, transaction, amount=amount)

    assert reply.status_code == 400
    assert said in reply.json()["message"]
    assert (await flutterwave.look("transactions/ref-1"))["refunds"] == []


async def test_only_a_successful_transaction_can_be_refunded(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/fail")
    declined = (await flutterwave.verify()).json()["data"]["id"]

    for transaction in (declined, 404404):
        assert (await refunded(flutterwave, transaction)).status_code == 400


async def test_the_list_mixes_two_spellings_and_finds_by_transaction(
    flutterwave: FlutterwaveRig,
) -> None:
    transaction = await paid(flutterwave)
    made = [
        await refund(flutterwave, transaction, amount=n, comments=f"rf-{n}") for n in (100, 200)
    ]

    reply = await flutterwave.api.get("/v3/refunds", params={"id": transaction})
    other = await flutterwave.api.get("/v3/refunds", params={"id": 404404})

    newest, oldest = reply.json()["data"]
    assert reply.json()["message"] == "Refunds fetched"
    assert reply.json()["meta"]["page_info"] == {"total": 2, "current_page": 1, "total_pages": 1}
    assert (set(newest), set(oldest)) == (SNAKE, PASCAL)
    assert [newest["id"], oldest["id"]] == [made[1]["id"], made[0]["id"]]
    assert (newest["comment"], oldest["comments"]) == ("rf-200", "rf-100")
    assert (newest["amount_refunded"], oldest["AmountRefunded"]) == (200, 100)
    assert (newest["transaction_id"], oldest["TransactionId"]) == (transaction, transaction)
    assert other.json()["data"] == []


@pytest.mark.parametrize(("casing", "keys"), [("snake", SNAKE), ("pascal", PASCAL)])
async def test_the_lists_spelling_can_be_chosen(
    flutterwave: FlutterwaveRig, casing: str, keys: set[str]
) -> None:
    await flutterwave.steer("config", refund_list_casing=casing)
    transaction = await paid(flutterwave)
    for _ in range(2):
        await refund(flutterwave, transaction, amount=100)

    rows = (await flutterwave.api.get("/v3/refunds")).json()["data"]

    assert [set(row) for row in rows] == [keys, keys]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "completed"}, 1),
        ({"status": "failed"}, 0),
        ({"currency": "UGX"}, 1),
        ({"currency": "KES"}, 0),
        ({"to": "2020-01-01"}, 0),
        ({"from": "2020-01-01"}, 1),
        ({"page": "2"}, 0),
    ],
)
async def test_the_list_can_be_narrowed(
    flutterwave: FlutterwaveRig, query: dict[str, str], found: int
) -> None:
    await refund(flutterwave, await paid(flutterwave))

    reply = await flutterwave.api.get("/v3/refunds", params=query)

    assert len(reply.json()["data"]) == found


async def test_refunds_of_a_transaction_have_no_path_of_their_own(
    flutterwave: FlutterwaveRig,
) -> None:
    transaction = await paid(flutterwave)
    reply = await flutterwave.api.get(f"/v3/transactions/{transaction}/refunds")

    assert reply.status_code == 404
    assert reply.text.startswith("<!DOCTYPE html>")
    assert (await flutterwave.api.get("/v3/refunds/404404")).status_code == 400


async def test_a_refund_is_told_in_the_flat_shape_once_that_is_switched_on(
    flutterwave: FlutterwaveRig, receiver: Receiver
) -> None:
    await flutterwave.steer("config", webhook_url=receiver.url, refund_webhooks=True)
    transaction = await paid(flutterwave)
    await receiver.wait_for(1)
    made = await refund(flutterwave, transaction, amount=10000, comments="rf-1")

    await flutterwave.steer("clock", advance_seconds=60)

    _, told = await receiver.wait_for(2)
    body = json.loads(told.body)
    assert told.headers["verif-hash"] == "flutterwave-sandbox-webhook-hash"
    assert set(body) == PASCAL
    assert (body["id"], body["TransactionId"]) == (made["id"], transaction)
    assert (body["AmountRefunded"], body["status"]) == (10000, "completed-momo")
    assert body["comments"] == "rf-1"


async def test_a_refunds_own_address_is_told_without_the_switch(
    flutterwave: FlutterwaveRig, receiver: Receiver
) -> None:
    transaction = await paid(flutterwave)
    await refund(flutterwave, transaction, callbackurl=receiver.url)
    await flutterwave.fault("webhook_tampered_amount")

    await flutterwave.steer("clock", advance_seconds=60)

    (told,) = await receiver.wait_for(1)
    assert json.loads(told.body)["AmountRefunded"] == 250000
    _, delivery = await flutterwave.deliveries("no_url", "delivered")
    replayed = await flutterwave.steer(f"webhooks/{delivery['id']}/replay")
    assert replayed["url"] == receiver.url


async def test_a_slow_look_up_hides_a_refund_and_then_shows_it_as_accepted(
    flutterwave: FlutterwaveRig,
) -> None:
    made = await refund(flutterwave, await paid(flutterwave))
    await flutterwave.steer("clock", advance_seconds=60)
    await flutterwave.fault("slow_lookup", match={"reference": "ref-1"})

    replies = [await flutterwave.api.get(f"/v3/refunds/{made['id']}") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [400, 200, 200]
    seen = [reply.json()["data"]["status"] for reply in replies[1:]]
    assert seen == ["completed", "completed-momo"]


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ("error_before_effect", 0),
        ("rate_limited", 0),
        ("html_error", 0),
        ("error_after_effect", 1),
        ("lost_reply", 1),
        ("bad_json", 1),
    ],
)
@pytest.mark.parametrize(
    "match", [{"reference": "ref-1"}, {"reference": "rf-1"}, {"amount": "10000"}]
)
async def test_faults_of_refunds_strike_refunds_alone(
    flutterwave: FlutterwaveRig, fault: str, made: int, match: dict[str, str]
) -> None:
    transaction = await paid(flutterwave)
    await flutterwave.fault(fault, operation="refund", match=match)
    await flutterwave.verify()

    try:
        reply = await refunded(flutterwave, transaction, amount=10000, comments="rf-1")
        assert reply.status_code != 200 or fault == "bad_json"
    except httpx.TransportError:
        assert fault == "lost_reply"

    assert await flutterwave.fired() == [1]
    refunds = (await flutterwave.look("transactions/ref-1"))["refunds"]
    assert [each["amount_refunded"] for each in refunds] == [Decimal(10000)] * made
