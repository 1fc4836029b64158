"""A member pays, by card on the hosted page and by mobile money on the phone, and has the tier."""

import asyncio
import re
import time

import grpc
import httpx
import pytest

from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL
from protos.memberships.v1.membership_pb2 import MEMBERSHIP_STATUS_ACTIVE
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_CANCELLED,
    PAYMENT_STATUS_COMPLETED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    Payment,
)
from tests.acceptance.stack import Stack, card_request, eventually, phone_request

pytestmark = pytest.mark.xdist_group("stack")

_DOCUMENTED_COLUMNS = """
    SELECT user_id, new_tier, previous_tier, amount, currency, billing_cycle, payment_method,
           gateway_reference, status, error_message, error_code, failed_at, verification_count,
           last_verified_at, idempotency_key, version, created_at, updated_at, completed_at
    FROM creators_membership WHERE id = $1::uuid
"""


async def _watched_until_the_end(stack: Stack, payment: Payment) -> list[tuple[float, Payment]]:
    request = pb.WatchPaymentRequest(payment_id=payment.payment_id, after_version=payment.version)
    stream = stack.payments.WatchPayment(request, metadata=stack.metadata(), timeout=30)
    return [(time.monotonic(), each.payment) async for each in stream]


async def _pay_on_the_hosted_page(stack: Stack, link: str) -> httpx.Response:
    """Click through the hosted page as a browser without JavaScript does."""
    fields = {
        "card_number": "5531886652142950",
        "expiry": "09/32",
        "cvv": "564",
        "pin": "3310",
        "otp": "12345",
    }
    page = await stack.http.get(link)
    for _ in range(8):
        if page.status_code == httpx.codes.SEE_OTHER:
            location = httpx.URL(link).join(page.headers["location"])
            if location.host != httpx.URL(link).host or location.port != httpx.URL(link).port:
                return page
            page = await stack.http.get(location)
            continue
        page.raise_for_status()
        page = await _next_step(stack, page, fields)
    raise AssertionError(f"the hosted page did not end: {page.text[:500]}")


async def _next_step(stack: Stack, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
    """Fill in the form of the page that asks for what the payer has, or follow the card option."""
    for form in re.findall(r"<form.*?</form>", page.text, re.DOTALL):
        action = re.search(r'action="([^"]*)"', form)
        names = re.findall(r'<input[^>]*name="([^"]+)"', form)
        wanted = {name: fields[name] for name in names if name in fields}
        if wanted and action:
            return await stack.http.post(page.url.join(action.group(1)), data=wanted)
    card = re.search(r'href="([^"]*card[^"]*)"', page.text)
    assert card, page.text[:1000]
    return await stack.http.get(page.url.join(card.group(1)))


async def test_a_card_payment_on_the_hosted_page_grants_the_tier(stack: Stack) -> None:
    request = card_request(billing_cycle=BILLING_CYCLE_ANNUAL)
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    assert payment.gateway == "flutterwave"
    assert payment.amount.currency_code == "NGN"
    assert payment.amount.amount_minor == 14_500_000
    watching = asyncio.create_task(_watched_until_the_end(stack, payment))
    left = await _pay_on_the_hosted_page(stack, payment.next_action.redirect_url)
    assert "tx_ref=" + payment.gateway_reference in left.headers["location"]
    assert left.headers["location"].startswith("http://127.0.0.1:8080/return?order=7&")
    states = await asyncio.wait_for(watching, 20)
    assert [each.status for _, each in states] == [PAYMENT_STATUS_COMPLETED]
    membership = await stack.membership(request.user_id)
    assert (membership.tier, membership.status) == ("pro", MEMBERSHIP_STATUS_ACTIVE)
    assert membership.billing_cycle == BILLING_CYCLE_ANNUAL
    assert await stack.kept_charges(payment.payment_id) == 1


async def test_completion_is_pushed_within_a_second_of_the_webhook(stack: Stack) -> None:
    payment = await stack.create(phone_request("+256772100101"))
    watching = asyncio.create_task(_watched_until_the_end(stack, payment))
    reference = payment.gateway_reference
    await stack.control("eversend", "POST", f"/transactions/{reference}/complete", {})
    approved = time.monotonic()
    (pushed, completed), *_ = await asyncio.wait_for(watching, 20)
    assert completed.status == PAYMENT_STATUS_COMPLETED
    assert pushed - approved < 1.0


async def test_a_prompt_approved_on_the_phone_page_grants_the_tier(stack: Stack) -> None:
    request = phone_request("+256772100102")
    payment = await stack.create(request)
    assert payment.gateway == "eversend"
    assert payment.next_action.phone_prompt.masked_phone_number == "+256•••••••02"
    phone = f"{stack.env['EVERSEND_SANDBOX_URL']}/phone/+256772100102"
    page = await stack.http.get(phone)
    approve = re.search(r'action="([^"]+/approve)"', page.text)
    assert approve, page.text[:1000]
    pin = re.search(r'name="(pin)"', page.text)
    form = {"pin": "1234"} if pin else {}
    await stack.http.post(page.url.join(approve.group(1)), data=form)
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED)
    assert (await stack.membership(request.user_id)).tier == "pro"


async def test_one_audit_trail_leads_from_creation_to_the_grant(stack: Stack) -> None:
    request = phone_request("+256772100103")
    payment = await stack.create(request)
    reference = payment.gateway_reference
    await stack.control("eversend", "POST", f"/transactions/{reference}/complete", {})
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED)
    story = await stack.explain(payment.payment_id)
    assert [entry.action for entry in story.timeline] == [
        "payment_requested",
        "attempt_started",
        "attempt_live",
        "payment_processing",
        "gateway_called_back",
        "gateway_asked",
        "payment_completed",
        "tier_granted",
    ]
    moves = [(entry.from_status, entry.to_status) for entry in story.timeline if entry.to_status]
    assert moves == [("pending", "processing"), ("processing", "completed")]
    text = str(story.timeline)
    assert "amina@example.com" not in text
    assert "772100103" not in text


async def test_the_row_has_the_documented_columns(stack: Stack) -> None:
    request = card_request()
    payment = await stack.create(request)
    reference = payment.gateway_reference
    await stack.control("flutterwave", "POST", f"/transactions/{reference}/complete", {})
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED)
    (row,) = await stack.rows(_DOCUMENTED_COLUMNS, payment.payment_id)
    assert (row["user_id"], row["new_tier"], row["previous_tier"]) == (
        request.user_id,
        "pro",
        "free",
    )
    assert (str(row["amount"]), row["currency"], row["status"]) == ("14500.00", "NGN", "completed")
    assert row["verification_count"] >= 1
    assert row["completed_at"] >= row["created_at"]
    events = await stack.rows(
        "SELECT source, status, event_id FROM webhook_events WHERE payment_id = $1::uuid",
        payment.payment_id,
    )
    assert [(event["source"], event["status"]) for event in events] == [
        ("flutterwave", "processed")
    ]


async def test_one_request_id_goes_through_every_process(stack: Stack) -> None:
    payment = await stack.create(card_request())
    requested = (await stack.explain(payment.payment_id)).timeline[0].request_id
    for process in ("payments-server", "flutterwave-adapter"):

        async def logged(process: str = process) -> bool | None:
            return requested in stack.log(process) or None

        await eventually(logged)


async def test_a_decline_fails_the_payment_with_a_reason_and_grants_nothing(stack: Stack) -> None:
    for gateway, request in (
        ("flutterwave", card_request()),
        ("eversend", phone_request("+256772100104")),
    ):
        payment = await stack.create(request)
        path = f"/transactions/{payment.gateway_reference}/fail"
        await stack.control(gateway, "POST", path, {"reason": "Insufficient Funds"})
        failed = await stack.becomes(payment.payment_id, PAYMENT_STATUS_FAILED)
        assert failed.failure.code == "insufficient_funds", gateway
        assert failed.failure.message
        assert (await stack.membership(request.user_id)).tier == "free"
        assert await stack.kept_charges(payment.payment_id) == 0


async def test_cancelling_closes_the_link_first(stack: Stack) -> None:
    payment = await stack.create(card_request())
    request = pb.CancelPaymentRequest(payment_id=payment.payment_id, idempotency_key="cancel-1")
    reply = await stack.payments.CancelPayment(request, metadata=stack.metadata(), timeout=20)
    assert reply.payment.status == PAYMENT_STATUS_CANCELLED
    again = await stack.payments.CancelPayment(request, metadata=stack.metadata(), timeout=20)
    assert again == reply
    page = await stack.http.get(payment.next_action.redirect_url)
    assert "card_number" not in page.text


async def test_a_prompt_that_cannot_be_taken_back_is_not_cancelled(stack: Stack) -> None:
    payment = await stack.create(phone_request("+256772100105"))
    request = pb.CancelPaymentRequest(payment_id=payment.payment_id, idempotency_key="cancel-2")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stack.payments.CancelPayment(request, metadata=stack.metadata(), timeout=20)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (await stack.get(payment.payment_id)).status == PAYMENT_STATUS_PROCESSING


async def test_a_payment_completes_without_any_webhook(stack: Stack) -> None:
    await stack.fault("eversend", "webhook_drop", "any", times=10)
    payment = await stack.create(phone_request("+256772100106"))
    reference = payment.gateway_reference
    await stack.control("eversend", "POST", f"/transactions/{reference}/complete", {})
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED, seconds=30)


async def test_asking_now_completes_a_payment_whose_webhook_is_late(stack: Stack) -> None:
    await stack.fault("flutterwave", "webhook_drop", "any", times=10)
    payment = await stack.create(card_request())
    reference = payment.gateway_reference
    await stack.control("flutterwave", "POST", f"/transactions/{reference}/complete", {})
    reply = await stack.payments.VerifyPayment(
        pb.VerifyPaymentRequest(payment_id=payment.payment_id),
        metadata=stack.metadata(),
        timeout=20,
    )
    assert reply.payment.status == PAYMENT_STATUS_COMPLETED


async def test_duplicate_webhooks_have_one_effect(stack: Stack) -> None:
    await stack.fault("flutterwave", "webhook_duplicate", "any", times=1)
    request = card_request()
    payment = await stack.create(request)
    reference = payment.gateway_reference
    await stack.control("flutterwave", "POST", f"/transactions/{reference}/complete", {})
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED)

    async def counted() -> bool | None:
        rows = await stack.rows(
            "SELECT duplicate_count FROM webhook_events WHERE reference = $1", reference
        )
        return (len(rows) == 1 and rows[0]["duplicate_count"] >= 1) or None

    await eventually(counted)
    granted = await stack.rows(
        "SELECT id FROM payment_audit_log WHERE payment_id = $1::uuid AND action = 'tier_granted'",
        payment.payment_id,
    )
    assert len(granted) == 1
