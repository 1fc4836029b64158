"""Creating and closing a hosted page at Flutterwave."""

import httpx
import pytest

from gateway_adapters.charges import Method, Outcome
from gateway_adapters.errors import GatewayFailureError, NotCreatedError, OutcomeUnknownError
from kit.errors import ErrorCode
from kit.money import Money
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_FAILED,
    OUTCOME_NOT_FOUND,
    OUTCOME_PENDING,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.cases import card_order
from tests.adapters.flutterwave_replies import ERROR, KES, LINK, REFERENCE
from tests.adapters.rig import Rig
from tests.adapters.scripted import an_order, scripted


async def test_the_body_says_everything_and_its_amount_is_exact_text() -> None:
    async with scripted("flutterwave", {"/payments": LINK}) as (gateway, script):
        await gateway.create_charge(an_order(KES, country="KE"))
    assert script.last_body == {
        "tx_ref": REFERENCE,
        "amount": "499.00",
        "currency": "KES",
        "payment_options": "card",
        "customer": {
            "email": "amina.k@example.com",
            "name": "Amina Kato",
            "phonenumber": "256772123456",
        },
        "customizations": {
            "title": "Creator membership",
            "description": "Pro membership, one month",
        },
        "meta": {"reference": REFERENCE},
        "configurations": {"session_duration": 30, "max_retry_attempt": 1},
        "redirect_url": "https://creators.example/return",
    }


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [("UGX", 25_000, "25000"), ("RWF", 1, "1"), ("NGN", 100_050, "1000.50"), ("USD", 5, "0.05")],
)
async def test_amounts_are_major_units_without_exponent(
    currency: str, minor: int, text: str
) -> None:
    async with scripted("flutterwave", {"/payments": LINK}) as (gateway, script):
        await gateway.create_charge(an_order(Money(currency, minor)))
    assert script.last_body["amount"] == text


@pytest.mark.parametrize(
    ("method", "currency", "country", "option", "sent"),
    [
        (Method.CARD, "UGX", "", "", "card"),
        (Method.MOBILE_MONEY, "UGX", "UG", "", "mobilemoneyuganda"),
        (Method.MOBILE_MONEY, "GHS", "GH", "", "mobilemoneyghana"),
        (Method.MOBILE_MONEY, "KES", "KE", "", "mpesa"),
        (Method.MOBILE_MONEY, "RWF", "RW", "", "mobilemoneyrwanda"),
        (Method.MOBILE_MONEY, "TZS", "TZ", "", "mobilemoneytanzania"),
        (Method.MOBILE_MONEY, "ZMW", "ZM", "", "mobilemoneyzambia"),
        (Method.MOBILE_MONEY, "MWK", "MW", "", "mobilemoneymalawi"),
        (Method.MOBILE_MONEY, "XAF", "CM", "", "mobilemoneyfranco"),
        (Method.MOBILE_MONEY, "XOF", "SN", "", "mobilemoneyfranco"),
        (Method.EXPRESS, "NGN", "", "", "banktransfer,googlepay,applepay"),
        (Method.EXPRESS, "NGN", "", "bank_transfer", "banktransfer"),
        (Method.EXPRESS, "USD", "", "", "googlepay,applepay"),
        (Method.EXPRESS, "GBP", "", "apple_pay", "applepay"),
    ],
)
async def test_the_page_offers_what_was_chosen(
    method: Method, currency: str, country: str, option: str, sent: str
) -> None:
    async with scripted("flutterwave", {"/payments": LINK}) as (gateway, script):
        await gateway.create_charge(an_order(Money(currency, 100_000), method, country, option))
    assert script.last_body["payment_options"] == sent


@pytest.mark.parametrize(
    ("method", "currency", "country", "option", "code"),
    [
        (Method.MOBILE_MONEY, "NGN", "NG", "", "currency_not_supported"),
        (Method.MOBILE_MONEY, "UGX", "KE", "", "country_not_supported"),
        (Method.EXPRESS, "USD", "", "bank_transfer", "payment_option_not_supported"),
        (Method.EXPRESS, "NGN", "", "paypal", "payment_option_not_supported"),
        (Method.EXPRESS, "UGX", "", "", "currency_not_supported"),
        (Method.CARD, "JPY", "", "", "currency_not_supported"),
    ],
)
async def test_what_flutterwave_does_not_offer_is_refused_unsent(
    method: Method, currency: str, country: str, option: str, code: str
) -> None:
    order = an_order(Money(currency, 100_000), method, country, option)
    async with scripted("flutterwave", {"/payments": LINK}) as (gateway, script):
        with pytest.raises(NotCreatedError) as caught:
            await gateway.create_charge(order)
    assert caught.value.code == code
    assert script.requests == []


@pytest.mark.parametrize("style", ["configurations", "configuration", "flat"])
async def test_the_pages_limits_go_where_the_account_expects_them(style: str) -> None:
    changes: dict[str, object] = {
        "flutterwave_configuration_style": style,
        "flutterwave_session_minutes": 45,
        "flutterwave_max_retry_attempts": 3,
    }
    async with scripted("flutterwave", {"/payments": LINK}, **changes) as (gateway, script):
        await gateway.create_charge(an_order(KES))
    node = script.last_body if style == "flat" else script.last_body[style]
    assert (node["session_duration"], node["max_retry_attempt"]) == (45, 3)


@pytest.mark.parametrize(
    ("reply", "kind", "code", "alert"),
    [
        ((400, ERROR % "tx_ref is required"), NotCreatedError, "invalid_request", False),
        ((404, ERROR % "Not here"), NotCreatedError, "invalid_request", False),
        ((422, ERROR % "bad"), NotCreatedError, "invalid_request", False),
        ((400, ERROR % "currency is odd"), NotCreatedError, "currency_not_supported", False),
        ((400, ERROR % "Amount should be above NGN100"), NotCreatedError,
         "amount_not_supported", False),
        ((400, ERROR % "Merchant is not enabled for UGX"), NotCreatedError,
         "gateway_configuration", True),
        ((401, ERROR % "Invalid authorization key"), NotCreatedError, "gateway_credentials", True),
        ((403, "<html>denied</html>"), NotCreatedError, "gateway_configuration", True),
        ((200, ERROR % "Not today"), NotCreatedError, "invalid_request", False),
        ((400, ERROR % "tx_ref has already been used"), OutcomeUnknownError,
         "duplicate_reference", False),
        ((409, ERROR % "Duplicate tx_ref"), OutcomeUnknownError, "duplicate_reference", False),
        ((200, '{"status":"error","message":"odd","data":{"link":"https://a.example"}}'),
         OutcomeUnknownError, "unreadable_reply", False),
        ((200, '{"status":"success","data":{}}'), OutcomeUnknownError, "unreadable_reply", False),
        ((200, '{"status":"success","data":{"link":"javascript:alert(1)"}}'),
         OutcomeUnknownError, "unreadable_reply", False),
        ((200, '{"status":"success","data":[]}'), OutcomeUnknownError, "unreadable_reply", False),
        ((200, '"success"'), OutcomeUnknownError, "unreadable_reply", False),
        ((200, "<html>"), OutcomeUnknownError, "unreadable_reply", False),
        ((200, ""), OutcomeUnknownError, "unreadable_reply", False),
        ((400, "<html>"), OutcomeUnknownError, "unreadable_reply", False),
        ((400, '{"message":"no envelope"}'), OutcomeUnknownError, "unreadable_reply", False),
        ((404, "<html>Cannot POST"), OutcomeUnknownError, "unreadable_reply", True),
        ((429, ERROR % "Too many requests"), OutcomeUnknownError, "rate_limited", False),
        ((500, ERROR % "An error occurred"), OutcomeUnknownError, "gateway_error", False),
        ((503, ERROR % "An error occurred"), OutcomeUnknownError, "gateway_error", False),
    ],
)  # fmt: skip
async def test_a_reply_to_a_creation_proves_exactly_this(
    reply: tuple[int, str], kind: type[GatewayFailureError], code: str, *, alert: bool
) -> None:
    async with scripted("flutterwave", {"/payments": reply}) as (gateway, script):
        with pytest.raises(GatewayFailureError) as caught:
            await gateway.create_charge(an_order(KES))
    failure = caught.value
    assert (type(failure), failure.code, failure.operator_alert) == (kind, code, alert)
    assert len(script.requests) == 1


async def _link(rig: Rig, reference: str) -> str:
    created = await rig.adapter.create(card_order(reference))
    return created.charge.next_action.redirect_url


async def _cancelled(rig: Rig, link: str) -> int:
    reply = await rig.adapter.call("CancelCharge", pb.CancelChargeRequest(redirect_url=link))
    return int(reply.outcome)


async def test_a_cancelled_page_can_no_longer_be_paid(flutterwave: Rig, reference: str) -> None:
    link = await _link(flutterwave, reference)
    assert await _cancelled(flutterwave, link) == OUTCOME_SUCCEEDED
    with pytest.raises(httpx.HTTPStatusError):
        await flutterwave.sandbox.tell(f"transactions/{reference}/complete")
    assert (await flutterwave.adapter.look_up(reference)).outcome == OUTCOME_NOT_FOUND


async def test_cancelling_a_page_that_is_closed_already_succeeds(
    flutterwave: Rig, reference: str
) -> None:
    link = await _link(flutterwave, reference)
    await _cancelled(flutterwave, link)
    assert await _cancelled(flutterwave, link) == OUTCOME_SUCCEEDED


@pytest.mark.parametrize(
    "fault", ["error_before_effect", "error_after_effect", "lost_reply", "html_error", "bad_json"]
)
async def test_a_cancellation_without_acknowledgement_is_unknown(
    flutterwave: Rig, reference: str, fault: str
) -> None:
    link = await _link(flutterwave, reference)
    await flutterwave.sandbox.fault(fault, "cancel")
    request = pb.CancelChargeRequest(redirect_url=link)
    error = await flutterwave.adapter.failure("CancelCharge", request)
    assert error.reason == "UNKNOWN"


async def test_a_cancellation_that_flutterwave_refuses_has_failed() -> None:
    replies = {"/payments/link/disable": (400, ERROR % "link is not valid")}
    async with scripted("flutterwave", replies) as (gateway, _):
        assert await gateway.cancel_charge("https://pay.example/p/1") is Outcome.FAILED


async def test_a_cancellation_needs_the_link(flutterwave: Rig) -> None:
    error = await flutterwave.adapter.failure("CancelCharge", pb.CancelChargeRequest())
    assert error.reason == "NOT_CREATED"


async def test_a_one_time_password_is_not_offered(flutterwave: Rig, reference: str) -> None:
    request = pb.SubmitChargeActionRequest(
        charge=card_order(reference), otp_state="VE1", otp="123456"
    )
    error = await flutterwave.adapter.failure("SubmitChargeAction", request)
    assert (error.code, error.reason) == (ErrorCode.UNIMPLEMENTED, "NOT_CREATED")
    assert error.metadata["code"] == "action_not_supported"


async def test_a_declined_payer_with_tries_left_is_pending_and_shows_why(
    flutterwave: Rig, reference: str
) -> None:
    async with flutterwave.another({"flutterwave_max_retry_attempts": 3}) as adapter:
        await adapter.create(card_order(reference))
        await flutterwave.sandbox.tell(f"transactions/{reference}/fail", reason="Incorrect PIN")
        found = await adapter.look_up(reference)
    assert found.outcome == OUTCOME_PENDING
    assert found.charge.failure.code == "incorrect_pin"


async def test_a_success_that_follows_a_failure_is_seen(flutterwave: Rig, reference: str) -> None:
    await flutterwave.sandbox.fault("late_success", match={"reference": reference}, seconds=60)
    await flutterwave.adapter.create(card_order(reference))
    await flutterwave.sandbox.tell(f"transactions/{reference}/fail")
    assert (await flutterwave.adapter.look_up(reference)).outcome == OUTCOME_FAILED
    await flutterwave.sandbox.tell("clock", advance_seconds=61)
    assert (await flutterwave.adapter.look_up(reference)).outcome == OUTCOME_SUCCEEDED


async def test_a_second_success_under_one_reference_does_not_hide_the_first(
    flutterwave: Rig, reference: str
) -> None:
    await flutterwave.sandbox.fault("second_success", match={"reference": reference})
    await flutterwave.adapter.create(card_order(reference))
    await flutterwave.sandbox.tell(f"transactions/{reference}/complete")
    found = await flutterwave.adapter.look_up(reference)
    assert found.outcome == OUTCOME_SUCCEEDED


async def test_a_reference_that_exists_at_the_gateway_is_not_a_refusal(
    flutterwave: Rig, reference: str
) -> None:
    await flutterwave.sandbox.tell("config", duplicate_tx_ref="reject")
    await flutterwave.adapter.create(card_order(reference))
    error = await flutterwave.adapter.failure("CreateCharge", card_order(reference))
    assert (error.reason, error.metadata["code"]) == ("UNKNOWN", "duplicate_reference")
