"""What may not be delivered at all: the wrong address, method, size or speed."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.kit.raw_http import connection, read_to_end, send_raw
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import BODIES, FLUTTERWAVE_SECRET, signed
from tests.receiver.scripted_payments import ScriptedPayments

LIMIT = 64 * 1024
HEAD = (
    b"POST /webhooks/flutterwave HTTP/1.1\r\nhost: localhost\r\nverif-hash: "
    + FLUTTERWAVE_SECRET.encode()
    + b"\r\n"
)


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 8192):
        yield body[start : start + 8192]


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_a_body_of_the_largest_size_is_taken(
    receiver: Receiver, payments: ScriptedPayments, *, announced: bool
) -> None:
    body = b" " * LIMIT

    response = await receiver.client.post(
        "/webhooks/flutterwave",
        content=body if announced else _in_chunks(body),
        headers=signed("flutterwave"),
    )

    assert response.status_code == 200
    assert payments.received[0].raw_body == body


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT], ids=["one byte", "ten times"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_a_larger_body_is_refused_whether_or_not_it_says_so(
    receiver: Receiver, payments: ScriptedPayments, size: int, *, announced: bool
) -> None:
    body = b" " * size

    response = await receiver.client.post(
        "/webhooks/flutterwave",
        content=body if announced else _in_chunks(body),
        headers=signed("flutterwave"),
    )

    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert payments.metadata == []


@pytest.mark.parametrize("expect", [b"", b"expect: 100-continue\r\n"], ids=["plain", "expect"])
async def test_a_gigabyte_that_is_only_announced_is_refused_unread(
    receiver: Receiver, payments: ScriptedPayments, expect: bytes
) -> None:
    answer = await send_raw(receiver.port, HEAD + expect + b"content-length: 1000000000\r\n\r\n")

    assert answer.status == 413
    assert payments.metadata == []


async def test_a_body_without_an_end_is_cut_off(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    async with connection(receiver.port) as (reader, writer):
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        answering = asyncio.create_task(read_to_end(reader))
        while not answering.done():
            writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        answer = await answering

    assert answer.status == 413
    assert payments.metadata == []


async def test_a_body_that_stops_arriving_is_given_up(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    answer = await send_raw(receiver.port, HEAD + b'content-length: 100\r\n\r\n{"event":')

    assert answer.status == 408
    assert "connection: close" in answer.head
    assert payments.metadata == []


async def test_a_body_that_trickles_is_given_up_as_well(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    async with connection(receiver.port) as (reader, writer):
        writer.write(HEAD + b"content-length: 100\r\n\r\n")
        answering = asyncio.create_task(read_to_end(reader))
        sent = 0
        while not answering.done() and sent < 99:
            writer.write(b" ")
            sent += 1
            await asyncio.wait({answering}, timeout=0.02)
        answer = await answering

    assert answer.status == 408
    assert sent < 99
    assert payments.metadata == []


async def test_a_client_that_goes_away_half_way_leaves_no_trace(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    async with connection(receiver.port) as (_, writer):
        writer.write(HEAD + b'content-length: 100\r\n\r\n{"event":')
        await writer.drain()

    assert (await receiver.deliver("flutterwave", signed("flutterwave"))).status_code == 200
    assert len(payments.metadata) == 1


@pytest.mark.parametrize("gateway", BODIES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_only_post_is_allowed(
    receiver: Receiver, payments: ScriptedPayments, gateway: str, method: str
) -> None:
    response = await receiver.client.request(
        method, f"/webhooks/{gateway}", headers=signed(gateway)
    )

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert payments.metadata == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/stripe",
        "/webhooks/Flutterwave",
        "/webhooks/flutterwave/",
        "/webhooks/flutterwave/extra",
        "/webhooks/flutterwave%00",
        "/webhooks/%2e%2e",
        "//webhooks/flutterwave",
    ],
)
async def test_other_addresses_do_not_exist(
    receiver: Receiver, payments: ScriptedPayments, path: str
) -> None:
    response = await receiver.client.post(
        httpx.URL(f"http://127.0.0.1:{receiver.port}").copy_with(raw_path=path.encode()),
        content=BODIES["flutterwave"],
        headers=signed("flutterwave"),
    )

    assert response.status_code == 404
    assert payments.metadata == []


async def test_refusals_are_problem_documents(receiver: Receiver) -> None:
    for response in (
        await receiver.client.post("/webhooks/stripe"),
        await receiver.client.get("/webhooks/flutterwave"),
        await receiver.client.post("/webhooks/flutterwave"),
    ):
        assert response.headers["content-type"] == "application/problem+json"
        document = response.json()
        assert document["status"] == response.status_code
        assert document["request_id"] == response.headers["x-request-id"]
