"""Creating a collection at Eversend: bodies, refusals, one-time passwords, cards."""

from typing import Any

import pytest

from gateway_adapters.charges import ApprovePrompt, Method, OpenPage, Outcome
from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    NotSentError,
    OutcomeUnknownError,
)
from kit.errors import ErrorCode
from kit.money import Money
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    FLOW_HOSTED,
    FLOW_PROMPT,
    OUTCOME_REQUIRES_ACTION,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.cases import PHONE, card_order, momo_order
from tests.adapters.eversend_replies import MOMO, REFERENCE, UGX, error, order, success, transaction
from tests.adapters.rig import Rig
from tests.adapters.scripted import an_order, scripted


async def test_the_body_has_listed_fields_only_and_whole_major_units() -> None:
    async with scripted("eversend", {MOMO: success(transaction())}) as (gateway, script):
        await gateway.create_charge(order())
    assert script.last_body == {
        "phone": "+256772123456",
        "amount": 25_000,
        "country": "UG",
        "currency": "UGX",
        "transactionRef": REFERENCE,
        "customer": '{"email":"amina.k@example.com","name":"Amina Kato"}',
    }


async def test_the_customer_can_be_an_object() -> None:
    replies = {MOMO: success(transaction())}
    changes = {"eversend_customer_as_string": False}
    async with scripted("eversend", replies, **changes) as (gateway, script):
        await gateway.create_charge(order())
    assert script.last_body["customer"] == {"email": "amina.k@example.com", "name": "Amina Kato"}


@pytest.mark.parametrize("field", ["redirectUrl", "redirect_url"])
async def test_ghana_alone_is_told_where_to_return_to(field: str) -> None:
    replies = {
        MOMO: success(transaction(currency="GHS", amount="120", redirectUrl="https://p.example"))
    }
    changes = {"eversend_redirect_field": field}
    async with scripted("eversend", replies, **changes) as (gateway, script):
        money = Money("GHS", 12_000)
        report = await gateway.create_charge(an_order(money, Method.MOBILE_MONEY, "GH"))
    assert script.last_body[field] == "https://creators.example/return"
    assert report.charge
    assert report.charge.next_action == OpenPage(url="https://p.example")


@pytest.mark.parametrize("minor", [49_950, 1])
async def test_a_fraction_of_a_major_unit_is_refused_unsent(minor: int) -> None:
    async with scripted("eversend", {MOMO: success(transaction())}) as (gateway, script):
        with pytest.raises(NotCreatedError) as caught:
            await gateway.create_charge(an_order(Money("KES", minor), Method.MOBILE_MONEY, "KE"))
    assert caught.value.code == "amount_not_supported"
    assert script.requests == []


@pytest.mark.parametrize(("minor", "text"), [(49_950, b"499.50"), (49_900, b"499")])
async def test_fractions_are_sent_as_exact_numbers_where_they_are_allowed(
    minor: int, text: bytes
) -> None:
    replies = {MOMO: success(transaction(currency="KES", amount="499.50"))}
    changes = {"eversend_allow_fractional_amounts": True}
    async with scripted("eversend", replies, **changes) as (gateway, script):
        await gateway.create_charge(an_order(Money("KES", minor), Method.MOBILE_MONEY, "KE"))
    assert str(script.last_body["amount"]).encode() in (text, text.rstrip(b"0"))


async def test_an_amount_beyond_the_gateways_integers_is_refused_unsent() -> None:
    async with scripted("eversend", {}) as (gateway, script):
        with pytest.raises(NotCreatedError):
            await gateway.create_charge(an_order(Money("UGX", 2**31), Method.MOBILE_MONEY, "UG"))
    assert script.requests == []


async def test_corridors_can_be_changed() -> None:
    changes = {"eversend_corridors": "ZM:ZMW"}
    replies = {MOMO: success(transaction(currency="ZMW", amount="10"))}
    async with scripted("eversend", replies, **changes) as (gateway, script):
        await gateway.create_charge(an_order(Money("ZMW", 1_000), Method.MOBILE_MONEY, "ZM"))
        with pytest.raises(NotCreatedError):
            await gateway.create_charge(order())
    assert script.last_body["country"] == "ZM"


@pytest.mark.parametrize(
    ("reply", "kind", "code", "alert"),
    [
        (error(400, '"customer" must be a string'), NotCreatedError, "invalid_request", False),
        (error(400, {"message": "phone number must be a valid international format"}),
         NotCreatedError, "invalid_phone_number", False),
        (error(400, "Collections from NG are not supported"), NotCreatedError,
         "country_not_supported", False),
        (error(400, "amount must be between 500 and 4000000"), NotCreatedError,
         "amount_not_supported", False),
        (error(400, "OTP is required"), NotCreatedError, "otp_required", False),
        (error(400, "Invalid or expired OTP"), NotCreatedError, "incorrect_otp", False),
        (error(402, "Insufficient balance"), NotCreatedError, "insufficient_funds", False),
        (error(402, "Request failed"), NotCreatedError, "declined", False),
        (error(403, "Forbidden"), NotCreatedError, "gateway_configuration", True),
        (error(422, "bad"), NotCreatedError, "invalid_request", False),
        (error(401, "Invalid request origin"), NotCreatedError, "gateway_configuration", True),
        (error(401, "IP not in whitelist"), NotCreatedError, "gateway_configuration", True),
        (error(401, "Unauthorized"), NotCreatedError, "gateway_credentials", True),
        (error(400, "transactionRef already exists"), OutcomeUnknownError,
         "duplicate_reference", False),
        (error(429, "Too many requests"), OutcomeUnknownError, "rate_limited", False),
        (error(500, "An error has occurred"), OutcomeUnknownError, "gateway_error", False),
        (error(503, "Service unavailable"), OutcomeUnknownError, "gateway_error", False),
        (error(200, "Something failed"), OutcomeUnknownError, "unreadable_reply", False),
        ((400, '{"code":400}'), OutcomeUnknownError, "unreadable_reply", False),
        ((400, "<html>"), OutcomeUnknownError, "unreadable_reply", False),
        ((200, "<html>"), OutcomeUnknownError, "unreadable_reply", False),
        ((200, ""), OutcomeUnknownError, "unreadable_reply", False),
        ((200, '{"data":{"status":"pending"}}'), OutcomeUnknownError, "unreadable_reply", False),
        (success({}), OutcomeUnknownError, "unreadable_reply", False),
        (success([transaction()]), OutcomeUnknownError, "unreadable_reply", False),
        (success(transaction(transactionRef="cpanother1")), OutcomeUnknownError,
         "unreadable_reply", False),
    ],
)  # fmt: skip
async def test_a_reply_to_a_creation_proves_exactly_this(
    reply: Any, kind: type[GatewayFailureError], code: str, *, alert: bool
) -> None:
    async with scripted("eversend", {MOMO: reply}) as (gateway, _):
        with pytest.raises(GatewayFailureError) as caught:
            await gateway.create_charge(order())
    failure = caught.value
    assert (type(failure), failure.code, failure.operator_alert) == (kind, code, alert)


@pytest.mark.parametrize("wrap", [lambda node: node, lambda node: {"transaction": node},
                                  lambda node: {"transactions": [node]}])  # fmt: skip
async def test_a_created_collection_is_read_in_every_shape(wrap: Any) -> None:
    async with scripted("eversend", {MOMO: success(wrap(transaction()))}) as (gateway, _):
        report = await gateway.create_charge(order())
    assert report.outcome is Outcome.REQUIRES_ACTION
    assert report.charge
    assert report.charge.next_action == ApprovePrompt(phone_number="+256772123456")
    assert report.charge.gateway_transaction_id == "BE31795300012345"


@pytest.mark.parametrize(
    ("status", "outcome"), [("successful", Outcome.SUCCEEDED), ("failed", Outcome.FAILED)]
)
async def test_a_collection_that_is_decided_at_once_is_reported_so(
    status: str, outcome: Outcome
) -> None:
    reply = success(transaction(status=status, reason="Insufficient funds"))
    async with scripted("eversend", {MOMO: reply}) as (gateway, _):
        assert (await gateway.create_charge(order())).outcome is outcome


@pytest.mark.parametrize("mode", ["sms", "whatsapp"])
async def test_with_passwords_on_the_prompt_is_sent_only_with_the_right_one(
    eversend: Rig, reference: str, mode: str
) -> None:
    await eversend.sandbox.tell("config", require_otp=True)
    async with eversend.another({"eversend_otp_mode": mode}) as adapter:
        asked = await adapter.create(momo_order(reference))
        assert asked.outcome == OUTCOME_REQUIRES_ACTION
        state = asked.charge.next_action.otp_state
        assert state
        assert await eversend.sandbox.created(reference) == 0

        submission = pb.SubmitChargeActionRequest(
            charge=momo_order(reference), otp_state=state, otp="000000"
        )
        wrong = await adapter.failure("SubmitChargeAction", submission)
        assert (wrong.reason, wrong.metadata["code"]) == ("NOT_CREATED", "incorrect_otp")
        assert await eversend.sandbox.created(reference) == 0

        submission.otp = "123456"
        prompted = await adapter.call("SubmitChargeAction", submission)
        assert prompted.outcome == OUTCOME_REQUIRES_ACTION
        assert prompted.charge.next_action.prompt_phone_number == PHONE
    await eversend.sandbox.tell(f"transactions/{reference}/complete")
    assert (await eversend.adapter.look_up(reference)).outcome == OUTCOME_SUCCEEDED


async def test_a_submission_whose_reply_was_lost_is_unknown(eversend: Rig, reference: str) -> None:
    async with eversend.another({"eversend_otp_mode": "sms"}) as adapter:
        asked = await adapter.create(momo_order(reference))
        await eversend.sandbox.fault("lost_reply", "create", match={"reference": reference})
        submission = pb.SubmitChargeActionRequest(
            charge=momo_order(reference),
            otp_state=asked.charge.next_action.otp_state,
            otp="123456",
        )
        failure = await adapter.failure("SubmitChargeAction", submission)
    assert failure.reason == "UNKNOWN"
    assert await eversend.sandbox.created(reference) == 1


@pytest.mark.parametrize(
    "reply", [error(500, "An error has occurred"), (200, "<html>"), success({})]
)
async def test_a_password_that_could_not_be_requested_sent_nothing_of_the_charge(
    reply: Any,
) -> None:
    replies = {"/collections/otp": reply}
    async with scripted("eversend", replies, eversend_otp_mode="sms") as (gateway, script):
        with pytest.raises(NotSentError):
            await gateway.create_charge(order())
    assert MOMO not in [request.path for request in script.requests]


@pytest.mark.parametrize("fault", ["lost_reply", "bad_json", "error_after_effect"])
async def test_a_password_whose_reply_was_lost_sent_nothing_of_the_charge(
    eversend: Rig, reference: str, fault: str
) -> None:
    async with eversend.another({"eversend_otp_mode": "sms"}) as adapter:
        await adapter.look_up(reference)  # fetches the token, so that the password meets the fault
        await eversend.sandbox.fault(fault)
        failure = await adapter.failure("CreateCharge", momo_order(reference))
    assert failure.reason == "NOT_SENT"
    assert await eversend.sandbox.created(reference) == 0


async def test_a_phone_that_is_refused_a_password_created_nothing() -> None:
    replies = {"/collections/otp": error(400, "phone number must be valid")}
    async with scripted("eversend", replies, eversend_otp_mode="sms") as (gateway, _):
        with pytest.raises(NotCreatedError) as caught:
            await gateway.create_charge(order())
    assert caught.value.code == "invalid_phone_number"


@pytest.mark.parametrize(
    "otp", ["", "12", "123456789", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16"]
)
async def test_what_cannot_be_a_password_is_refused_unsent(
    eversend: Rig, reference: str, otp: str
) -> None:
    submission = pb.SubmitChargeActionRequest(
        charge=momo_order(reference), otp_state="VE1", otp=otp
    )
    failure = await eversend.adapter.failure("SubmitChargeAction", submission)
    assert failure.reason == "NOT_CREATED"
    assert [violation.field for violation in failure.violations] == ["otp"]
    assert not otp or otp not in str(failure)


async def test_with_passwords_off_there_is_no_such_step(eversend: Rig, reference: str) -> None:
    submission = pb.SubmitChargeActionRequest(
        charge=momo_order(reference), otp_state="VE1", otp="123456"
    )
    failure = await eversend.adapter.failure("SubmitChargeAction", submission)
    assert (failure.code, failure.reason) == (ErrorCode.UNIMPLEMENTED, "NOT_CREATED")


async def test_an_account_that_needs_passwords_refuses_a_charge_without(
    eversend: Rig, reference: str
) -> None:
    await eversend.sandbox.tell("config", require_otp=True)
    failure = await eversend.adapter.failure("CreateCharge", momo_order(reference))
    assert (failure.reason, failure.metadata["code"]) == ("NOT_CREATED", "otp_required")


async def test_a_reference_that_exists_at_the_gateway_is_not_a_refusal(
    eversend: Rig, reference: str
) -> None:
    await eversend.adapter.create(momo_order(reference))
    failure = await eversend.adapter.failure("CreateCharge", momo_order(reference))
    assert (failure.reason, failure.metadata["code"]) == ("UNKNOWN", "duplicate_reference")


async def test_a_prompt_cannot_be_cancelled(eversend: Rig, reference: str) -> None:
    request = pb.CancelChargeRequest(reference=reference)
    failure = await eversend.adapter.failure("CancelCharge", request)
    assert (failure.code, failure.reason) == (ErrorCode.UNIMPLEMENTED, "NOT_CREATED")
    assert failure.metadata["code"] == "cancel_not_supported"


async def test_cards_are_off_unless_an_operator_has_a_private_contract(
    eversend: Rig, reference: str
) -> None:
    described = await eversend.adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
    assert {capability.flow for capability in described.capabilities} == {FLOW_PROMPT}
    card = card_order(reference)
    failure = await eversend.adapter.failure("CreateCharge", card)
    assert (failure.reason, failure.metadata["code"]) == ("NOT_CREATED", "method_not_supported")


async def test_a_private_card_contract_opens_a_page(eversend: Rig, reference: str) -> None:
    await eversend.sandbox.tell("config", card=True)
    async with eversend.another({"eversend_card_enabled": True}) as adapter:
        described = await adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
        flows = {
            capability.flow
            for capability in described.capabilities
            if capability.payment_method == PAYMENT_METHOD_CARD
        }
        assert flows == {FLOW_HOSTED}
        created = await adapter.create(card_order(reference))
        assert created.charge.next_action.redirect_url.startswith("http")
        await eversend.sandbox.tell(f"transactions/{reference}/complete")
        found = await adapter.look_up(reference)
    assert found.outcome == OUTCOME_SUCCEEDED
    assert found.charge.amount == card_order(reference).amount


async def test_a_card_reply_without_a_page_proves_nothing() -> None:
    replies = {"/private/card": success(transaction())}
    changes: dict[str, object] = {
        "eversend_card_enabled": True,
        "eversend_card_path": "/private/card",
        "eversend_card_link_fields": "link",
    }
    async with scripted("eversend", replies, **changes) as (gateway, _):
        with pytest.raises(OutcomeUnknownError):
            await gateway.create_charge(an_order(UGX))
    replies = {"/private/card": success(transaction(link="https://pay.example/1"))}
    async with scripted("eversend", replies, **changes) as (gateway, _):
        report = await gateway.create_charge(an_order(UGX))
    assert report.charge
    assert report.charge.next_action == OpenPage(url="https://pay.example/1")
