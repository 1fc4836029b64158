"""The two promises from outside: one kept charge or none, the right tier, and an explanation."""

import asyncio
import uuid

import grpc
import pytest

from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_MOBILE_MONEY
from protos.operations.v1 import operations_service_pb2 as operations
from protos.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_CANCELLED,
    PAYMENT_STATUS_COMPLETED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    PAYMENT_STATUS_REFUNDED,
    Payment,
)
from protos.payments.v1.refund_pb2 import (
    REFUND_STATUS_FAILED,
    REFUND_STATUS_SUCCEEDED,
    Refund,
)
from tests.acceptance.stack import Stack, card_request, eventually, phone_request

pytestmark = pytest.mark.xdist_group("stack")


async def _pay(stack: Stack, gateway: str, reference: str) -> None:
    await stack.control(gateway, "POST", f"/transactions/{reference}/complete", {})


async def _verify(stack: Stack, payment: Payment) -> Payment:
    request = pb.VerifyPaymentRequest(payment_id=payment.payment_id)
    reply = await stack.payments.VerifyPayment(request, metadata=stack.metadata(), timeout=20)
    return reply.payment


async def _retry_by_phone(stack: Stack, payment: Payment, phone: str) -> Payment:
    request = pb.RetryPaymentRequest(
        payment_id=payment.payment_id,
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        phone_number=phone,
        country_code="UG",
        idempotency_key=uuid.uuid4().hex,
    )
    reply = await stack.payments.RetryPayment(request, metadata=stack.metadata(), timeout=30)
    return reply.payment


async def _refunds(stack: Stack, payment: Payment) -> list[Refund]:
    request = pb.ListRefundsRequest(payment_id=payment.payment_id)
    reply = await stack.payments.ListRefunds(request, metadata=stack.metadata(), timeout=20)
    return list(reply.refunds)


async def _refund_becomes(stack: Stack, payment: Payment, status: int) -> Refund:
    """Wait for the payment's newest refund, letting the gateways' time run."""

    async def look() -> Refund | None:
        for gateway in ("flutterwave", "eversend"):
            await stack.control(gateway, "POST", "/clock", {"advance_seconds": 61})
        refunds = await _refunds(stack, payment)
        return refunds[0] if refunds and refunds[0].status == status else None

    return await eventually(look, 40)


async def _kept(stack: Stack, payment: Payment) -> int:
    """Return what the journal says was kept for the payment, in minor units."""
    story = await stack.explain(payment.payment_id)
    lines = [line for entry in story.journal for line in entry.lines]
    for entry in story.journal:
        assert sum(line.amount.amount_minor for line in entry.lines) == 0
    return -sum(line.amount.amount_minor for line in lines if line.account == "revenue:memberships")


async def _kept_once(stack: Stack, payment: Payment, user_id: str) -> None:
    completed = await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED, seconds=40)
    assert await _kept(stack, payment) == completed.amount.amount_minor
    assert (await stack.membership(user_id)).tier == "pro"


async def test_a_prompt_approved_long_after_its_reply_was_lost_completes_once(
    stack: Stack,
) -> None:
    await stack.fault("eversend", "lost_reply", "create", times=1)
    request = phone_request("+256772300101")
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    assert "confirming" in payment.status_message
    await stack.control("eversend", "POST", "/clock", {"advance_seconds": 600})
    await _pay(stack, "eversend", payment.gateway_reference)
    await _kept_once(stack, payment, request.user_id)


async def test_when_both_gateways_come_back_the_member_tries_again_and_pays_once(
    stack: Stack,
) -> None:
    for gateway in ("eversend", "flutterwave"):
        await stack.fault(gateway, "unreachable", "any")
    request = phone_request("+256772300201")
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_FAILED
    for gateway in ("eversend", "flutterwave"):
        await stack.control(gateway, "DELETE", "/faults")
    again = await _retry_by_phone(stack, payment, "+256772300201")
    assert again.payment_id == payment.payment_id
    assert again.status == PAYMENT_STATUS_PROCESSING
    await _pay(stack, again.gateway, again.gateway_reference)
    await _kept_once(stack, payment, request.user_id)


async def test_two_tabs_on_one_page_are_kept_once_and_the_second_payment_goes_back(
    stack: Stack,
) -> None:
    await stack.fault("flutterwave", "second_success", "any", times=1, seconds=1)
    request = card_request()
    payment = await stack.create(request)
    await _pay(stack, "flutterwave", payment.gateway_reference)
    await _kept_once(stack, payment, request.user_id)
    refund = await _refund_becomes(stack, payment, REFUND_STATUS_SUCCEEDED)
    assert refund.purpose == "surplus"
    assert refund.amount == payment.amount
    charges = await stack.charges("flutterwave", payment.gateway_reference)
    assert charges["successful_count"] == 2
    assert await _kept(stack, payment) == payment.amount.amount_minor


async def test_the_first_page_is_closed_before_the_member_pays_by_phone_instead(
    stack: Stack,
) -> None:
    request = card_request(currency_code="UGX")
    payment = await stack.create(request)
    first_page = payment.next_action.redirect_url
    switched = await _retry_by_phone(stack, payment, "+256772300301")
    assert switched.next_action.HasField("phone_prompt")
    page = await stack.http.get(first_page)
    assert "<form" not in page.text, "nobody can pay on the first page any more"
    await _pay(stack, switched.gateway, switched.gateway_reference)
    await _kept_once(stack, payment, request.user_id)


async def test_money_that_arrives_on_the_first_page_after_all_buys_once_and_the_rest_goes_back(
    stack: Stack,
) -> None:
    await stack.fault("flutterwave", "late_success", "any", times=1, seconds=5)
    request = card_request(currency_code="UGX")
    payment = await stack.create(request)
    first = payment.gateway_reference
    await stack.control("flutterwave", "POST", f"/transactions/{first}/fail", {"reason": "no"})
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_FAILED)
    switched = await _retry_by_phone(stack, payment, "+256772300401")
    await _pay(stack, switched.gateway, switched.gateway_reference)
    await _kept_once(stack, payment, request.user_id)
    await stack.control("flutterwave", "POST", "/clock", {"advance_seconds": 10})
    refund = await _refund_becomes(stack, payment, REFUND_STATUS_SUCCEEDED)
    assert refund.purpose == "surplus"
    assert await _kept(stack, payment) == payment.amount.amount_minor


async def test_money_for_a_withdrawn_payment_goes_back(stack: Stack) -> None:
    await stack.fault("flutterwave", "late_success", "any", times=1, seconds=5)
    request = card_request()
    payment = await stack.create(request)
    cancel = pb.CancelPaymentRequest(
        payment_id=payment.payment_id, idempotency_key=uuid.uuid4().hex
    )
    await stack.payments.CancelPayment(cancel, metadata=stack.metadata(), timeout=20)
    path = f"/transactions/{payment.gateway_reference}/expire"
    with pytest.raises(Exception, match="409"):
        await stack.control("flutterwave", "POST", path, {})
    assert (await stack.get(payment.payment_id)).status == PAYMENT_STATUS_CANCELLED
    assert await _kept(stack, payment) == 0
    assert (await stack.membership(request.user_id)).tier == "free"


async def test_a_refund_that_was_accepted_and_then_failed_is_seen_and_tried_again(
    stack: Stack,
) -> None:
    request = card_request()
    payment = await stack.create(request)
    await _pay(stack, "flutterwave", payment.gateway_reference)
    await _kept_once(stack, payment, request.user_id)
    await stack.fault("flutterwave", "refund_fails", "refund", times=1)
    refund = await _ask_for_refund(stack, payment)
    failed = await _refund_becomes(stack, payment, REFUND_STATUS_FAILED)
    assert failed.refund_id == refund.refund_id
    assert (await stack.get(payment.payment_id)).status == PAYMENT_STATUS_COMPLETED
    assert (await stack.membership(request.user_id)).tier == "pro"
    staff = OperationsServiceStub(stack.channel)
    waiting = await staff.ListFailedRefunds(
        operations.ListFailedRefundsRequest(page_size=200), metadata=stack.metadata(), timeout=20
    )
    assert refund.refund_id in {each.refund_id for each in waiting.refunds}
    again = operations.RetryRefundRequest(
        refund_id=refund.refund_id, idempotency_key=uuid.uuid4().hex
    )
    await staff.RetryRefund(again, metadata=stack.metadata(), timeout=20)
    await _refund_becomes(stack, payment, REFUND_STATUS_SUCCEEDED)
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_REFUNDED)
    assert (await stack.membership(request.user_id)).tier == "free"
    assert await _kept(stack, payment) == 0


@pytest.mark.parametrize("fault", ["lost_reply", "error_after_effect", "bad_json"])
@pytest.mark.parametrize("gateway", ["eversend", "flutterwave"])
async def test_a_refund_whose_reply_was_lost_is_paid_out_once(
    stack: Stack, gateway: str, fault: str
) -> None:
    phone = f"+2567723005{len(fault):02}"
    request = card_request() if gateway == "flutterwave" else phone_request(phone)
    payment = await stack.create(request)
    await _pay(stack, gateway, payment.gateway_reference)
    await _kept_once(stack, payment, request.user_id)
    await stack.fault(gateway, fault, "refund", times=1)
    await _ask_for_refund(stack, payment)
    await _refund_becomes(stack, payment, REFUND_STATUS_SUCCEEDED)
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_REFUNDED)
    story = await stack.explain(payment.payment_id)
    sent = [each for each in story.timeline if each.action == "refund_attempt_sending"]
    assert len(sent) == 1
    assert await _kept(stack, payment) == 0


async def test_refunds_asked_for_at_once_never_exceed_what_was_paid(stack: Stack) -> None:
    request = phone_request("+256772300601")
    payment = await stack.create(request)
    await _pay(stack, "eversend", payment.gateway_reference)
    await _kept_once(stack, payment, request.user_id)

    async def ask() -> grpc.StatusCode | None:
        try:
            await _ask_for_refund(stack, payment, amount_minor=payment.amount.amount_minor // 3)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    answers = await asyncio.gather(*(ask() for _ in range(12)))
    assert answers.count(None) == 3
    assert set(answers) == {None, grpc.StatusCode.INVALID_ARGUMENT}


async def _ask_for_refund(stack: Stack, payment: Payment, amount_minor: int = 0) -> Refund:
    request = pb.RefundPaymentRequest(
        payment_id=payment.payment_id, reason="asked for", idempotency_key=uuid.uuid4().hex
    )
    if amount_minor:
        request.amount.currency_code = payment.amount.currency_code
        request.amount.amount_minor = amount_minor
    reply = await stack.payments.RefundPayment(request, metadata=stack.metadata(), timeout=20)
    return reply.refund
