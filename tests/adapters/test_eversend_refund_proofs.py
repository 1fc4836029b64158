"""What each moment of a refund at Eversend proves: nothing moves before the payout's own POST."""

from typing import Any

import pytest

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    NotSentError,
    OutcomeUnknownError,
)
from gateway_adapters.refunds import RefundOrder
from kit.money import Money
from kit.settings import SettingsError
from tests.adapters.eversend_replies import (
    PAYOUT,
    QUOTATION,
    QUOTATION_TOKEN,
    error,
    payout,
    quotation,
    refund_order,
    success,
)
from tests.adapters.scripted import Script, scripted

GOOD = {QUOTATION: success(quotation()), PAYOUT: success({"transaction": payout()})}


async def refused(replies: dict[str, Any], **changes: object) -> tuple[GatewayFailureError, Script]:
    """Return why a refund of UGX 10,000 failed, and what was asked."""
    async with scripted("eversend", {**GOOD, **replies}, **changes) as (gateway, script):
        with pytest.raises(GatewayFailureError) as caught:
            await gateway.create_refund(refund_order())
    return caught.value, script


def bodies(script: Script) -> list[Any]:
    return [request.body for request in script.requests if request.body is not None]


async def test_a_refund_is_quoted_and_then_paid_out_with_listed_fields_only() -> None:
    async with scripted("eversend", GOOD) as (gateway, script):
        report = await gateway.create_refund(refund_order())
    assert bodies(script) == [
        {
            "sourceWallet": "UGX",
            "amount": 10_000,
            "amountType": "DESTINATION",
            "type": "momo",
            "destinationCountry": "UG",
            "destinationCurrency": "UGX",
        },
        {
            "token": QUOTATION_TOKEN,
            "phoneNumber": "+256772123456",
            "firstName": "Amina",
            "lastName": "Kato",
            "country": "UG",
            "transactionRef": "rfscript01",
        },
    ]
    assert report.outcome is Outcome.PENDING
    assert report.gateway_refund_id == "BP31795300098765"
    assert (report.amount, report.fee) == (Money("UGX", 10_000), Money("UGX", 500))
    assert report.gateway_status == "pending"


@pytest.mark.parametrize(("minor", "text"), [(49_950, "499.5"), (49_900, "499")])
async def test_a_fraction_of_a_major_unit_is_quoted_exactly(minor: int, text: str) -> None:
    facts = {"sourceCurrency": "KES", "destinationCurrency": "KES", "currency": "KES"}
    replies = {
        QUOTATION: success(quotation(**facts, destinationAmount=text, totalAmount="510")),
        PAYOUT: success({"transaction": payout(**facts, destinationAmount=text)}),
    }
    async with scripted("eversend", replies) as (gateway, script):
        await gateway.create_refund(refund_order(Money("KES", minor), country="KE"))
    assert str(bodies(script)[0]["amount"]) == text


@pytest.mark.parametrize(
    ("name", "setting", "sent"),
    [
        ("Amina Kato", "Valued Customer", ("Amina", "Kato")),
        ("  Amina  N.  Kato ", "Valued Customer", ("Amina", "N. Kato")),
        ("Amina", "Valued Customer", ("Amina", "Customer")),
        ("", "Valued Customer", ("Valued", "Customer")),
        ("", "Our Dear Member", ("Our", "Dear Member")),
    ],
)
async def test_names_that_are_missing_come_from_the_setting(
    name: str, setting: str, sent: tuple[str, str]
) -> None:
    changes = {"eversend_payout_default_names": setting}
    async with scripted("eversend", GOOD, **changes) as (gateway, script):
        await gateway.create_refund(refund_order(name=name))
    assert (script.last_body["firstName"], script.last_body["lastName"]) == sent


@pytest.mark.parametrize("names", ["", "Customer", " Customer "])
async def test_the_setting_needs_a_first_and_a_last_name(names: str) -> None:
    with pytest.raises(SettingsError):
        async with scripted("eversend", GOOD, eversend_payout_default_names=names):
            pass


@pytest.mark.parametrize(
    ("reply", "kind", "code", "alert"),
    [
        (error(400, "Mobile Money payments to Nigeria are not supported at the moment"),
         NotCreatedError, "country_not_supported", False),
        (error(400, "transactionRef already exists"), NotSentError, "duplicate_reference", False),
        (error(401, "Unauthorized"), NotCreatedError, "gateway_credentials", True),
        (error(401, "Invalid request origin"), NotCreatedError, "gateway_configuration", True),
        (error(403, "Forbidden"), NotCreatedError, "gateway_configuration", True),
        (error(429, "Too many requests"), NotSentError, "rate_limited", False),
        (error(500, "An error has occurred"), NotSentError, "gateway_error", False),
        (error(503, "Service unavailable"), NotSentError, "gateway_error", False),
        (error(200, "Something failed"), NotSentError, "unreadable_reply", False),
        ((200, "<html>"), NotSentError, "unreadable_reply", False),
        (success({}), NotCreatedError, "quotation_refused", True),
        (success({"token": "", "quotation": quotation()["quotation"]}),
         NotCreatedError, "quotation_refused", True),
        (success(quotation(destinationAmount="10001")),
         NotCreatedError, "quotation_refused", True),
        (success(quotation(destinationAmount=None)), NotCreatedError, "quotation_refused", True),
        (success(quotation(destinationCurrency="KES")),
         NotCreatedError, "quotation_refused", True),
        (success(quotation(totalAmount="lots")), NotCreatedError, "quotation_refused", True),
        (success(quotation(totalAmount="15001")), NotCreatedError, "refund_fee_too_high", True),
        (success(quotation(totalAmount="9999")), NotCreatedError, "refund_fee_too_high", True),
        (success(quotation(sourceCurrency="KES")), NotCreatedError, "refund_fee_too_high", True),
    ],
)  # fmt: skip
async def test_a_quotation_that_fails_in_any_way_proves_that_no_money_moved(
    reply: Any, kind: type[GatewayFailureError], code: str, *, alert: bool
) -> None:
    failure, script = await refused({QUOTATION: reply})
    assert (type(failure), failure.code, failure.operator_alert) == (kind, code, alert)
    assert script.count(PAYOUT) == 0


@pytest.mark.parametrize(("percent", "accepted"), [(4, False), (5, True), (6, True)])
async def test_a_payout_may_cost_as_much_as_the_setting_says(
    percent: int, *, accepted: bool
) -> None:
    changes = {"eversend_refund_max_fee_percent": percent}
    async with scripted("eversend", GOOD, **changes) as (gateway, script):
        if accepted:
            await gateway.create_refund(refund_order())
        else:
            with pytest.raises(NotCreatedError):
                await gateway.create_refund(refund_order())
    assert script.count(PAYOUT) == int(accepted)


@pytest.mark.parametrize(
    ("reply", "kind", "code", "alert"),
    [
        (error(400, "country KE does not match"), NotCreatedError, "country_not_supported", False),
        (error(400, "phone number must be a valid international format"),
         NotCreatedError, "invalid_phone_number", False),
        (error(400, "Recipient wallet not found"), NotCreatedError, "recipient_not_found", False),
        (error(401, "Invalid quotation token"), NotCreatedError, "quotation_refused", False),
        (error(400, {"message": "Quotation has expired"}),
         NotCreatedError, "quotation_refused", False),
        (error(401, "Unauthorized"), NotCreatedError, "gateway_credentials", True),
        (error(401, "Invalid request origin"), NotCreatedError, "gateway_configuration", True),
        (error(402, "Insufficient balance"), NotCreatedError, "wallet_balance_too_low", True),
        (error(403, "Forbidden"), NotCreatedError, "gateway_configuration", True),
        (error(400, "Quotation has already been used"),
         OutcomeUnknownError, "duplicate_reference", False),
        (error(400, "transactionRef already exists"),
         OutcomeUnknownError, "duplicate_reference", False),
        (error(429, "Too many requests"), OutcomeUnknownError, "rate_limited", False),
        (error(500, "An error has occurred"), OutcomeUnknownError, "gateway_error", False),
        (error(503, "Service unavailable"), OutcomeUnknownError, "gateway_error", False),
        (error(200, "Something failed"), OutcomeUnknownError, "unreadable_reply", False),
        ((400, '{"code":400}'), OutcomeUnknownError, "unreadable_reply", False),
        ((404, "<html>"), OutcomeUnknownError, "unreadable_reply", True),
        ((200, "<html>"), OutcomeUnknownError, "unreadable_reply", False),
        ((200, ""), OutcomeUnknownError, "unreadable_reply", False),
        (success({}), OutcomeUnknownError, "unreadable_reply", False),
        (success({"transaction": payout(transactionRef="rfanother1")}),
         OutcomeUnknownError, "unreadable_reply", False),
        (success({"transaction": payout(destinationAmount="1000")}),
         OutcomeUnknownError, "amount_mismatch", True),
    ],
)  # fmt: skip
async def test_the_payout_is_sent_once_and_its_answer_proves_exactly_this(
    reply: Any, kind: type[GatewayFailureError], code: str, *, alert: bool
) -> None:
    failure, script = await refused({PAYOUT: reply})
    assert (type(failure), failure.code, failure.operator_alert) == (kind, code, alert)
    assert script.count(PAYOUT) == 1


async def test_a_token_that_expired_before_the_quotation_is_renewed_for_both_calls() -> None:
    replies = {**GOOD, QUOTATION: [error(401, "Unauthorized"), success(quotation())]}
    async with scripted("eversend", replies) as (gateway, script):
        report = await gateway.create_refund(refund_order())
    assert report.outcome is Outcome.PENDING
    assert (script.count("/auth/token"), script.count(PAYOUT)) == (2, 1)


@pytest.mark.parametrize("strategy", ["disabled", "manual"])
async def test_where_refunds_are_made_by_hand_nothing_is_asked(strategy: str) -> None:
    failure, script = await refused({}, eversend_refund_strategy=strategy)
    assert isinstance(failure, NotCreatedError)
    assert (failure.code, failure.operator_alert) == ("refund_not_supported", True)
    assert script.requests == []


@pytest.mark.parametrize("order", [refund_order(phone=""), refund_order(country="")])
async def test_a_payer_who_cannot_be_reached_is_refused_unsent(order: RefundOrder) -> None:
    async with scripted("eversend", GOOD) as (gateway, script):
        with pytest.raises(NotCreatedError) as caught:
            await gateway.create_refund(order)
    assert caught.value.code == "payer_not_reachable"
    assert script.requests == []


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"status": "successful"}, Outcome.SUCCEEDED),
        ({"status": "failed", "reason": "Recipient wallet not found"}, Outcome.FAILED),
        ({"status": "processing"}, Outcome.PENDING),
    ],
)
async def test_a_payout_that_is_decided_at_once_is_reported_so(
    changes: dict[str, str], outcome: Outcome
) -> None:
    replies = {**GOOD, PAYOUT: success({"transaction": payout(**changes)})}
    async with scripted("eversend", replies) as (gateway, _):
        report = await gateway.create_refund(refund_order())
    assert report.outcome is outcome
    assert (report.failure is not None) == (outcome is Outcome.FAILED)
