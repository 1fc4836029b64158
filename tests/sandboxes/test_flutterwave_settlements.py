"""Flutterwave: chargebacks, settlements, fees, balances and a transaction's events."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandboxes.rigs import FlutterwaveRig, exact


async def paid(rig: FlutterwaveRig, tx_ref: str = "ref-1", **fields: object) -> dict[str, Any]:
    await rig.link(tx_ref, **fields)
    await rig.steer(f"transactions/{tx_ref}/complete")
    data: dict[str, Any] = exact(await rig.verify(tx_ref))["data"]
    return data


async def chargebacks(rig: FlutterwaveRig, **query: str) -> list[dict[str, Any]]:
    reply = await rig.api.get("/v3/chargebacks", params=query)
    assert reply.json()["meta"]["page_info"]["page_size"] == 20
    rows: list[dict[str, Any]] = exact(reply)["data"]
    return rows


async def settlements(rig: FlutterwaveRig) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = exact(await rig.api.get("/v3/settlements"))["data"]
    return rows


async def test_a_chargeback_reads_as_documented(flutterwave: FlutterwaveRig) -> None:
    transaction = await paid(flutterwave)

    summary = await flutterwave.steer("transactions/ref-1/chargeback", amount=20000, reason="Fraud")

    (row,) = await chargebacks(flutterwave)
    assert summary["chargebacks"] == [row]
    assert (row["status"], row["stage"], row["amount"]) == ("initiated", "new", 20000)
    assert (row["transaction_id"], row["tx_ref"]) == (transaction["id"], "ref-1")
    assert (row["flw_ref"], row["comment"]) == (transaction["flw_ref"], "Fraud")
    assert row["settlement_id"] == "NEW"
    assert [step["action"] for step in row["meta"]["history"]] == ["initiated"]
    assert row["due_date"] > row["created_at"]


@pytest.mark.parametrize("verdict", ["won", "lost"])
async def test_the_bank_decides_a_chargeback_that_the_merchant_declined(
    flutterwave: FlutterwaveRig, verdict: str
) -> None:
    await paid(flutterwave)
    await flutterwave.steer("transactions/ref-1/chargeback")
    (row,) = await chargebacks(flutterwave)

    answer = await flutterwave.api.put(
        f"/v3/chargebacks/{row['id']}", json={"action": "decline", "comment": "It was delivered"}
    )
    declined = await chargebacks(flutterwave)
    await flutterwave.steer(f"transactions/ref-1/chargeback/{verdict}")

    assert answer.json() == {"status": "success", "message": "Chargeback declined", "data": None}
    assert [each["status"] for each in declined] == ["declined"]
    (row,) = await chargebacks(flutterwave)
    assert [step["action"] for step in row["meta"]["history"]] == ["initiated", "declined", verdict]
    assert row["status"] == verdict
    too_late = await flutterwave.control.post("/_sandbox/transactions/ref-1/chargeback/won")
    assert too_late.status_code == 409


async def test_an_accepted_chargeback_takes_no_second_answer(flutterwave: FlutterwaveRig) -> None:
    await paid(flutterwave)
    await flutterwave.steer("transactions/ref-1/chargeback")
    (row,) = await chargebacks(flutterwave)
    path = f"/v3/chargebacks/{row['id']}"

    replies = [
        await flutterwave.api.put(path, json={"action": action})
        for action in ("maybe", "accept", "decline")
    ]

    assert [reply.status_code for reply in replies] == [400, 200, 400]
    assert [each["status"] for each in await chargebacks(flutterwave)] == ["accepted"]


async def test_a_chargeback_without_an_answer_is_lost_at_its_due_date(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.steer("config", chargeback_answer_seconds=3600)
    await paid(flutterwave)
    await flutterwave.steer("transactions/ref-1/chargeback")

    await flutterwave.steer("clock", advance_seconds=3600)

    assert [each["status"] for each in await chargebacks(flutterwave)] == ["lost"]


async def test_only_money_that_was_paid_can_be_demanded_back_and_once_at_a_time(
    flutterwave: FlutterwaveRig,
) -> None:
    path = "/_sandbox/transactions/ref-1/chargeback"
    unknown = await flutterwave.control.post(path)
    await flutterwave.link()
    unpaid = await flutterwave.control.post(path)
    await flutterwave.steer("transactions/ref-1/complete")
    too_much = await flutterwave.control.post(path, json={"amount": 25001})
    first = await flutterwave.control.post(path)
    second = await flutterwave.control.post(path)

    replies = (unknown, unpaid, too_much, first, second)
    assert [reply.status_code for reply in replies] == [404, 409, 400, 201, 409]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "initiated"}, 1),
        ({"status": "won"}, 0),
        ({"currency": "UGX"}, 1),
        ({"currency": "KES"}, 0),
        ({"flw_ref": "another"}, 0),
        ({"to": "2020-01-01"}, 0),
        ({"page": "2"}, 0),
    ],
)
async def test_the_list_of_chargebacks_can_be_narrowed(
    flutterwave: FlutterwaveRig, query: dict[str, str], found: int
) -> None:
    await paid(flutterwave)
    await flutterwave.steer("transactions/ref-1/chargeback")

    assert len(await chargebacks(flutterwave, **query)) == found


async def test_a_settlement_pays_for_everything_that_is_due_and_only_once(
    flutterwave: FlutterwaveRig,
) -> None:
    first, second = await paid(flutterwave, "ref-1"), await paid(flutterwave, "ref-2")
    await paid(flutterwave, "ref-3", currency="KES", amount="499.50")
    await flutterwave.link("ref-4")
    await flutterwave.api.post(f"/v3/transactions/{first['id']}/refund", json={"amount": 10000})
    await flutterwave.steer("clock", advance_seconds=60)
    await flutterwave.steer("transactions/ref-2/chargeback", amount=5000)
    await flutterwave.steer("transactions/ref-2/chargeback/lost")

    made = (await flutterwave.steer("settlements"))["settlements"]
    again = (await flutterwave.steer("settlements"))["settlements"]

    by_currency = {each["currency"]: each for each in made}
    ugx, kes = by_currency["UGX"], by_currency["KES"]
    assert again == []
    assert (ugx["gross_amount"], ugx["app_fee"]) == (50000, 1500)
    assert (ugx["refund"], ugx["chargeback"], ugx["net_amount"]) == (10000, 5000, 33500)
    assert (kes["gross_amount"], kes["net_amount"]) == (Decimal("499.5"), Decimal("485.01"))
    assert [line["id"] for line in ugx["transactions"]] == [first["id"], second["id"]]
    assert [line["settlement_amount"] for line in ugx["transactions"]] == [24250, 24250]
    fetched = exact(await flutterwave.api.get(f"/v3/settlements/{ugx['id']}"))["data"]
    assert fetched == ugx
    assert fetched["meta"] == f"[{first['id']},{second['id']}]"
    listed = {each["id"]: each for each in await settlements(flutterwave)}
    assert listed.keys() == {ugx["id"], kes["id"]}
    assert listed[ugx["id"]]["meta"] == [first["id"], second["id"]]
    assert "transactions" not in listed[ugx["id"]]


async def test_a_refund_on_its_way_waits_for_the_next_settlement(
    flutterwave: FlutterwaveRig,
) -> None:
    first = await paid(flutterwave, "ref-1")
    await flutterwave.api.post(f"/v3/transactions/{first['id']}/refund", json={"amount": 10000})
    (before,) = (await flutterwave.steer("settlements"))["settlements"]
    await flutterwave.steer("clock", advance_seconds=60)
    await paid(flutterwave, "ref-2")

    (after,) = (await flutterwave.steer("settlements"))["settlements"]

    assert (before["refund"], after["refund"]) == (0, 10000)
    (refund,) = (await flutterwave.look("transactions/ref-1"))["refunds"]
    assert refund["settlement_id"] == str(after["id"])


async def test_a_settlement_can_be_made_to_pay_too_little(flutterwave: FlutterwaveRig) -> None:
    await paid(flutterwave)

    (made,) = (await flutterwave.steer("settlements", short_by="1.00"))["settlements"]

    assert made["net_amount"] == made["gross_amount"] - made["app_fee"] - 1
    wrong = await flutterwave.control.post("/_sandbox/settlements", json={"short_by": "some"})
    assert wrong.status_code == 400
    assert (await flutterwave.api.get("/v3/settlements/404404")).status_code == 400


async def test_balances_follow_settlements(flutterwave: FlutterwaveRig) -> None:
    await paid(flutterwave)
    before = exact(await flutterwave.api.get("/v3/balances"))["data"]
    await flutterwave.steer("settlements")
    after = exact(await flutterwave.api.get("/v3/balances/UGX"))["data"]
    empty = exact(await flutterwave.api.get("/v3/balances/KES"))["data"]

    assert before == [{"currency": "UGX", "available_balance": 0, "ledger_balance": 24250}]
    assert after == {"currency": "UGX", "available_balance": 24250, "ledger_balance": 0}
    assert empty == {"currency": "KES", "available_balance": 0, "ledger_balance": 0}
    assert (await flutterwave.api.get("/v3/balances/XYZ")).status_code == 400


async def test_the_fee_of_a_charge_can_be_asked_beforehand(flutterwave: FlutterwaveRig) -> None:
    reply = await flutterwave.api.get(
        "/v3/transactions/fee", params={"amount": "12500.5", "currency": "NGN"}
    )
    wrong = await flutterwave.api.get("/v3/transactions/fee", params={"amount": "much"})

    data = exact(reply)["data"]
    assert reply.json()["message"] == "Charged fee"
    assert (data["charge_amount"], data["fee"]) == (Decimal("12500.5"), Decimal("175.01"))
    assert wrong.status_code == 400


async def test_a_transaction_tells_its_events(flutterwave: FlutterwaveRig) -> None:
    transaction = await paid(flutterwave)

    reply = await flutterwave.api.get(f"/v3/transactions/{transaction['id']}/events")

    assert reply.json()["message"] == "Transaction events fetched"
    assert [event["action"] for event in reply.json()["data"]] == ["loaded", "charge", "validate"]
    assert (await flutterwave.api.get("/v3/transactions/404404/events")).status_code == 400
