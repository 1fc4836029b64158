"""A receiver that is killed at any moment loses no delivery that it has acknowledged."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.kit.processes import RunningProcess, started
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import TOKEN
from tests.receiver.deliveries import EVERSEND_SECRET, signed
from tests.receiver.storing_payments import StoringPayments, storing_setup

MOST = 400
SENDERS = 4


async def _free_port() -> int:
    async with grpc_serving(storing_setup(StoringPayments(), 0)) as server:
        return server.port


def _body(number: int) -> bytes:
    return b'{"eventType":"wallet.load","transactionId":"BE%d"}' % number


@contextlib.asynccontextmanager
async def _receiver(
    spool: Path, payments_port: int, **further: str
) -> AsyncIterator[RunningProcess]:
    settings = {
        "WEBHOOK_LISTEN": "127.0.0.1:0",
        "PAYMENTS_ADDRESS": f"127.0.0.1:{payments_port}",
        "PAYMENTS_SERVICE_TOKEN": TOKEN,
        "EVERSEND_WEBHOOK_SECRET": EVERSEND_SECRET,
        "WEBHOOK_SPOOL": str(spool),
        "WEBHOOK_SPOOL_AFTER_SECONDS": "0.2",
        **further,
    }
    async with started("webhook_receiver", settings) as process:
        yield process


async def _deliver(client: httpx.AsyncClient, port: int, number: int) -> bool:
    """Deliver once; whether it was acknowledged."""
    body = _body(number)
    try:
        answer = await client.post(
            f"http://127.0.0.1:{port}/webhooks/eversend",
            content=body,
            headers=signed("eversend", body),
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


async def _deliver_and_kill(process: RunningProcess, after: int) -> set[bytes]:
    """Deliver from several senders and kill the process after so many acknowledgements."""
    port = await process.port()
    numbers = iter(range(MOST))
    acknowledged: set[bytes] = set()
    killed = asyncio.Event()
    async with httpx.AsyncClient(timeout=10) as client:

        async def send() -> None:
            for number in numbers:
                if killed.is_set():
                    return
                if await _deliver(client, port, number):
                    acknowledged.add(_body(number))
                if len(acknowledged) >= after and not killed.is_set():
                    killed.set()
                    process.process.kill()

        await asyncio.gather(*(send() for _ in range(SENDERS)))
    assert await process.process.wait() == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("after", [1, 2, 5, 17, 60])
async def test_what_was_acknowledged_while_the_service_was_away_arrives_once_after_a_kill(
    tmp_path: Path, after: int
) -> None:
    port, payments = await _free_port(), StoringPayments()
    async with _receiver(tmp_path / "spool.sqlite", port) as process:
        acknowledged = await _deliver_and_kill(process, after)
    assert len(acknowledged) >= after

    async with (
        grpc_serving(storing_setup(payments, port)),
        _receiver(tmp_path / "spool.sqlite", port),
    ):
        await payments.until_stored(acknowledged)

    assert max(Counter(payments.stored).values()) == 1
    assert len(payments.stored) <= len(acknowledged) + SENDERS


@pytest.mark.parametrize("after", [3, 40])
async def test_a_kill_while_the_spool_is_being_emptied_stores_nothing_twice(
    tmp_path: Path, after: int
) -> None:
    """The service comes up while deliveries still arrive, and the receiver dies in between."""
    port, payments = await _free_port(), StoringPayments()
    async with _receiver(tmp_path / "spool.sqlite", port) as process:
        killing = asyncio.create_task(_deliver_and_kill(process, after + 60))
        async with grpc_serving(storing_setup(payments, port)):
            acknowledged = await killing
    async with (
        grpc_serving(storing_setup(payments, port)),
        _receiver(tmp_path / "spool.sqlite", port),
    ):
        await payments.until_stored(acknowledged)

    assert max(Counter(payments.stored).values()) == 1


async def test_a_kill_between_the_service_s_commit_and_ours_sends_again_and_stores_once(
    tmp_path: Path,
) -> None:
    port, payments = await _free_port(), StoringPayments()
    payments.answers.clear()
    spool = tmp_path / "spool.sqlite"
    async with grpc_serving(storing_setup(payments, port)):
        async with _receiver(spool, port) as process, httpx.AsyncClient(timeout=10) as client:
            assert await _deliver(client, await process.port(), 1)
            async with asyncio.timeout(30), payments.changed:
                await payments.changed.wait_for(lambda: payments.asked[_body(1)] >= 2)
            process.process.kill()
            await process.process.wait()
        before = payments.asked[_body(1)]
        payments.answers.set()
        async with _receiver(spool, port) as process:
            await process.event("delivery_forwarded", outcome="duplicate")
            process.process.send_signal(signal.SIGTERM)
            assert await process.end() == 0

    assert payments.stored == [_body(1)]
    assert payments.asked[_body(1)] > before


async def test_an_orderly_stop_leaves_the_rest_in_the_spool_for_the_next_process(
    tmp_path: Path,
) -> None:
    port, payments = await _free_port(), StoringPayments()
    spool = tmp_path / "spool.sqlite"
    async with _receiver(spool, port) as process, httpx.AsyncClient(timeout=10) as client:
        url_port = await process.port()
        assert all([await _deliver(client, url_port, number) for number in range(5)])
        process.process.send_signal(signal.SIGTERM)
        assert await process.end() == 0
    async with grpc_serving(storing_setup(payments, port)), _receiver(spool, port):
        await payments.until_stored({_body(number) for number in range(5)})

    assert payments.stored == [_body(number) for number in range(5)]


async def test_a_second_receiver_on_one_spool_does_not_start(tmp_path: Path) -> None:
    spool = tmp_path / "spool.sqlite"
    async with _receiver(spool, 1) as first:
        await first.port()
        async with _receiver(spool, 1) as second:
            code = await second.end()

    assert code == 1
    assert second.lines[-1].startswith("webhook-receiver cannot start: cannot use the spool ")
    assert "Traceback" not in "".join(second.lines)
