"""The client sends what may be sent again, with the same key, and nothing else."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from kit.errors import ErrorCode, ServiceError
from payments_client import PaymentsClient, RetryPolicy, reason_of
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import Payment
from tests.bff.scripted import PAYMENT_ID, TOKEN, ScriptedService, payment, scripted_serving

REQUEST = pb.CreatePaymentRequest(user_id="alice", tier="pro", idempotency_key="key-1")


class Waits:
    """Remembers how long the client wanted to wait, and waits not at all."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def failing(*errors: ServiceError) -> Callable[[Any], pb.CreatePaymentResponse]:
    """Script these failures, then success."""
    left = list(errors)

    def answer(_request: Any) -> pb.CreatePaymentResponse:
        if left:
            raise left.pop(0)
        return pb.CreatePaymentResponse(payment=payment())

    return answer


@pytest.fixture
async def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def client(service: ScriptedService, waits: Waits) -> AsyncIterator[PaymentsClient]:
    policy = RetryPolicy(attempts=4, sleep=waits.sleep, chance=lambda: 1.0)
    async with (
        scripted_serving(service) as server,
        PaymentsClient(f"127.0.0.1:{server.port}", TOKEN, retries=policy) as opened,
    ):
        yield opened


AWAY = ServiceError(ErrorCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", "x")
BUSY = ServiceError(ErrorCode.ABORTED, "REQUEST_IN_PROGRESS", "x")


async def test_a_call_carries_the_token_and_a_deadline(
    client: PaymentsClient, service: ScriptedService
) -> None:
    response = await client.payments.CreatePayment(REQUEST)

    assert response.payment == payment()
    assert service.received[0].metadata["authorization"] == f"Bearer {TOKEN}"
    assert service.requests("CreatePayment") == [REQUEST]


async def test_what_passes_is_sent_again_with_the_same_key(
    client: PaymentsClient, service: ScriptedService, waits: Waits
) -> None:
    service.answers["CreatePayment"] = failing(AWAY, BUSY, AWAY)

    response = await client.payments.CreatePayment(REQUEST)

    assert response.payment.payment_id == PAYMENT_ID
    assert service.requests("CreatePayment") == [REQUEST] * 4
    assert waits.seconds == [0.2, 0.4, 0.8]


async def test_it_gives_up_in_the_end_and_says_why(
    client: PaymentsClient, service: ScriptedService
) -> None:
    service.answers["CreatePayment"] = AWAY

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.payments.CreatePayment(REQUEST)

    assert reason_of(refused.value) == "STORAGE_UNAVAILABLE"
    assert len(service.requests("CreatePayment")) == 4


@pytest.mark.parametrize(
    "error",
    [
        ServiceError(ErrorCode.INVALID_ARGUMENT, "INVALID_REQUEST", "x"),
        ServiceError(ErrorCode.ALREADY_EXISTS, "PAYMENT_ALREADY_OPEN", "x"),
        ServiceError(ErrorCode.ABORTED, "SOMETHING_ELSE", "x"),
        ServiceError(ErrorCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", "x"),
        ServiceError(ErrorCode.UNKNOWN, "UNKNOWN", "x"),
        ServiceError(ErrorCode.INTERNAL, "INTERNAL", "x"),
    ],
)
async def test_an_answer_is_taken_as_it_is(
    client: PaymentsClient, service: ScriptedService, waits: Waits, error: ServiceError
) -> None:
    service.answers["CreatePayment"] = error

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.payments.CreatePayment(REQUEST)

    assert reason_of(refused.value) == error.reason
    assert waits.seconds == []


async def test_a_stream_goes_on_after_the_last_version_that_was_seen(
    client: PaymentsClient, service: ScriptedService, waits: Waits
) -> None:
    stopping = ServiceError(ErrorCode.UNAVAILABLE, "STREAM_INTERRUPTED", "x")

    async def interrupted(request: pb.WatchPaymentRequest) -> AsyncIterator[Payment]:
        yield payment(version=request.after_version + 1)
        if request.after_version < 7:
            raise stopping

    service.answers["WatchPayment"] = interrupted
    versions = [state.version async for state in client.watch(PAYMENT_ID, after_version=5)]

    assert versions == [6, 7, 8]
    assert waits.seconds == [0.2, 0.2]


async def test_a_stream_of_nothing_ends_in_an_error(
    client: PaymentsClient, service: ScriptedService
) -> None:
    missing = ServiceError(ErrorCode.NOT_FOUND, "PAYMENT_NOT_FOUND", "x")

    service.answers["WatchPayment"] = missing
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        _ = [state async for state in client.watch(PAYMENT_ID)]

    assert reason_of(refused.value) == "PAYMENT_NOT_FOUND"


async def test_a_service_that_is_away_is_tried_as_often_as_the_policy_says() -> None:
    waits, service = Waits(), ScriptedService()
    async with scripted_serving(service) as server:
        address = f"127.0.0.1:{server.port}"
    policy = RetryPolicy(attempts=3, sleep=waits.sleep)
    async with PaymentsClient(address, TOKEN, retries=policy) as client:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.payments.CreatePayment(REQUEST)

    assert reason_of(refused.value) == ""
    assert len(waits.seconds) == 2
    assert all(0.1 <= seconds <= 0.4 for seconds in waits.seconds)
