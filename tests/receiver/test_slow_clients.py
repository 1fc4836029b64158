"""Clients that send slowly, or never end, hold little and hold up nobody else.

What is counted is deliveries that were taken while every slow client was still connected; no
duration decides.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway_adapters.callbacks import CallbackVerifier
from kit.http_server import HttpOptions
from tests.kit.raw_http import RawAnswer, read_to_end
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import Receiver, endpoint, payments_setup, receiving, recorder_of
from tests.receiver.deliveries import FLUTTERWAVE_SECRET, signed
from tests.receiver.scripted_payments import ScriptedPayments

SLOW = 60
GOOD = 100
PATIENCE = 30.0
ATTACKER = "127.0.0.2"
_HEAD = (
    b"POST /webhooks/flutterwave HTTP/1.1\r\nhost: a\r\nverif-hash: "
    + FLUTTERWAVE_SECRET.encode()
    + b"\r\n"
)
ATTACKS = {
    "nothing": b"",
    "half a line": b"POST /webh",
    "half the headers": _HEAD + b"x-slow: ",
    "headers without a body": _HEAD + b"content-length: 60000\r\n\r\n",
    "half a body": _HEAD + b"content-length: 60000\r\n\r\n" + b" " * 30_000,
    "half a chunk": _HEAD + b"transfer-encoding: chunked\r\n\r\nffff\r\n   ",
}

Slow = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def _attacked(
    verifiers: dict[str, CallbackVerifier], payments: ScriptedPayments, options: HttpOptions
) -> AsyncIterator[Receiver]:
    """Serve with these limits; a whole request has as long as its headers."""
    async with (
        grpc_serving(payments_setup(payments)) as server,
        recorder_of(server.port, seconds=PATIENCE) as recorder,
        receiving(
            endpoint(verifiers, recorder, request_seconds=options.header_seconds), options
        ) as receiver,
    ):
        yield receiver


@contextlib.asynccontextmanager
async def _slow_clients(port: int, sent: bytes, count: int) -> AsyncIterator[list[Slow]]:
    opened = [
        await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
        for _ in range(count)
    ]
    for _, writer in opened:
        writer.write(sent)
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def _good(receiver: Receiver) -> list[int]:
    """Deliver over ten connections; the statuses."""
    room = asyncio.Semaphore(10)

    async def one() -> int:
        async with room:
            return (await receiver.deliver("flutterwave", signed("flutterwave"))).status_code

    return await asyncio.gather(*(one() for _ in range(GOOD)))


@pytest.mark.parametrize("sent", ATTACKS.values(), ids=ATTACKS)
async def test_good_deliveries_are_all_taken_while_slow_clients_hang_on(
    verifiers: dict[str, CallbackVerifier], sent: bytes
) -> None:
    payments = ScriptedPayments()
    async with (
        _attacked(verifiers, payments, HttpOptions(header_seconds=PATIENCE)) as receiver,
        _slow_clients(receiver.port, sent, SLOW) as opened,
    ):
        statuses = await _good(receiver)
        hanging = [reader for reader, _ in opened if not reader.at_eof()]

    assert statuses == [200] * GOOD
    assert len(payments.received) == GOOD
    assert len(hanging) == SLOW


@pytest.mark.parametrize("sent", ATTACKS.values(), ids=ATTACKS)
async def test_every_slow_client_is_dropped_by_itself(
    verifiers: dict[str, CallbackVerifier], sent: bytes
) -> None:
    payments = ScriptedPayments()
    async with (
        _attacked(verifiers, payments, HttpOptions(header_seconds=0.3)) as receiver,
        _slow_clients(receiver.port, sent, SLOW) as opened,
    ):
        ends = [asyncio.create_task(read_to_end(reader)) for reader, _ in opened]
        answers: list[RawAnswer] = await asyncio.gather(*ends)

    assert {answer.status for answer in answers} <= {0, 408}
    assert payments.metadata == []


async def test_one_source_cannot_take_all_the_connections(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    payments = ScriptedPayments()
    options = HttpOptions(
        header_seconds=PATIENCE, max_connections_per_source=20, max_connections=150
    )
    async with (
        _attacked(verifiers, payments, options) as receiver,
        _slow_clients(receiver.port, b"POST /webh", 20) as held,
        _slow_clients(receiver.port, b"POST /webh", 500) as more,
    ):
        cut = [await read_to_end(reader) for reader, _ in more]
        statuses = await _good(receiver)
        still_open = [reader for reader, _ in held if not reader.at_eof()]

    assert {answer.status for answer in cut} == {0}
    assert statuses == [200] * GOOD
    assert len(still_open) == 20


async def test_a_source_may_connect_again_when_its_connections_have_ended(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    payments = ScriptedPayments()
    options = HttpOptions(header_seconds=0.2, max_connections_per_source=3)
    async with _attacked(verifiers, payments, options) as receiver:
        for _ in range(4):
            async with _slow_clients(receiver.port, b"", 3) as opened:
                ends = [asyncio.create_task(read_to_end(reader)) for reader, _ in opened]
                await asyncio.gather(*ends)
        async with _slow_clients(
            receiver.port, b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 1
        ) as [(reader, _)]:
            assert (await read_to_end(reader)).status == 200


async def test_headers_and_body_share_one_limit(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    """A client that spends the time on its headers has none left for its body."""
    payments = ScriptedPayments()
    async with (
        grpc_serving(payments_setup(payments)) as server,
        recorder_of(server.port) as recorder,
        receiving(
            endpoint(verifiers, recorder, request_seconds=0.5), HttpOptions(header_seconds=PATIENCE)
        ) as receiver,
        _slow_clients(receiver.port, _HEAD, 1) as [(reader, writer)],
    ):
        answering = asyncio.create_task(read_to_end(reader))
        await asyncio.wait({answering}, timeout=0.3)
        writer.write(b"content-length: 2\r\n\r\n")
        await asyncio.wait({answering}, timeout=0.3)
        writer.write(b"{}")
        answer = await answering

    assert answer.status == 408
    assert payments.metadata == []
