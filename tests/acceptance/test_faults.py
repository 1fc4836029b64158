"""Gateways fail and processes die at any moment; the member is charged once and has the tier."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import grpc
import pytest

from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_COMPLETED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    Payment,
)
from tests.acceptance.stack import Stack, card_request, eventually, phone_request

pytestmark = pytest.mark.xdist_group("stack")


async def _pay(stack: Stack, payment: Payment) -> None:
    path = f"/transactions/{payment.gateway_reference}/complete"
    await stack.control(payment.gateway, "POST", path, {})


async def _create_until_answered(stack: Stack, request: pb.CreatePaymentRequest) -> Payment:
    """Retry with the same key, as a caller does whose call broke."""

    async def attempt() -> Payment | None:
        try:
            return await stack.create(request)
        except grpc.aio.AioRpcError as error:
            retryable = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED)
            if error.code() not in retryable:
                raise
            return None

    return await eventually(attempt, 60)


async def _completed_once(stack: Stack, payment: Payment, user_id: str) -> None:
    await stack.becomes(payment.payment_id, PAYMENT_STATUS_COMPLETED, seconds=60)
    assert (await stack.membership(user_id)).tier == "pro"
    assert await stack.kept_charges(payment.payment_id) == 1


async def test_an_unreachable_primary_is_replaced_and_the_member_never_notices(
    stack: Stack,
) -> None:
    await stack.fault("eversend", "unreachable", "any", seconds=60)
    request = phone_request("+256772200201")
    payment = await stack.create(request)
    assert payment.gateway == "flutterwave"
    assert payment.status == PAYMENT_STATUS_PROCESSING
    assert payment.next_action.redirect_url
    assert not payment.HasField("failure")
    await _pay(stack, payment)
    await _completed_once(stack, payment, request.user_id)
    attempts = (await stack.explain(payment.payment_id)).attempts
    assert [(each.gateway, each.outcome) for each in attempts] == [
        ("eversend", "undelivered"),
        ("flutterwave", "succeeded"),
    ]


@pytest.mark.parametrize("fault", ["lost_reply", "error_after_effect"])
async def test_a_prompt_whose_reply_was_lost_is_never_sent_twice(stack: Stack, fault: str) -> None:
    await stack.fault("eversend", fault, "create", times=1)
    request = phone_request(f"+25677220030{len(fault) % 10}")
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    assert payment.gateway == "eversend"
    assert "confirming" in payment.status_message
    await _pay(stack, payment)
    await _completed_once(stack, payment, request.user_id)
    charges = await stack.charges("eversend", payment.gateway_reference)
    assert charges["created_count"] == 1
    assert len((await stack.explain(payment.payment_id)).attempts) == 1


async def test_a_prompt_that_failed_before_its_effect_is_not_sent_elsewhere(stack: Stack) -> None:
    await stack.fault("eversend", "error_before_effect", "create", times=1)
    payment = await stack.create(phone_request("+256772200401"))
    assert payment.status == PAYMENT_STATUS_PROCESSING
    attempts = (await stack.explain(payment.payment_id)).attempts
    assert [(each.gateway, each.outcome) for each in attempts] == [("eversend", "unknown")]


@pytest.mark.parametrize("fault", ["lost_reply", "error_before_effect", "html_error", "bad_json"])
async def test_a_hosted_link_whose_reply_was_lost_is_replaced_by_a_fresh_one(
    stack: Stack, fault: str
) -> None:
    await stack.fault("flutterwave", fault, "create", times=1)
    request = card_request()
    payment = await stack.create(request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    assert payment.next_action.redirect_url
    await _pay(stack, payment)
    await _completed_once(stack, payment, request.user_id)
    attempts = (await stack.explain(payment.payment_id)).attempts
    assert [each.outcome for each in attempts] == ["undelivered", "succeeded"]
    assert attempts[0].gateway_reference != attempts[1].gateway_reference


async def test_when_no_gateway_can_be_reached_the_payment_fails_and_says_so(stack: Stack) -> None:
    for gateway in ("eversend", "flutterwave"):
        await stack.fault(gateway, "unreachable", "any", seconds=60)
    payment = await stack.create(phone_request("+256772200501"))
    assert payment.status == PAYMENT_STATUS_FAILED
    assert payment.failure.code == "gateway_unreachable"


async def test_a_delayed_webhook_does_not_delay_the_payment(stack: Stack) -> None:
    await stack.fault("eversend", "webhook_delay", "any", times=5, seconds=60)
    request = phone_request("+256772200601")
    payment = await stack.create(request)
    await _pay(stack, payment)
    await _completed_once(stack, payment, request.user_id)


async def _creating_while_killed(
    stack: Stack, process: str, gateway: str, request: pb.CreatePaymentRequest
) -> Payment:
    """Kill a process while the gateway is still working on the creation."""
    await stack.fault(gateway, "delay", "create", times=1, seconds=3)
    creating = asyncio.create_task(_create_until_answered(stack, request))

    async def intent_recorded() -> bool | None:
        rows = await stack.rows(
            "SELECT 1 FROM creators_membership WHERE user_id = $1", request.user_id
        )
        return bool(rows) or None

    await eventually(intent_recorded)
    await stack.kill(process)
    return await creating


@pytest.mark.parametrize(
    ("process", "gateway", "request_of"),
    [
        ("payments-server", "flutterwave", card_request),
        ("payments-server", "eversend", lambda: phone_request("+256772200701")),
        ("payments-worker", "flutterwave", card_request),
        ("payments-worker", "eversend", lambda: phone_request("+256772200702")),
        ("flutterwave-adapter", "flutterwave", card_request),
        ("eversend-adapter", "eversend", lambda: phone_request("+256772200703")),
    ],
)
async def test_a_process_killed_while_a_charge_is_created_costs_nobody_anything(
    stack: Stack, process: str, gateway: str, request_of: Callable[[], pb.CreatePaymentRequest]
) -> None:
    request = request_of()
    payment = await _creating_while_killed(stack, process, gateway, request)

    async def payable() -> Payment | None:
        """Return the payment once its newest attempt is one that the gateway knows."""
        current = await stack.get(payment.payment_id)
        if current.status != PAYMENT_STATUS_PROCESSING:
            return None
        base = stack.env[f"{current.gateway.upper()}_SANDBOX_CONTROL_URL"]
        url = f"{base}/_sandbox/transactions/{current.gateway_reference}"
        known = (await stack.http.get(url)).is_success
        return current if known else None

    current = await eventually(payable, 60)
    await _pay(stack, current)
    await _completed_once(stack, payment, request.user_id)


@pytest.mark.parametrize(
    "process",
    [
        "payments-worker",
        "payments-server",
        "eversend-adapter",
        "webhook-receiver",
        "eversend-sandbox",
    ],
)
async def test_a_process_killed_when_the_payer_pays_delays_the_grant_and_nothing_else(
    stack: Stack, process: str
) -> None:
    request = phone_request("+256772200801")
    payment = await stack.create(request)
    paying: Awaitable[None] = _pay(stack, payment)
    await paying
    await stack.kill(process)
    await _completed_once(stack, payment, request.user_id)


async def test_a_killed_database_loses_nothing_that_was_acknowledged(stack: Stack) -> None:
    request = phone_request("+256772200901")
    payment = await stack.create(request)
    os.kill(stack.pid("postgres"), signal.SIGKILL)
    await _pay(stack, payment)

    async def recovered() -> bool | None:
        try:
            await stack.get(payment.payment_id)
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - each try is checked
            return None
        return True

    await eventually(recovered, 60)
    await _completed_once(stack, payment, request.user_id)


async def test_creating_while_an_adapter_is_stopped_records_nothing(stack: Stack) -> None:
    """A stopped (not killed) adapter answers nothing; only Flutterwave offers cards."""
    adapter = stack.pid("flutterwave-adapter")
    os.kill(adapter, signal.SIGKILL)
    request = card_request()
    try:
        payment = await stack.create(request)
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - either outcome is right
        rows = await stack.rows(
            "SELECT 1 FROM creators_membership WHERE user_id = $1", request.user_id
        )
        assert rows == []
        payment = await _create_until_answered(stack, request)
    assert payment.status == PAYMENT_STATUS_PROCESSING
    await _pay(stack, payment)
    await _completed_once(stack, payment, request.user_id)
