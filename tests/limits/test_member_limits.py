"""What reaches a gateway is counted for each member, over replicas, and by the BFF told in HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence

import grpc
import pytest

from kit.clock import SystemClock
from kit.errors import ErrorCode, ServiceError
from kit.status import from_rpc_error
from kit.tokens_issue import issue_token
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_MONTHLY
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.payments.v1 import payments_service_pb2 as pb
from services.payments.call_limits import BUCKETS, CHECKING, PAYING
from tests.bff.conftest import SECRET, bff_in_front_of, logged_in
from tests.bff.real_service import RealService, authorized, real_serving
from tests.bff.test_payments import BODY
from tests.databases import Database

FIVE = {PAYING: 5, CHECKING: 5}
PAYMENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def replicas(database: Database) -> AsyncIterator[Sequence[RealService]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(real_serving(database, FIVE)),
            await stack.enter_async_context(real_serving(database, FIVE)),
        ]


def purchase(key: str, user_id: str = "alice") -> pb.CreatePaymentRequest:
    return pb.CreatePaymentRequest(
        user_id=user_id,
        tier="pro",
        billing_cycle=BILLING_CYCLE_MONTHLY,
        payment_method=PAYMENT_METHOD_CARD,
        currency_code="UGX",
        customer=Customer(email="alice@creators.test"),
        idempotency_key=key,
    )


def member(user_id: str = "alice", caller: str = "bff") -> tuple[tuple[str, str], ...]:
    return authorized(caller, x_user_token=issue_token(SECRET, user_id, SystemClock()))


async def reason_of(call: Awaitable[object]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return ""


async def test_of_64_purchases_at_once_at_two_replicas_exactly_five_get_in(
    replicas: Sequence[RealService],
) -> None:
    calls = [
        replicas[number % 2].payments.CreatePayment(
            purchase(f"key-{number}"), metadata=member(), timeout=30
        )
        for number in range(64)
    ]
    reasons = await asyncio.gather(*map(reason_of, calls))

    assert reasons.count("RATE_LIMITED") == 59


async def test_the_same_purchase_sent_again_is_free_and_has_the_same_answer(
    replicas: Sequence[RealService],
) -> None:
    first = await replicas[0].payments.CreatePayment(purchase("same"), metadata=member())
    again = [
        await replicas[number % 2].payments.CreatePayment(purchase("same"), metadata=member())
        for number in range(12)
    ]

    assert {each.payment.payment_id for each in again} == {first.payment.payment_id}


async def test_every_step_that_reaches_a_gateway_counts_and_asking_counts_apart(
    replicas: Sequence[RealService],
) -> None:
    service, who = replicas[0].payments, member()
    ids = {"payment_id": PAYMENT_ID, "idempotency_key": "k"}
    reasons = [
        await reason_of(service.CancelPayment(pb.CancelPaymentRequest(**ids), metadata=who)),
        await reason_of(
            service.RetryPayment(
                pb.RetryPaymentRequest(payment_id=PAYMENT_ID, idempotency_key="k"), metadata=who
            )
        ),
        await reason_of(
            service.SubmitPaymentAction(
                pb.SubmitPaymentActionRequest(**ids, otp="123456"), metadata=who
            )
        ),
        await reason_of(service.CancelPayment(pb.CancelPaymentRequest(**ids), metadata=who)),
        await reason_of(service.CancelPayment(pb.CancelPaymentRequest(**ids), metadata=who)),
        await reason_of(service.CreatePayment(purchase("one-too-many"), metadata=who)),
    ]
    checks = [
        await reason_of(
            service.VerifyPayment(pb.VerifyPaymentRequest(payment_id=PAYMENT_ID), metadata=who)
        )
        for _ in range(6)
    ]

    assert reasons == ["PAYMENT_NOT_FOUND"] * 5 + ["RATE_LIMITED"]
    assert checks == ["PAYMENT_NOT_FOUND"] * 5 + ["RATE_LIMITED"]


async def test_reading_and_other_members_and_services_are_not_slowed(
    replicas: Sequence[RealService],
) -> None:
    service = replicas[0].payments
    for number in range(6):
        await reason_of(service.CreatePayment(purchase(f"k{number}"), metadata=member()))

    listed = [
        await reason_of(service.ListPayments(pb.ListPaymentsRequest(), metadata=member()))
        for _ in range(10)
    ]
    bobs = await reason_of(service.CreatePayment(purchase("bob", "bob"), metadata=member("bob")))
    staff = [
        await reason_of(
            service.CreatePayment(
                purchase(f"staff-{number}", f"member-{number}"), metadata=authorized("platform")
            )
        )
        for number in range(10)
    ]

    assert set(listed) | {bobs} | set(staff) == {""}


async def test_a_refusal_says_when_to_come_back(replicas: Sequence[RealService]) -> None:
    service = replicas[0].payments
    for number in range(5):
        await reason_of(service.CreatePayment(purchase(f"k{number}"), metadata=member()))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service.CreatePayment(purchase("k6"), metadata=member())

    error: ServiceError = from_rpc_error(refused.value)
    assert error.code is ErrorCode.RESOURCE_EXHAUSTED
    assert 0 < int(error.metadata["retry_after_seconds"]) <= 12


async def test_a_page_is_told_in_http(replicas: Sequence[RealService]) -> None:
    async with bff_in_front_of(replicas[0].port) as bff:
        answers = [
            await bff.post("/api/payments", headers=logged_in(idempotency_key=f"k{n}"), json=BODY)
            for n in range(6)
        ]

    assert [answer.status_code for answer in answers[:5]] == [201] * 5
    assert answers[5].status_code == 429
    assert answers[5].json()["reason"] == "RATE_LIMITED"
    assert 0 < int(answers[5].headers["retry-after"]) <= 12


async def test_an_address_elsewhere_is_refused_by_the_service_itself(
    replicas: Sequence[RealService],
) -> None:
    request = purchase("k")
    request.return_url = "https://app.example.evil.example/"
    elsewhere = await reason_of(replicas[0].payments.CreatePayment(request, metadata=member()))
    request.return_url = "https://app.example/done"
    ours = await reason_of(replicas[0].payments.CreatePayment(request, metadata=member()))

    assert (elsewhere, ours) == ("INVALID_REQUEST", "")


def test_the_counted_calls_are_calls_of_the_service() -> None:
    methods = pb.DESCRIPTOR.services_by_name["PaymentsService"].methods_by_name
    assert {path.rpartition("/")[2] for path in BUCKETS} <= set(methods)
