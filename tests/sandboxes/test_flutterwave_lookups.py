"""Flutterwave: verify, the transaction list and their type quirks."""

from decimal import Decimal

from tests.sandboxes.rigs import FlutterwaveRig, exact

VERIFIED = [
    "id",
    "tx_ref",
    "flw_ref",
    "device_fingerprint",
    "amount",
    "currency",
    "charged_amount",
    "app_fee",
    "merchant_fee",
    "processor_response",
    "auth_model",
    "ip",
    "narration",
    "status",
    "payment_type",
    "created_at",
    "account_id",
    "meta",
    "amount_settled",
    "customer",
]
CARD = {"first_6digits", "last_4digits", "issuer", "country", "type", "token", "expiry"}


async def test_a_successful_card_payment_reads_as_documented(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link(amount="12500.50", currency="NGN", meta={"order_id": "480"})
    await flutterwave.steer("transactions/ref-1/complete", payment_option="card")

    reply = await flutterwave.verify()

    body = exact(reply)
    data = body["data"]
    assert '"amount":12500.5,' in reply.text
    assert body["message"] == "Transaction fetched successfully"
    assert list(data) == [*VERIFIED, "card"]
    assert isinstance(data["id"], int)
    assert set(data["card"]) == CARD
    assert (data["status"], data["payment_type"]) == ("successful", "card")
    assert (data["amount"], data["charged_amount"]) == (Decimal("12500.5"), Decimal("12500.5"))
    assert (data["app_fee"], data["amount_settled"]) == (Decimal("175.01"), Decimal("12325.49"))
    assert data["flw_ref"].startswith("FLW-MOCK-")
    assert data["customer"]["email"].startswith("ravesb_")
    assert data["customer"]["email"].endswith("_amina@example.com")
    assert data["meta"]["order_id"] == "480"
    assert "__CheckoutInitAddress" in data["meta"]


async def test_a_mobile_money_payment_has_no_card_and_whole_amounts(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.link(amount=20000)
    await flutterwave.steer("transactions/ref-1/complete", payment_option="mobilemoneyuganda")

    reply = await flutterwave.verify()

    data = reply.json()["data"]
    assert list(data) == VERIFIED
    assert (data["payment_type"], data["auth_model"]) == ("mobilemoneyug", "MOBILEMONEY")
    assert (data["app_fee"], data["amount_settled"]) == (600, 19400)
    assert data["meta"] is None
    assert '"amount":20000,' in reply.text


async def test_the_customer_may_bear_the_fee(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.steer("config", customer_bears_fee=True)
    await flutterwave.link(amount=20000)
    await flutterwave.steer("transactions/ref-1/complete")

    data = (await flutterwave.verify()).json()["data"]

    assert (data["amount"], data["charged_amount"], data["amount_settled"]) == (20000, 20600, 20000)


async def test_verify_by_id_and_by_reference_agree(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")
    by_reference = (await flutterwave.verify()).json()

    by_id = await flutterwave.api.get(f"/v3/transactions/{by_reference['data']['id']}/verify")

    assert by_id.json() == by_reference


async def test_verify_needs_a_reference(flutterwave: FlutterwaveRig) -> None:
    reply = await flutterwave.api.get("/v3/transactions/verify_by_reference")

    assert reply.status_code == 400
    assert reply.json()["message"] == "please provide one of tx Ref or flw Ref"


async def test_every_attempt_has_its_own_id_and_the_successful_one_decides(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(payment_options="card")
    await flutterwave.submit(link, "card", card_number="5258585922666506")
    await flutterwave.steer("transactions/ref-1/complete")

    listed = (await flutterwave.api.get("/v3/transactions", params={"tx_ref": "ref-1"})).json()

    assert [row["status"] for row in listed["data"]] == ["successful", "failed"]
    assert len({row["id"] for row in listed["data"]}) == 2
    assert str((await flutterwave.verify()).json()["data"]["id"]) == listed["data"][0]["id"]


async def test_a_later_failure_under_the_reference_does_not_hide_a_success(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/fail")

    assert (await flutterwave.verify()).json()["data"]["status"] == "successful"


async def test_the_list_shows_ids_as_strings_and_the_customer_flat(
    flutterwave: FlutterwaveRig,
) -> None:
    await flutterwave.link()
    await flutterwave.steer("transactions/ref-1/complete")

    (row,) = (await flutterwave.api.get("/v3/transactions")).json()["data"]

    assert isinstance(row["id"], str)
    assert isinstance(row["account_id"], str)
    assert row["customer_name"] == "Amina"
    assert "token" not in row["card"]
    assert "customer" not in row


async def test_the_list_filters_and_pages(flutterwave: FlutterwaveRig) -> None:
    for number in range(12):
        await flutterwave.link(f"ref-{number}")
        await flutterwave.steer(f"transactions/ref-{number}/complete")
    await flutterwave.link("declined")
    await flutterwave.steer("transactions/declined/fail", reason="Do Not Honour")

    async def rows(**params: str) -> list[str]:
        reply = await flutterwave.api.get("/v3/transactions", params=params)
        return [row["tx_ref"] for row in reply.json()["data"]]

    assert await rows(status="failed") == ["declined"]
    assert await rows(page="2", status="successful") == ["ref-1", "ref-0"]
    assert await rows(customer_email="nobody@example.com") == []
    assert len(await rows(customer_email="amina@example.com")) == 10
    assert await rows(currency="KES") == []
    assert await rows(**{"from": "2999-01-01"}) == []
    info = (await flutterwave.api.get("/v3/transactions")).json()["meta"]["page_info"]
    assert info == {"total": 13, "current_page": 1, "total_pages": 2}


async def test_an_mpesa_attempt_says_successful_while_it_is_pending(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(currency="KES", amount=1500, payment_options="mpesa")
    await flutterwave.submit(link, "mobile-money", option="mpesa", phone="254712345678")

    data = (await flutterwave.verify()).json()["data"]

    assert (data["status"], data["processor_response"]) == ("pending", "Successful")
    assert data["amount_settled"] is None
