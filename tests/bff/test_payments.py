"""Buying and following a payment over HTTP: what goes to the payments service, what comes back."""

from typing import Any

import httpx
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import ErrorCode, ServiceError
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL, BILLING_CYCLE_MONTHLY
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.payment_method_pb2 import (
    PAYMENT_METHOD_CARD,
    PAYMENT_METHOD_MOBILE_MONEY,
    PAYMENT_METHOD_UNSPECIFIED,
)
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_FAILED,
    NextAction,
    OneTimePassword,
    PaymentFailure,
    PhonePrompt,
)
from tests.bff.conftest import logged_in
from tests.bff.scripted import PAYMENT_ID, ScriptedService, payment

BODY: dict[str, Any] = {
    "tier": "pro",
    "billing_cycle": "monthly",
    "payment_method": "card",
    "customer": {"email": "alice@creators.test"},
}
SHOWN: dict[str, Any] = {
    "payment_id": PAYMENT_ID,
    "tier": "pro",
    "previous_tier": "free",
    "billing_cycle": "monthly",
    "amount": {"currency_code": "UGX", "amount": "25000", "amount_minor": 25_000},
    "refunded_amount": {"currency_code": "UGX", "amount": "0", "amount_minor": 0},
    "payment_method": "card",
    "status": "processing",
    "status_message": "Finish your payment on the provider's page.",
    "held_for_review": False,
    "next_action": {"kind": "redirect", "redirect_url": "https://pay.example/1"},
    "failure": None,
    "version": 3,
    "create_time": "2026-09-21T14:13:20.123Z",
    "update_time": "2026-09-21T14:13:21.000Z",
    "complete_time": None,
}
STEPS = ("verify", "otp", "retry", "cancel")
STEP_BODIES = {"otp": {"otp": "123456"}, "retry": {}}


async def step(bff: httpx.AsyncClient, name: str, **headers: str) -> httpx.Response:
    values = {"idempotency_key": "key-1", **headers}
    return await bff.post(
        f"/api/payments/{PAYMENT_ID}/{name}",
        headers=logged_in(**values),
        json=STEP_BODIES.get(name),
    )


async def test_a_purchase_is_made_for_the_member_who_is_logged_in(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    headers = logged_in(idempotency_key="key-1")
    response = await bff.post("/api/payments", headers=headers, json=BODY)

    assert response.status_code == 201
    assert response.json() == SHOWN
    assert response.headers["location"] == f"/api/payments/{PAYMENT_ID}"
    (request,) = service.requests("CreatePayment")
    assert request == pb.CreatePaymentRequest(
        user_id="alice",
        tier="pro",
        billing_cycle=BILLING_CYCLE_MONTHLY,
        payment_method=PAYMENT_METHOD_CARD,
        currency_code="UGX",
        customer=Customer(email="alice@creators.test"),
        idempotency_key="key-1",
    )
    metadata = service.received[0].metadata
    assert metadata["x-user-token"] == headers["authorization"].removeprefix("Bearer ")
    assert metadata["x-request-id"] == response.headers["x-request-id"]


async def test_everything_that_a_page_may_say_reaches_the_service(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    customer = {
        "email": "bob@creators.test",
        "name": "Bob \u00d6",
        "phone_number": "+254712345678",
        "country_code": "KE",
    }
    body = {
        "tier": "max",
        "billing_cycle": "annual",
        "payment_method": "mobile_money",
        "currency_code": "KES",
        "customer": customer,
        "return_url": "https://app.example/done?order=7",
        "payment_option": "paypal",
        "mobile_money_network": "M-PESA",
    }
    response = await bff.post(
        "/api/payments", headers=logged_in("bob", idempotency_key="k" * 255), json=body
    )

    assert response.status_code == 201
    (request,) = service.requests("CreatePayment")
    assert request == pb.CreatePaymentRequest(
        user_id="bob",
        tier="max",
        billing_cycle=BILLING_CYCLE_ANNUAL,
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        currency_code="KES",
        customer=Customer(**customer),
        return_url="https://app.example/done?order=7",
        idempotency_key="k" * 255,
        payment_option="paypal",
        mobile_money_network="M-PESA",
    )


async def test_each_step_asks_the_service_for_it(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    for name in STEPS:
        response = await step(bff, name)
        assert response.status_code == 200
        assert response.json() == SHOWN

    assert [(each.method, each.request) for each in service.received] == [
        ("VerifyPayment", pb.VerifyPaymentRequest(payment_id=PAYMENT_ID)),
        (
            "SubmitPaymentAction",
            pb.SubmitPaymentActionRequest(
                payment_id=PAYMENT_ID, otp="123456", idempotency_key="key-1"
            ),
        ),
        (
            "RetryPayment",
            pb.RetryPaymentRequest(
                payment_id=PAYMENT_ID,
                idempotency_key="key-1",
                payment_method=PAYMENT_METHOD_UNSPECIFIED,
            ),
        ),
        (
            "CancelPayment",
            pb.CancelPaymentRequest(payment_id=PAYMENT_ID, idempotency_key="key-1"),
        ),
    ]


async def test_a_new_attempt_may_use_another_way(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    body = {
        "payment_method": "mobile_money",
        "mobile_money_network": "MTN",
        "phone_number": "+256772123456",
        "country_code": "UG",
    }
    await bff.post(
        f"/api/payments/{PAYMENT_ID}/retry", headers=logged_in(idempotency_key="r"), json=body
    )

    (request,) = service.requests("RetryPayment")
    assert request == pb.RetryPaymentRequest(
        payment_id=PAYMENT_ID,
        idempotency_key="r",
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        mobile_money_network="MTN",
        phone_number="+256772123456",
        country_code="UG",
    )


async def test_payments_are_listed_page_by_page(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    response = await bff.get(
        "/api/payments",
        headers=logged_in(),
        params={"status": "failed", "page_size": "2", "page_token": "token"},
    )

    assert response.json() == {"payments": [SHOWN], "next_page_token": "next"}
    assert service.requests("ListPayments") == [
        pb.ListPaymentsRequest(
            user_id="alice", status=PAYMENT_STATUS_FAILED, page_size=2, page_token="token"
        )
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "FAILED"}, "status"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "-1"}, "page_size"),
        ({"page_size": "\u0663"}, "page_size"),
        ({"page_size": "1" * 5000}, "page_size"),
    ],
)
async def test_a_wrong_filter_is_named(
    bff: httpx.AsyncClient, service: ScriptedService, query: dict[str, str], field: str
) -> None:
    response = await bff.get("/api/payments", headers=logged_in(), params=query)

    assert response.status_code == 400
    assert [each["field"] for each in response.json()["violations"]] == [field]
    assert service.received == []


async def test_a_page_never_learns_which_gateway_it_was(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    response = await bff.get(f"/api/payments/{PAYMENT_ID}", headers=logged_in())

    assert response.json() == SHOWN
    assert service.requests("GetPayment") == [pb.GetPaymentRequest(payment_id=PAYMENT_ID)]
    assert "flutterwave" not in response.text
    assert "cp-secret-reference" not in response.text


@pytest.mark.parametrize(
    ("action", "document"),
    [
        (NextAction(none=Empty()), {"kind": "none"}),
        (NextAction(), {"kind": "none"}),
        (
            NextAction(phone_prompt=PhonePrompt(masked_phone_number="+256*****56")),
            {"kind": "phone_prompt", "masked_phone_number": "+256*****56"},
        ),
        (
            NextAction(
                phone_prompt=PhonePrompt(
                    masked_phone_number="+256*****56", expire_time=Timestamp(seconds=60)
                )
            ),
            {
                "kind": "phone_prompt",
                "masked_phone_number": "+256*****56",
                "expire_time": "1970-01-01T00:01:00.000Z",
            },
        ),
        (
            NextAction(otp=OneTimePassword(masked_destination="SMS to *56")),
            {"kind": "otp", "masked_destination": "SMS to *56"},
        ),
    ],
)
async def test_the_next_action_says_what_to_show(
    bff: httpx.AsyncClient,
    service: ScriptedService,
    action: NextAction,
    document: dict[str, str],
) -> None:
    service.answers["GetPayment"] = pb.GetPaymentResponse(payment=payment(next_action=action))

    response = await bff.get(f"/api/payments/{PAYMENT_ID}", headers=logged_in())

    assert response.json()["next_action"] == document


async def test_a_failure_has_its_code_and_its_time(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    failed = payment(
        status=PAYMENT_STATUS_FAILED,
        next_action=NextAction(none=Empty()),
        failure=PaymentFailure(
            code="card_expired", message="x", fail_time=Timestamp(seconds=1_790_000_000)
        ),
    )
    service.answers["GetPayment"] = pb.GetPaymentResponse(payment=failed)

    document = (await bff.get(f"/api/payments/{PAYMENT_ID}", headers=logged_in())).json()

    assert document["failure"] == {
        "code": "card_expired",
        "message": "The card has expired. Use another card.",
        "fail_time": "2026-09-21T14:13:20.000Z",
    }
    assert document["status_message"] == document["failure"]["message"]


async def test_an_open_payment_in_the_way_is_named(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["CreatePayment"] = ServiceError(
        ErrorCode.ALREADY_EXISTS, "PAYMENT_ALREADY_OPEN", "x", metadata={"payment_id": PAYMENT_ID}
    )
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=BODY
    )

    assert response.status_code == 409
    assert response.json()["payment_id"] == PAYMENT_ID


@pytest.mark.parametrize(
    ("error", "status", "seconds"),
    [
        (
            ServiceError(
                ErrorCode.RESOURCE_EXHAUSTED,
                "RATE_LIMITED",
                "x",
                metadata={"retry_after_seconds": "12"},
            ),
            429,
            "12",
        ),
        (ServiceError(ErrorCode.ABORTED, "REQUEST_IN_PROGRESS", "x"), 409, "1"),
        (ServiceError(ErrorCode.UNAVAILABLE, "GATEWAYS_UNAVAILABLE", "x"), 503, "2"),
    ],
)
async def test_what_may_be_tried_again_says_when(
    bff: httpx.AsyncClient,
    service: ScriptedService,
    error: ServiceError,
    status: int,
    seconds: str,
) -> None:
    service.answers["CreatePayment"] = error
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=BODY
    )

    assert response.status_code == status
    assert response.headers["retry-after"] == seconds
