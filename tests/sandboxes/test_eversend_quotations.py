"""Eversend: what payouts cost, and what is refused."""

import base64
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.sandboxes.eversend_payouts import (
    OPENING,
    PHONE,
    balance,
    paid_out,
    pay_out,
    quoted,
    token_of,
)
from tests.sandboxes.rigs import EversendRig, exact


async def test_a_quotation_is_made_of_strings_adds_up_and_moves_nothing(
    eversend: EversendRig,
) -> None:
    reply = await quoted(eversend)

    assert reply.json()["data"]["quotation"] == {
        "sourceCountry": "UG",
        "sourceCurrency": "UGX",
        "sourceAmount": "10000",
        "destinationCountry": "UG",
        "destinationCurrency": "UGX",
        "destinationAmount": "10000.00",
        "exchangeRate": "1",
        "totalFees": "500",
        "totalAmount": "10500.00",
        "type": "momo",
        "amountType": "DESTINATION",
        "amount": "10000",
    }
    assert await balance(eversend) == OPENING
    assert (await eversend.look("transactions"))["transactions"] == []


async def test_a_quotations_token_is_a_signed_json_web_token_of_half_an_hour(
    eversend: EversendRig,
) -> None:
    data = (await quoted(eversend)).json()["data"]

    def decoded(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    header, claims, signature = data["token"].split(".")
    content = json.loads(decoded(claims))
    key = b"eversend-sandbox-quotation-key"
    expected = hmac.digest(key, f"{header}.{claims}".encode(), hashlib.sha256)
    assert json.loads(decoded(header)) == {"alg": "HS256", "typ": "JWT"}
    assert content["quotation"] == data["quotation"]
    assert content["exp"] - content["iat"] == 1800
    assert decoded(signature) == expected


async def test_two_equal_quotations_have_two_tokens(eversend: EversendRig) -> None:
    assert await token_of(eversend) != await token_of(eversend)


@pytest.mark.parametrize(
    ("fields", "source", "destination"),
    [
        ({"amountType": "SOURCE", "destinationCountry": "KE", "destinationCurrency": "KES"},
         "10000", "352.52"),
        ({"amountType": None}, "10000", "10000.00"),
        ({"destinationCountry": "KE", "destinationCurrency": "KES", "amount": 500},
         "14183", "500.00"),
        ({"sourceWallet": "KES", "destinationCountry": "KE", "destinationCurrency": "KES",
          "amount": 499.5}, "499.5", "499.50"),
    ],
)  # fmt: skip
async def test_the_amount_is_what_leaves_or_what_arrives(
    eversend: EversendRig, fields: dict[str, Any], source: str, destination: str
) -> None:
    quotation = (await quoted(eversend, **fields)).json()["data"]["quotation"]

    assert (quotation["sourceAmount"], quotation["destinationAmount"]) == (source, destination)
    total = Decimal(quotation["sourceAmount"]) + Decimal(quotation["totalFees"])
    assert Decimal(quotation["totalAmount"]) == total


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"phoneNumber": PHONE}, 400, '"phoneNumber" is not allowed'),
        ({"sourceWallet": None}, 400, '"sourceWallet" is required'),
        ({"sourceWallet": "ZZZ"}, 404, "Wallet not found"),
        ({"amount": None}, 400, '"amount" is required'),
        ({"amount": "10000"}, 400, '"amount" must be a number'),
        ({"amount": 0}, 400, '"amount" must be a positive number that the currency can express'),
        ({"amount": 10.5}, 400, '"amount" must be a positive number that the currency can express'),
        ({"amount": 4_000_001}, 400, "amount must be at most 4000000"),
        ({"amountType": "BOTH"}, 400, '"amountType" must be one of [SOURCE, DESTINATION]'),
        ({"type": "bank"}, 400, "Payouts of this type to UG are not supported at the moment"),
        ({"destinationCountry": "NG", "destinationCurrency": "NGN"}, 400,
         "Payouts of this type to NG are not supported at the moment"),
        ({"destinationCurrency": "KES"}, 400, "currency KES does not match country UG"),
    ],
)  # fmt: skip
async def test_an_invalid_quotation_is_refused(
    eversend: EversendRig, fields: dict[str, Any], status: int, message: str
) -> None:
    reply = await quoted(eversend, **fields)

    assert (reply.status_code, reply.json()["message"]) == (status, message)


async def test_a_payout_answers_with_numbers_and_has_debited_the_wallet(
    eversend: EversendRig,
) -> None:
    reply = await pay_out(eversend)

    transaction = exact(reply)["data"]["transaction"]
    assert transaction["transactionId"].startswith("BP3")
    assert (transaction["status"], transaction["type"]) == ("pending", "payout")
    assert (transaction["amount"], transaction["fees"]) == (10000, 500)
    assert (transaction["balanceBefore"], transaction["balanceAfter"]) == (OPENING, OPENING - 10500)
    assert transaction["destinationAmount"] == "10000.00"
    assert transaction["beneficiary"]["phoneNumber"] == PHONE
    assert await balance(eversend) == OPENING - 10500


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"network": "MTN"}, 400, '"network" is not allowed'),
        ({"beneficiaryId": 1}, 400, '"beneficiaryId" is not allowed'),
        ({"phoneNumber": "256772123456"}, 400,
         "phone number must be a valid international format"),
        ({"firstName": None}, 400, '"firstName" is required'),
        ({"lastName": ""}, 400, '"lastName" is not allowed to be empty'),
        ({"country": "KE"}, 400, "country KE does not match the quotation"),
        ({"token": "no-such-token"}, 401, "Invalid quotation token"),
    ],
)  # fmt: skip
async def test_an_invalid_payout_is_refused_and_moves_nothing(
    eversend: EversendRig, fields: dict[str, Any], status: int, message: str
) -> None:
    reply = await pay_out(eversend, **fields)

    assert (reply.status_code, reply.json()["message"]) == (status, message)
    assert await balance(eversend) == OPENING
    assert (await eversend.look("transactions"))["transactions"] == []


async def test_a_quotation_is_good_once_and_for_half_an_hour(eversend: EversendRig) -> None:
    token = await token_of(eversend)
    await paid_out(eversend, token=token)
    again = await pay_out(eversend, "refund2", token=token)
    late = await token_of(eversend)
    await eversend.steer("clock", advance_seconds=1800)
    too_late = await pay_out(eversend, "refund3", token=late)

    assert (again.status_code, again.json()["message"]) == (
        400,
        "Quotation has already been used",
    )
    assert (too_late.status_code, too_late.json()["message"]) == (401, "Quotation has expired")
    assert len((await eversend.look("transactions"))["transactions"]) == 1


async def test_a_wallet_that_is_too_poor_pays_nothing_out(eversend: EversendRig) -> None:
    token = await token_of(eversend, amount=OPENING)

    reply = await pay_out(eversend, token=token)

    assert (reply.status_code, reply.json()["message"]) == (402, "Insufficient balance")
    assert await balance(eversend) == OPENING


async def test_a_repeated_reference_is_refused_returned_or_accepted(eversend: EversendRig) -> None:
    first = await paid_out(eversend)
    refused = await pay_out(eversend)
    await eversend.steer("config", duplicate_ref="return_existing")
    returned = await paid_out(eversend)
    await eversend.steer("config", duplicate_ref="accept")
    another = await paid_out(eversend)

    assert refused.json()["message"] == "transactionRef already exists"
    assert returned == first
    assert another != first
    assert (await eversend.look("transactions/refund1"))["created_count"] == 2
