"""With a spool, a delivery is acknowledged whenever it is on a disk, and reaches the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_adapters.callbacks import CallbackVerifier
from kit.clock import SystemClock
from kit.errors import ErrorCode, ServiceError
from kit.ids import SystemIds
from kit.request_scope import RequestScope, enter_scope
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import Receiver, endpoint, payments_setup, receiving, recorder_of
from tests.receiver.deliveries import signed
from tests.receiver.scripted_payments import ScriptedPayments
from webhook_receiver.forwarder import Forwarder, SpoolingRecorder
from webhook_receiver.spool import Spool, SpoolLimits

ROOMY = SpoolLimits(rows=1000, bytes=10**8)
AWAY = ServiceError(ErrorCode.UNAVAILABLE, "DATABASE_AWAY", "try again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooling:
    """A receiver with a spool, the service behind it, and the spool itself."""

    receiver: Receiver
    payments: ScriptedPayments
    spool: Spool

    async def deliver(self, number: int) -> int:
        """Deliver a body of its own; the status."""
        body = body_of(number)
        return (await self.receiver.deliver("eversend", signed("eversend", body), body)).status_code

    async def until_forwarded(self, left: int = 0) -> None:
        """Wait until the spool holds no more than `left`."""
        async with asyncio.timeout(20):
            while self.spool.rows > left:
                await self.spool.oldest(1, SystemClock().now())

    def received(self) -> list[bytes]:
        """Return the bodies that the service has, in the order in which it got them."""
        return [event.raw_body for event in self.payments.received]


def body_of(number: int) -> bytes:
    return b'{"eventType":"wallet.load","transactionId":"BE%d"}' % number


@asynccontextmanager
async def spooling(
    verifiers: dict[str, CallbackVerifier], path: Path, limits: SpoolLimits = ROOMY
) -> AsyncIterator[Spooling]:
    payments, clock = ScriptedPayments(), SystemClock()
    spool = await Spool.open(path, limits)
    async with (
        grpc_serving(payments_setup(payments)) as server,
        recorder_of(server.port) as recorder,
        receiving(endpoint(verifiers, SpoolingRecorder(recorder, spool))) as receiver,
    ):
        forwarder = Forwarder(spool, recorder, clock, SystemIds(clock))
        forwarding = asyncio.create_task(forwarder.run())
        yield Spooling(receiver=receiver, payments=payments, spool=spool)
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)
    await spool.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


async def test_while_the_service_is_well_nothing_goes_through_the_spool(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        with capture_logs() as logs:
            assert await each.deliver(1) == 200

        assert each.received() == [body_of(1)]
        assert not [line for line in logs if line["event"] == "delivery_spooled"]
        assert (await each.receiver.client.get("/readyz")).json() == {
            "status": "ready",
            "payments": "serving",
            "spool": "empty",
        }


async def test_what_the_service_does_not_take_is_acknowledged_and_sent_in_order_later(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.answer = AWAY
        statuses = [await each.deliver(number) for number in range(5)]
        ready = (await each.receiver.client.get("/readyz")).json()
        assert each.received() == []
        each.payments.forget()
        await each.until_forwarded()

        assert statuses == [200] * 5
        assert ready["spool"] == "holding"
        assert each.received() == [body_of(number) for number in range(5)]


async def test_a_service_that_hangs_delays_a_delivery_no_longer_than_its_own_limit(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.may_answer.clear()
        assert await each.deliver(1) == 200
        assert each.spool.rows == 1
        each.payments.may_answer.set()
        await each.until_forwarded()

        assert set(each.received()) == {body_of(1)}


async def test_new_deliveries_do_not_queue_behind_the_spool(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.refused = {body_of(1)}
        await each.deliver(1)
        await each.deliver(2)

        assert each.received() == [body_of(2)]
        assert each.spool.rows == 1


async def test_a_delivery_that_only_it_is_refused_for_lets_the_others_pass_and_is_kept(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.answer = AWAY
        for number in range(3):
            await each.deliver(number)
        each.payments.forget()
        each.payments.refused = {body_of(0)}
        with capture_logs() as logs:
            await each.until_forwarded(left=1)

        assert each.received() == [body_of(1), body_of(2)]
        (line,) = [line for line in logs if line["event"] == "spooled_delivery_refused"]
        assert (line["alert"], line["reason"]) == (True, "SCRIPTED_REFUSAL")


async def test_a_full_spool_is_no_acknowledgement_and_the_receiver_is_not_ready(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path, SpoolLimits(rows=4, bytes=10**8)) as each:
        each.payments.answer = AWAY
        with capture_logs() as logs:
            statuses = [await each.deliver(number) for number in range(6)]
        ready = await each.receiver.client.get("/readyz")

        assert statuses == [200] * 4 + [503] * 2
        assert ready.status_code == 200  # the service itself still answers health checks
        assert ready.json()["spool"] == "full"
        events = [line["event"] for line in logs if line.get("alert")]
        assert events == ["spool_half_full", "spool_full", "spool_full"]


async def test_without_service_and_room_the_receiver_says_that_it_is_not_ready(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    spool = await Spool.open(path, SpoolLimits(rows=2, bytes=10**8))
    async with (
        recorder_of(1) as recorder,
        receiving(endpoint(verifiers, SpoolingRecorder(recorder, spool))) as receiver,
    ):
        answers = []
        for number in range(3):
            answers.append(await receiver.client.get("/readyz"))
            body = body_of(number)
            await receiver.deliver("eversend", signed("eversend", body), body)
    await spool.close()

    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert [answer.json().get("spool") for answer in answers[:2]] == ["empty", "half full"]
    assert answers[2].json()["detail"] == "payments away, spool full"


async def test_a_delivery_keeps_its_request_id_and_time_on_its_way_through_the_spool(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.answer = AWAY
        body = body_of(1)
        response = await each.receiver.deliver("eversend", signed("eversend", body), body)
        (spooled,) = await each.spool.oldest(1, SystemClock().now())
        each.payments.forget()
        await each.until_forwarded()
        # The forwarder's scope is its own.
        enter_scope(RequestScope(request_id="another"))

        (event,) = each.payments.received
        assert each.payments.metadata[-1]["x-request-id"] == response.headers["x-request-id"]
        assert event.received_time.ToMicroseconds() == int(
            spooled.delivery.received_time.timestamp() * 1_000_000
        )


async def test_a_broken_spool_is_no_acknowledgement(
    verifiers: dict[str, CallbackVerifier], path: Path
) -> None:
    async with spooling(verifiers, path) as each:
        each.payments.answer = AWAY
        await each.spool._run(lambda: each.spool._database.execute("DROP TABLE deliveries"))
        with capture_logs() as logs:
            status = await each.deliver(1)
        each.payments.forget()
        well = await each.deliver(2)

        assert (status, well) == (503, 200)
        assert "spool_failed" in [line["event"] for line in logs if line.get("alert")]
