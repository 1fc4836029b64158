"""What callers may not do, and what bad input gets."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kit.clock import SystemClock
from kit.tokens_issue import issue_token
from protos.common.v1.customer_pb2 import Customer
from protos.memberships.v1.memberships_service_pb2 import GetMembershipRequest, ListTiersRequest
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub
from protos.operations.v1.operations_service_pb2 import ListDisputesRequest
from protos.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.gateway_events_service_pb2 import RecordGatewayEventRequest
from protos.payments.v1.gateway_events_service_pb2_grpc import GatewayEventsServiceStub
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_PROCESSING
from tests.acceptance.stack import Stack, card_request, phone_request

pytestmark = pytest.mark.xdist_group("stack")


async def _refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


def _reason(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in rpc_status.from_call(error).details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _violated(error: grpc.aio.AioRpcError) -> set[str]:
    bad = error_details_pb2.BadRequest()
    for detail in rpc_status.from_call(error).details:
        detail.Unpack(bad)
    return {violation.field for violation in bad.field_violations}


def _with_amount() -> pb.CreatePaymentRequest:
    """Return a request with a field 99 that the service does not know: an amount, say."""
    field_99_is_1 = b"\x98\x06\x01"
    return pb.CreatePaymentRequest.FromString(card_request().SerializeToString() + field_99_is_1)


_PHONE = "+256772300301"
_BAD_REQUESTS: dict[str, tuple[Callable[[], pb.CreatePaymentRequest], str]] = {
    "unknown tier": (lambda: card_request(tier="emperor"), "tier"),
    "the free tier": (lambda: card_request(tier="free"), "tier"),
    "no tier": (lambda: card_request(tier=""), "tier"),
    "no cycle": (lambda: card_request(billing_cycle=0), "billing_cycle"),
    "unknown cycle": (lambda: card_request(billing_cycle=9), "billing_cycle"),
    "no method": (lambda: card_request(payment_method=0), "payment_method"),
    "unknown method": (lambda: card_request(payment_method=77), "payment_method"),
    "unknown currency": (lambda: card_request(currency_code="ZZZ"), "currency_code"),
    "malformed currency": (lambda: card_request(currency_code="naira"), "currency_code"),
    "no currency": (lambda: card_request(currency_code=""), "currency_code"),
    "an amount from the caller": (_with_amount, "#99"),
    "no user": (lambda: card_request(user_id=""), "user_id"),
    "oversized user": (lambda: card_request(user_id="u" * 101), "user_id"),
    "no e-mail": (lambda: card_request(customer=Customer()), "customer.email"),
    "malformed e-mail": (lambda: card_request(customer=Customer(email="ada")), "customer.email"),
    "no key": (lambda: card_request(idempotency_key=""), "idempotency_key"),
    "oversized key": (lambda: card_request(idempotency_key="k" * 256), "idempotency_key"),
    "oversized return address": (
        lambda: card_request(return_url="https://example.com/" + "a" * 2000),
        "return_url",
    ),
    "a script as return address": (
        lambda: card_request(return_url="javascript:alert(1)"),
        "return_url",
    ),
    "malformed phone": (lambda: phone_request("0772123456"), "customer.phone_number"),
    "phone of another country": (lambda: phone_request("+254712345678"), "customer.phone_number"),
    "mobile money without a phone": (lambda: phone_request(""), "customer.phone_number"),
    "unknown country": (
        lambda: phone_request(
            _PHONE, customer=Customer(email="a@example.com", phone_number=_PHONE, country_code="XX")
        ),
        "customer.country_code",
    ),
    "mobile money where it is not offered": (
        lambda: phone_request(_PHONE, currency_code="USD"),
        "currency_code",
    ),
    "an option that does not exist": (
        lambda: card_request(payment_option="barter"),
        "payment_option",
    ),
}


@pytest.mark.parametrize("case", _BAD_REQUESTS)
async def test_bad_input_is_refused_with_the_field_that_is_wrong(stack: Stack, case: str) -> None:
    make, field = _BAD_REQUESTS[case]
    request = make()
    error = await _refusal(stack.create(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in _violated(error)
    rows = await stack.rows("SELECT 1 FROM creators_membership WHERE user_id = $1", request.user_id)
    assert rows == []


async def test_all_violations_are_listed_at_once(stack: Stack) -> None:
    error = await _refusal(stack.create(pb.CreatePaymentRequest()))
    assert _violated(error) == {
        "user_id",
        "tier",
        "billing_cycle",
        "payment_method",
        "currency_code",
        "customer.email",
        "idempotency_key",
    }


@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Bearer wrong", "Basic abc"])
async def test_without_a_known_service_token_nobody_is_served(
    stack: Stack, authorization: str | None
) -> None:
    metadata = () if authorization is None else (("authorization", authorization),)
    request = pb.GetPaymentRequest(payment_id=str(uuid.uuid4()))
    error = await _refusal(stack.payments.GetPayment(request, metadata=metadata, timeout=10))
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_only_the_receiver_may_record_gateway_events(stack: Stack) -> None:
    call = GatewayEventsServiceStub(stack.channel).RecordGatewayEvent(
        RecordGatewayEventRequest(gateway="flutterwave", event_key="x"),
        metadata=stack.metadata(),
        timeout=10,
    )
    assert (await _refusal(call)).code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_published_call_that_comes_later_says_so(stack: Stack) -> None:
    call = OperationsServiceStub(stack.channel).ListDisputes(
        ListDisputesRequest(), metadata=stack.metadata(), timeout=10
    )
    error = await _refusal(call)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert _reason(error) == "NOT_YET_OFFERED"
    assert "ListDisputes" in (error.details() or "")


def _token(stack: Stack, user_id: str) -> str:
    secrets = (stack.folder / "secrets.env").read_text().splitlines()
    (secret,) = [line.split("=", 1)[1] for line in secrets if line.startswith("JWT_SECRET=")]
    return issue_token(secret, user_id, SystemClock())


async def test_another_members_payment_looks_exactly_like_a_missing_one(stack: Stack) -> None:
    payment = await stack.create(card_request())
    metadata = stack.metadata(x_user_token=_token(stack, "somebody-else"))
    for method, kind in (
        (stack.payments.GetPayment, pb.GetPaymentRequest),
        (stack.payments.VerifyPayment, pb.VerifyPaymentRequest),
        (stack.payments.ExplainPayment, pb.ExplainPaymentRequest),
    ):
        missing_id = str(uuid.uuid4())
        call: Any = method
        other = await _refusal(
            call(kind(payment_id=payment.payment_id), metadata=metadata, timeout=10)
        )
        missing = await _refusal(call(kind(payment_id=missing_id), metadata=metadata, timeout=10))
        assert other.code() == missing.code() == grpc.StatusCode.NOT_FOUND
        expected = (missing.details() or "").replace(missing_id, payment.payment_id)
        assert other.details() == expected
    listed = await stack.payments.ListPayments(
        pb.ListPaymentsRequest(), metadata=metadata, timeout=10
    )
    assert list(listed.payments) == []


async def test_a_member_sees_and_lists_their_own_payments(stack: Stack) -> None:
    request = card_request()
    payment = await stack.create(request)
    metadata = stack.metadata(x_user_token=_token(stack, request.user_id))
    reply = await stack.payments.GetPayment(
        pb.GetPaymentRequest(payment_id=payment.payment_id), metadata=metadata, timeout=10
    )
    assert reply.payment == payment
    listed = await stack.payments.ListPayments(
        pb.ListPaymentsRequest(), metadata=metadata, timeout=10
    )
    assert [each.payment_id for each in listed.payments] == [payment.payment_id]


async def test_nobody_buys_for_another_member(stack: Stack) -> None:
    metadata = stack.metadata(x_user_token=_token(stack, "mallory"))
    call = stack.payments.CreatePayment(card_request(), metadata=metadata, timeout=10)
    assert (await _refusal(call)).code() == grpc.StatusCode.PERMISSION_DENIED


async def test_the_same_request_at_once_makes_one_payment_and_one_charge(stack: Stack) -> None:
    request = phone_request("+256772300401")

    async def ask() -> bytes:
        while True:
            try:
                reply = await stack.payments.CreatePayment(
                    request, metadata=stack.metadata(), timeout=20
                )
            except grpc.aio.AioRpcError as error:
                if _reason(error) != "REQUEST_IN_PROGRESS":
                    raise
            else:
                return reply.SerializeToString(deterministic=True)

    answers = await asyncio.gather(*(ask() for _ in range(32)))
    assert len(set(answers)) == 1
    payment = pb.CreatePaymentResponse.FromString(answers[0]).payment
    charges = await stack.charges("eversend", payment.gateway_reference)
    assert charges["created_count"] == 1
    rows = await stack.rows(
        "SELECT 1 FROM payment_attempts WHERE payment_id = $1::uuid", payment.payment_id
    )
    assert len(rows) == 1


async def test_two_tabs_with_different_keys_share_one_payment(stack: Stack) -> None:
    first = card_request()
    second = pb.CreatePaymentRequest.FromString(first.SerializeToString())
    second.idempotency_key = uuid.uuid4().hex
    assert (await stack.create(first)).payment_id == (await stack.create(second)).payment_id


async def test_a_key_with_other_parameters_is_refused(stack: Stack) -> None:
    request = card_request()
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    request.tier = "starter"
    error = await _refusal(stack.create(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert _reason(error) == "IDEMPOTENCY_KEY_REUSED"


async def test_prices_come_from_the_price_book_in_every_currency(stack: Stack) -> None:
    memberships = MembershipsServiceStub(stack.channel)
    first = await memberships.ListTiers(
        ListTiersRequest(currency_code="UGX"), metadata=stack.metadata(), timeout=10
    )
    assert len(first.currency_codes) >= 5
    for currency in first.currency_codes:
        book = await memberships.ListTiers(
            ListTiersRequest(currency_code=currency), metadata=stack.metadata(), timeout=10
        )
        for tier in book.tiers[1:]:
            monthly, annual = (price.amount.amount_minor for price in tier.prices)
            assert 0 < annual < 12 * monthly


async def test_a_member_who_never_paid_has_the_free_tier(stack: Stack) -> None:
    reply = await MembershipsServiceStub(stack.channel).GetMembership(
        GetMembershipRequest(user_id="newcomer"), metadata=stack.metadata(), timeout=10
    )
    assert reply.membership.tier == "free"
