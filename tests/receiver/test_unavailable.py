"""What is not known to be stored is never acknowledged: the gateway is told to come again."""

import pytest
from structlog.testing import capture_logs

from gateway_adapters.callbacks import CallbackVerifier
from kit.errors import ErrorCode, ServiceError
from protos.payments.v1.gateway_events_service_pb2 import (
    GATEWAY_EVENT_RECORDING_UNSPECIFIED,
    RecordGatewayEventResponse,
)
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import Receiver, payments_setup, receiver_in_front_of
from tests.receiver.deliveries import signed
from tests.receiver.scripted_payments import ScriptedPayments


async def test_deliveries_are_refused_while_payments_are_away_and_taken_when_they_are_back(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    scripted = ScriptedPayments()
    async with grpc_serving(payments_setup(scripted)) as server:
        port = server.port
    async with receiver_in_front_of(port, verifiers) as receiver:
        away = await receiver.deliver("flutterwave", signed("flutterwave"))
        away_ready = await receiver.client.get("/readyz")
        async with grpc_serving(payments_setup(scripted, port)):
            # The channel tries to connect anew at most every second.
            while (await receiver.client.get("/readyz")).status_code != 200:
                pass
            back = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert away.status_code == 503
    assert away_ready.status_code == 503
    assert back.status_code == 200
    assert len(scripted.received) == 1


async def test_a_refusal_for_want_of_payments_says_when_to_come_again(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    payments.answer = ServiceError(ErrorCode.UNAVAILABLE, "DATABASE_AWAY", "try again")

    with capture_logs() as logs:
        response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "DATABASE_AWAY" not in response.text
    (line,) = [line for line in logs if line["event"] == "http"]
    assert (line["outcome"], line["reason"]) == ("unavailable", "DATABASE_AWAY")
    assert line["log_level"] == "warning"


@pytest.mark.parametrize("code", ErrorCode)
async def test_no_error_of_the_payments_service_is_ever_an_acknowledgement(
    receiver: Receiver, payments: ScriptedPayments, code: ErrorCode
) -> None:
    payments.answer = ServiceError(code, "SCRIPTED", "a private detail of the inside")

    response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.status_code == 503
    assert "private" not in response.text


async def test_an_answer_that_does_not_say_what_was_done_is_no_acknowledgement(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    payments.answer = RecordGatewayEventResponse(result=GATEWAY_EVENT_RECORDING_UNSPECIFIED)

    response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.status_code == 503


async def test_a_call_that_takes_too_long_is_given_up(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    payments.may_answer.clear()

    response = await receiver.deliver("flutterwave", signed("flutterwave"))

    payments.may_answer.set()
    assert response.status_code == 503


async def test_a_receiver_with_a_wrong_token_acknowledges_nothing(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    scripted = ScriptedPayments()
    async with (
        grpc_serving(payments_setup(scripted)) as server,
        receiver_in_front_of(server.port, verifiers, token="another-token-for-tests") as receiver,
    ):
        response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.status_code == 503
    assert scripted.received == []


async def test_a_gateway_without_a_secret_takes_no_deliveries(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    scripted = ScriptedPayments()
    only_one = {"flutterwave": verifiers["flutterwave"]}
    async with (
        grpc_serving(payments_setup(scripted)) as server,
        receiver_in_front_of(server.port, only_one) as receiver,
    ):
        disabled = await receiver.deliver("eversend", signed("eversend"))
        enabled = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert disabled.status_code == 404
    assert enabled.status_code == 200
    assert [event.gateway for event in scripted.received] == ["flutterwave"]


async def test_the_process_is_up_and_ready_while_payments_serve(receiver: Receiver) -> None:
    assert (await receiver.client.get("/healthz")).json() == {"status": "ok"}
    ready = {"status": "ready", "payments": "serving"}
    assert (await receiver.client.get("/readyz")).json() == ready


async def test_the_process_is_up_but_not_ready_while_payments_drain(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    async with (
        grpc_serving(payments_setup(ScriptedPayments())) as server,
        receiver_in_front_of(server.port, verifiers) as receiver,
    ):
        await server.report(serving=False)

        assert (await receiver.client.get("/readyz")).status_code == 503
        assert (await receiver.client.get("/healthz")).status_code == 200
