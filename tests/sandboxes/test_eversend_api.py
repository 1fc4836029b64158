"""Eversend: tokens, wallets, quotes, collections and look-ups."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.sandboxes.rigs import EversendRig, exact

CREATED = [
    "transactionId",
    "transactionRef",
    "type",
    "currency",
    "amount",
    "customer",
    "balanceBefore",
    "balanceAfter",
    "status",
    "createdAt",
    "updatedAt",
]
LOOKED_UP = {
    *CREATED,
    "id",
    "fees",
    "remitOneId",
    "sourceCurrency",
    "destinationCurrency",
    "destinationAmount",
    "sourceCountry",
    "destinationCountry",
    "pesapotId",
    "pesapotResponse",
    "merchantId",
    "accountId",
    "userId",
    "beneficiaryId",
    "meta",
    "reason",
    "isRefunded",
    "user",
    "beneficiary",
}


async def test_a_token_is_forty_hex_digits_outside_any_envelope(eversend: EversendRig) -> None:
    reply = await eversend.api.get("/v1/auth/token", headers=eversend.credentials)

    body = reply.json()
    assert list(body) == ["status", "token", "expires"]
    assert body["status"] == 200
    assert len(bytes.fromhex(body["token"])) == 20


async def test_wrong_credentials_get_no_token(eversend: EversendRig) -> None:
    wrong = {**eversend.credentials, "clientSecret": "wrong"}

    reply = await eversend.api.get("/v1/auth/token", headers=wrong)

    assert reply.status_code == 401
    assert reply.json() == {"status": 401, "message": "Invalid client credentials"}


async def test_a_token_expires_on_the_sandboxes_clock(eversend: EversendRig) -> None:
    await eversend.steer("config", token_ttl=60)
    await eversend.authorize()
    assert (await eversend.api.get("/v1/wallets")).status_code == 200

    await eversend.steer("clock", advance_seconds=61)

    reply = await eversend.api.get("/v1/wallets")
    assert reply.status_code == 401
    assert reply.json() == {"code": 401, "success": False, "message": "Unauthorized"}


async def test_the_origin_gate_refuses_what_comes_from_elsewhere(eversend: EversendRig) -> None:
    await eversend.steer("config", require_origin=True, origin="https://shop.example")
    credentials = eversend.credentials

    async def status(**headers: str) -> int:
        reply = await eversend.api.get("/v1/auth/token", headers={**credentials, **headers})
        return reply.status_code

    refused = await eversend.api.get("/v1/wallets")

    assert await status() == 401
    assert await status(origin="https://other.example") == 401
    assert await status(origin="https://shop.example") == 200
    assert refused.json()["message"] == "Invalid request origin"


async def test_wallets_hold_balances_as_numbers(eversend: EversendRig) -> None:
    wallets = exact(await eversend.api.get("/v1/wallets"))["data"]
    one = exact(await eversend.api.get("/v1/wallets/KES"))["data"]["wallet"]
    unknown = await eversend.api.get("/v1/wallets/ZZZ")

    assert list(one) == [
        "currency",
        "currencyType",
        "amount",
        "enabled",
        "name",
        "icon",
        "amountInBaseCurrency",
        "isMain",
    ]
    assert one in wallets
    assert one["amount"] == Decimal("84210.5")
    assert [wallet["currency"] for wallet in wallets if wallet["isMain"]] == ["UGX"]
    assert unknown.status_code == 404


async def test_a_fee_quote_is_made_of_strings_and_adds_up(eversend: EversendRig) -> None:
    reply = await eversend.api.post(
        "/v1/collections/fees", json={"method": "momo", "currency": "UGX", "amount": 20000}
    )

    assert reply.json()["data"] == {
        "currency": "UGX",
        "min_load_amount": "500.00",
        "max_load_amount": "4000000.00",
        "max_limit": "40000000.00",
        "amount_available_to_load": "38750000.00",
        "charges": "300",
        "total_to_pay": "20300",
        "amount": "20000",
        "payment_method": "16",
        "new_balance": "1270000.00",
    }


async def test_a_collection_answers_with_the_pending_transaction(eversend: EversendRig) -> None:
    reply = await eversend.collect()

    body = reply.json()
    assert (reply.status_code, body["code"], body["success"]) == (200, 200, True)
    assert list(body["data"]) == CREATED
    assert (body["data"]["status"], body["data"]["amount"]) == ("pending", "25000")
    assert body["data"]["customer"] == {"name": "Amina"}
    assert body["data"]["transactionId"].startswith("BE3")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"network": "MTN"}, '"network" is not allowed'),
        ({"phone": None}, '"phone" is required'),
        ({"phone": "256772123456"}, "phone number must be a valid international format"),
        ({"amount": None}, '"amount" is required'),
        ({"amount": "25000"}, '"amount" must be a number'),
        ({"amount": 2500.5}, '"amount" must be an integer'),
        ({"amount": 3_000_000_000}, '"amount" must be an integer'),
        ({"amount": 499}, "amount must be between 500 and 4000000"),
        ({"amount": 4_000_001}, "amount must be between 500 and 4000000"),
        ({"country": "NG"}, "Collections from NG are not supported at the moment"),
        ({"currency": "KES"}, "currency KES does not match country UG"),
        ({"customer": {"name": "Amina"}}, '"customer" must be a string'),
        ({"country": "GH", "currency": "GHS", "amount": 120}, '"redirectUrl" is required'),
    ],
)
async def test_an_invalid_collection_is_refused_and_has_no_effect(
    eversend: EversendRig, fields: dict[str, Any], message: str
) -> None:
    reply = await eversend.collect(**fields)

    assert reply.status_code == 400
    assert reply.json() == {"code": 400, "success": False, "message": message}
    assert (await eversend.look("transactions"))["transactions"] == []


async def test_error_messages_may_be_nested(eversend: EversendRig) -> None:
    await eversend.steer("config", error_message_shape="nested")

    reply = await eversend.collect(phone="0772")

    assert reply.json()["message"] == {
        "message": "phone number must be a valid international format"
    }


async def test_a_customer_object_is_taken_where_that_is_switched_on(eversend: EversendRig) -> None:
    await eversend.steer("config", customer_type="any")

    reply = await eversend.collect(customer={"name": "Amina"})

    assert reply.json()["data"]["customer"] == {"name": "Amina"}


async def test_a_repeated_reference_is_refused_returned_or_accepted(eversend: EversendRig) -> None:
    first = await eversend.collected()
    refused = await eversend.collect()
    await eversend.steer("config", duplicate_ref="return_existing")
    returned = await eversend.collected()
    await eversend.steer("config", duplicate_ref="accept")
    another = await eversend.collected()

    assert refused.status_code == 400
    assert refused.json()["message"] == "transactionRef already exists"
    assert returned == first
    assert another != first
    assert (await eversend.look("transactions/ref1"))["created_count"] == 2


async def test_a_one_time_password_is_needed_where_required_and_good_once(
    eversend: EversendRig,
) -> None:
    await eversend.steer("config", require_otp=True)
    missing = await eversend.collect()
    sent = await eversend.api.post("/v1/collections/otp", json={"phone": "+256772123456"})
    pin_id = sent.json()["data"]["pinId"]
    wrong = await eversend.collect(otp={"pinId": pin_id, "pin": "000000"})
    right = await eversend.collect(otp={"pinId": pin_id, "pin": "123456"})
    again = await eversend.collect("ref2", otp={"pinId": pin_id, "pin": "123456"})

    assert missing.json()["message"] == "OTP is required"
    assert wrong.json()["message"] == again.json()["message"] == "Invalid or expired OTP"
    assert right.status_code == 200


async def test_a_misnamed_delivery_field_breaks_the_server_as_in_life(
    eversend: EversendRig,
) -> None:
    reply = await eversend.api.post(
        "/v1/collections/otp", json={"phone": "+256772123456", "type": "whatsapp"}
    )

    assert reply.status_code == 500
    assert reply.json()["message"] == "An error has occurred"


async def test_a_look_up_shows_the_settled_transaction_in_both_shapes(
    eversend: EversendRig,
) -> None:
    transaction_id = await eversend.collected()
    await eversend.steer("transactions/ref1/complete")

    as_list = await eversend.transaction(transaction_id)
    await eversend.steer("config", lookup_shape="object")
    as_object = (await eversend.api.get(f"/v1/transactions/{transaction_id}")).json()["data"]

    assert as_list == as_object
    assert set(as_object) == LOOKED_UP
    assert (as_object["status"], as_object["fees"]) == ("successful", "375")
    assert (as_object["balanceBefore"], as_object["balanceAfter"]) == ("1250000", "1275000")
    wallet = (await eversend.api.get("/v1/wallets/UGX")).json()["data"]["wallet"]
    assert wallet["amount"] == 1275000


async def test_a_failed_collection_tells_the_reason_and_moves_no_money(
    eversend: EversendRig,
) -> None:
    transaction_id = await eversend.collected()
    await eversend.steer("transactions/ref1/fail", reason="Insufficient funds")

    found = await eversend.transaction(transaction_id)

    assert (found["status"], found["reason"]) == ("failed", "Insufficient funds")
    assert found["fees"] is None
    wallet = (await eversend.api.get("/v1/wallets/UGX")).json()["data"]["wallet"]
    assert wallet["amount"] == 1250000


async def test_an_unknown_transaction_or_route_is_not_found(eversend: EversendRig) -> None:
    transaction = await eversend.api.get("/v1/transactions/BE0")
    route = await eversend.api.post("/v1/send/initiate")

    assert transaction.status_code == route.status_code == 404
    assert transaction.json()["message"] == "Transaction not found"
    assert route.json() == {"code": 404, "success": False, "message": "Not Found"}


async def test_a_transaction_cannot_be_looked_up_by_reference_in_the_path(
    eversend: EversendRig,
) -> None:
    await eversend.collected()

    assert (await eversend.api.get("/v1/transactions/ref1")).status_code == 404


async def test_the_search_finds_by_part_of_a_reference_filters_and_pages(
    eversend: EversendRig,
) -> None:
    for number in range(3):
        await eversend.collected(f"order{number}")
    await eversend.steer("transactions/order1/complete")

    async def search(**params: str) -> tuple[list[str], dict[str, Any]]:
        data = (await eversend.api.get("/v1/transactions", params=params)).json()["data"]
        return [row["transactionRef"] for row in data["transactions"]], data

    assert (await search(search="ORDER1"))[0] == ["order1"]
    assert (await search(search="order"))[0] == ["order2", "order1", "order0"]
    assert (await search(status="pending"))[0] == ["order2", "order0"]
    assert (await search(type="payout"))[0] == []
    assert (await search(range="day", currency="UGX"))[1]["total"] == 3
    assert (await search(to="2020-01-01"))[0] == []
    rows, data = await search(limit="2", page="2")
    assert rows == ["order0"]
    assert (data["total"], data["limit"], data["page"]) == (3, 2, 2)
    assert data["total_collections"] == "25000"


async def test_a_collection_without_a_reference_is_known_by_its_id(eversend: EversendRig) -> None:
    reply = await eversend.collect(transactionRef=None)

    transaction_id = reply.json()["data"]["transactionId"]
    assert reply.json()["data"]["transactionRef"] is None
    assert (await eversend.look(f"transactions/{transaction_id}"))["created_count"] == 1


async def test_the_official_clients_spellings_are_understood(eversend: EversendRig) -> None:
    order = {"phone": "+233241234567", "amount": "120", "country": "GH", "currency": "GHS"}

    doubled_slash = await eversend.api.get("/v1//transactions")
    form = await eversend.api.post(
        "/v1/collections/momo", data={**order, "redirect_url": "https://shop.example/return"}
    )

    assert doubled_slash.status_code == 200
    assert form.status_code == 200
    assert form.json()["data"]["amount"] == "120"


async def test_cards_are_offered_only_where_that_assumption_is_switched_on(
    eversend: EversendRig,
) -> None:
    order = {
        "amount": 25000,
        "country": "UG",
        "currency": "UGX",
        "customer": json.dumps({"name": "Amina"}),
        "transactionRef": "card1",
        "redirectUrl": "https://shop.example/return?order=7",
    }
    absent = await eversend.api.post("/v1/collections/card", json=order)
    await eversend.steer("config", card=True)
    created = (await eversend.api.post("/v1/collections/card", json=order)).json()["data"]

    page = await eversend.api.get(created["checkoutUrl"])
    done = await eversend.api.post(created["checkoutUrl"], data={"decision": "approve"})

    assert absent.status_code == 404
    assert "UGX" in page.text
    assert done.status_code == 303
    assert done.headers["location"] == (
        "https://shop.example/return?order=7&transactionRef=card1&status=successful"
    )
    assert (await eversend.look("transactions/card1"))["successful_count"] == 1
