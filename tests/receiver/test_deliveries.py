"""Genuine deliveries are stored before they are acknowledged."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from protos.payments.v1.gateway_events_service_pb2 import (
    GATEWAY_EVENT_RECORDING_DUPLICATE,
    RecordGatewayEventResponse,
)
from tests.receiver.conftest import TOKEN, Receiver
from tests.receiver.deliveries import (
    BODIES,
    EVERSEND_BODY,
    FLUTTERWAVE_BODY,
    REFERENCE,
    eversend_signature,
    signed,
)
from tests.receiver.scripted_payments import ScriptedPayments


@pytest.mark.parametrize("gateway", BODIES)
async def test_a_genuine_delivery_is_recorded_byte_for_byte_and_answered_200(
    receiver: Receiver, payments: ScriptedPayments, gateway: str
) -> None:
    response = await receiver.deliver(gateway, signed(gateway))

    assert response.status_code == 200
    assert response.json() == {"status": "recorded"}
    (event,) = payments.received
    assert event.gateway == gateway
    assert event.raw_body == BODIES[gateway]
    assert event.reference == REFERENCE
    assert 0 < len(event.event_key) <= 200
    assert datetime.now(UTC) - event.received_time.ToDatetime(UTC) < timedelta(minutes=1)


async def test_the_event_carries_what_the_bodies_say(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    await receiver.deliver("flutterwave", signed("flutterwave"))
    await receiver.deliver("eversend", signed("eversend"))

    flutterwave, eversend = payments.received
    assert flutterwave.event_type == "charge.completed"
    assert flutterwave.gateway_transaction_id == "408136545"
    assert eversend.event_type == "wallet.load"
    assert eversend.gateway_transaction_id == "BE31700000000001"


async def test_an_upper_case_hexadecimal_signature_is_the_same_signature(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    headers = [(b"X-Eversend-Signature", eversend_signature(EVERSEND_BODY).upper())]

    response = await receiver.deliver("eversend", headers)

    assert response.status_code == 200
    assert len(payments.received) == 1


async def test_a_duplicate_is_acknowledged_too(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    payments.answer = RecordGatewayEventResponse(result=GATEWAY_EVENT_RECORDING_DUPLICATE)

    response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.status_code == 200
    assert response.json() == {"status": "duplicate"}


@pytest.mark.parametrize("gateway", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'\xef\xbb\xbf{"event":"x"}',
        b'{"event":NaN}',
        b'{"event":"a","event":"b"}',
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"event=charge.completed&data%5Bid%5D=1",
    ],
    ids=repr,
)
async def test_a_signed_but_unreadable_body_is_kept(
    receiver: Receiver, payments: ScriptedPayments, gateway: str, body: bytes
) -> None:
    response = await receiver.deliver(gateway, signed(gateway, body), body)

    assert response.status_code == 200
    (event,) = payments.received
    assert event.event_type == "unreadable"
    assert event.raw_body == body
    assert len(event.event_key) == 64


@pytest.mark.parametrize("gateway", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"event":"\\ud800","data":{"id":"\\u0000"}}',
        b'{"eventType":"\\ud800","transactionId":"\\u0000"}',
        b'{"event":{"deep":[]},"data":"text"}',
        b'{"event":"x","data":{"id":1e999999}}',
        b'{"event":"' + b"x" * 60_000 + b'"}',
        b'{"id":' + b"9" * 60_000 + b"}",
        b'{"data":[{}],"eventType":true}',
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_signed_body_of_an_unknown_kind_is_kept(
    receiver: Receiver, payments: ScriptedPayments, gateway: str, body: bytes
) -> None:
    response = await receiver.deliver(gateway, signed(gateway, body), body)

    assert response.status_code == 200
    (event,) = payments.received
    assert event.raw_body == body
    assert event.reference == ""
    assert 0 < len(event.event_key) <= 200


async def test_only_harmless_headers_are_stored(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    headers = [
        *signed("flutterwave"),
        (b"user-agent", b"gateway/1.0"),
        (b"x-request-id", b"their-own-id"),
        (b"authorization", b"Bearer something-private"),
        (b"cookie", b"session=private"),
        (b"x-forwarded-for", b"203.0.113.7"),
    ]

    await receiver.deliver("flutterwave", headers)

    (event,) = payments.received
    assert dict(event.headers) == {
        "content-length": str(len(FLUTTERWAVE_BODY)),
        "content-type": "application/json",
        "user-agent": "gateway/1.0",
        "x-request-id": "their-own-id",
    }


async def test_the_request_id_is_ours_and_the_same_on_both_sides(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    first = await receiver.deliver(
        "flutterwave", [*signed("flutterwave"), (b"x-request-id", b"chosen-outside")]
    )
    second = await receiver.deliver("flutterwave", signed("flutterwave"))

    ids = [response.headers["x-request-id"] for response in (first, second)]
    assert ids == [metadata["x-request-id"] for metadata in payments.metadata]
    assert len({*ids, "chosen-outside"}) == 3


async def test_the_receiver_shows_its_own_token(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    await receiver.deliver("flutterwave", signed("flutterwave"))

    assert payments.metadata[0]["authorization"] == f"Bearer {TOKEN}"


async def test_nothing_is_acknowledged_before_it_is_stored(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    payments.may_answer.clear()
    delivering = asyncio.create_task(receiver.deliver("flutterwave", signed("flutterwave")))
    await payments.asked.wait()

    assert not delivering.done()

    payments.may_answer.set()
    assert (await delivering).status_code == 200


async def test_answers_carry_security_headers_and_no_server_name(receiver: Receiver) -> None:
    response = await receiver.deliver("flutterwave", signed("flutterwave"))

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "server" not in response.headers
