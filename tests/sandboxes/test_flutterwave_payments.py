"""Flutterwave: creating and disabling hosted links, and who may."""

from typing import Any

import pytest

from tests.sandboxes.rigs import FlutterwaveRig


async def test_a_payment_answers_with_a_hosted_link_and_no_transaction(
    flutterwave: FlutterwaveRig,
) -> None:
    reply = await flutterwave.create()

    assert reply.status_code == 200
    body = reply.json()
    assert (body["status"], body["message"]) == ("success", "Hosted Link")
    assert list(body["data"]) == ["link"]
    assert body["data"]["link"].startswith(f"{flutterwave.gateway_url}/v3/hosted/pay/flwlnk-")
    not_yet = await flutterwave.verify()
    assert not_yet.status_code == 400
    assert not_yet.json() == {
        "status": "error",
        "message": "No transaction was found for this id",
        "data": None,
    }


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Authorization required"),
        ("Bearer", "merchant secret key required"),
        ("Basic abc", "merchant secret key required"),
        ("Bearer FLWSECK_TEST-somebody-else-X", "Invalid authorization key"),
    ],
)
async def test_a_request_without_the_right_key_is_refused(
    flutterwave: FlutterwaveRig, header: str | None, message: str
) -> None:
    request = flutterwave.api.build_request("GET", "/v3/transactions")
    del request.headers["authorization"]
    if header is not None:
        request.headers["authorization"] = header

    reply = await flutterwave.api.send(request)

    assert reply.status_code == 401
    assert reply.json() == {"status": "error", "message": message, "data": None}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amount": None}, "amount is required"),
        ({"amount": "12,5"}, "amount must be a number greater than 0"),
        ({"amount": 0}, "amount must be a number greater than 0"),
        ({"amount": "NaN"}, "amount must be a number greater than 0"),
        ({"amount": True}, "amount must be a number greater than 0"),
        ({"amount": "1000.5"}, "amount has too many decimals for UGX"),
        ({"currency": "ugx"}, "currency is not supported"),
        ({"customer": None}, "customer is required"),
        ({"customer": {"name": "Amina"}}, "email is required"),
        ({"customer": {"email": "amina"}}, "email is not a valid e-mail address"),
        ({"redirect_url": "/return"}, "redirect_url must be an absolute URL"),
        (
            {"configurations": {"session_duration": 1441}},
            "session_duration must be a whole number between 1 and 1440",
        ),
        ({"link_expiration": "tomorrow"}, "link_expiration must be an ISO 8601 date"),
    ],
)
async def test_an_invalid_payment_is_refused_and_has_no_effect(
    flutterwave: FlutterwaveRig, fields: dict[str, Any], message: str
) -> None:
    reply = await flutterwave.create(**fields)

    assert reply.status_code == 400
    assert reply.json() == {"status": "error", "message": message, "data": None}
    assert (await flutterwave.look("transactions"))["transactions"] == []


@pytest.mark.parametrize(
    ("tx_ref", "message"),
    [
        ("", "tx_ref is required"),
        ("x" * 101, "tx_ref must not be longer than 100 characters"),
    ],
)
async def test_a_payment_needs_a_reference_of_reasonable_length(
    flutterwave: FlutterwaveRig, tx_ref: str, message: str
) -> None:
    reply = await flutterwave.create(tx_ref)

    assert reply.status_code == 400
    assert reply.json()["message"] == message


async def test_a_body_that_is_not_json_is_refused(flutterwave: FlutterwaveRig) -> None:
    reply = await flutterwave.api.post("/v3/payments", content=b'{"amount": NaN}')

    assert reply.status_code == 400
    assert reply.json()["status"] == "error"


async def test_the_currency_defaults_to_naira(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link(currency=None)

    (link,) = await flutterwave.charges("ref-1", "link")
    assert link["currency"] == "NGN"


@pytest.mark.parametrize(
    "placed",
    [
        {"max_retry_attempt": 1},
        {"configurations": {"max_retry_attempt": 1}},
        {"configuration": {"max_retry_attempt": "1"}},
    ],
)
async def test_limits_are_read_in_every_place_the_documentation_shows(
    flutterwave: FlutterwaveRig, placed: dict[str, Any]
) -> None:
    link = await flutterwave.link(**placed)

    await flutterwave.submit(link, "card", card_number="5258585922666506")

    (charge,) = await flutterwave.charges("ref-1", "link")
    assert charge["status"] == "failed"


async def test_options_that_do_not_fit_the_currency_are_hidden(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.link(payment_options="mpesa, mobilemoneyuganda,card")

    (link,) = await flutterwave.charges("ref-1", "link")
    assert link["payment_options"] == ["mobilemoneyuganda", "card"]


async def test_a_repeated_reference_makes_another_link_unless_rejected(
    flutterwave: FlutterwaveRig,
) -> None:
    first, second = await flutterwave.link(), await flutterwave.link()
    await flutterwave.steer("config", duplicate_tx_ref="reject")

    third = await flutterwave.create()

    assert first != second
    assert third.status_code == 400
    assert (await flutterwave.look("transactions/ref-1"))["created_count"] == 2


async def test_a_disabled_link_cannot_be_paid_or_disabled_again(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link()

    disabled = await flutterwave.api.post("/v3/payments/link/disable", json={"link": link})
    again = await flutterwave.api.post("/v3/payments/link/disable", json={"link": link})
    await flutterwave.submit(link, "mobile-money", option="mobilemoneyuganda", phone="256772000481")

    assert disabled.status_code == 200
    assert disabled.json()["message"] == "Payment link has been disabled successfully"
    assert again.status_code == 400
    assert again.json()["message"] == "This payment link is currently inactive"
    assert "currently inactive" in (await flutterwave.api.get(link)).text
    assert await flutterwave.charges("ref-1", "attempt") == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/v3/<nope>"), ("POST", "/v3/transactions")])
async def test_an_unknown_route_answers_with_an_html_page(
    flutterwave: FlutterwaveRig, method: str, path: str
) -> None:
    reply = await flutterwave.api.request(method, path)

    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert f"Cannot {method} /v3/" in reply.text
    assert "<nope>" not in reply.text
