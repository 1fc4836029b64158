"""Live updates: resumable, kept alive, bounded, and over when nothing more can happen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from kit.errors import ErrorCode, ServiceError
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_COMPLETED,
    PAYMENT_STATUS_PROCESSING,
    Payment,
    PaymentStatus,
)
from services.bff.routes.events import LIVE_STATUSES
from services.bff.streams import StreamLimits
from services.payments.domain import states
from tests.bff.conftest import OPTIONS, bff_in_front_of, logged_in
from tests.bff.scripted import PAYMENT_ID, ScriptedService, payment, scripted_serving
from tests.kit.raw_http import connection

PATH = f"/api/payments/{PAYMENT_ID}/events"
Watch = Callable[[pb.WatchPaymentRequest], AsyncIterator[Payment]]


def current(version: int, status: "PaymentStatus.ValueType" = PAYMENT_STATUS_PROCESSING) -> Any:
    return pb.GetPaymentResponse(payment=payment(version=version, status=status))


def changes(*versions: int, then: Exception | None = None) -> Watch:
    """Script a stream of these versions, completed at the last one."""

    async def watch(request: pb.WatchPaymentRequest) -> AsyncIterator[Payment]:
        for version in versions:
            if version <= request.after_version:
                continue
            done = version == versions[-1]
            status = PAYMENT_STATUS_COMPLETED if done else PAYMENT_STATUS_PROCESSING
            yield payment(version=version, status=status)
        if then is not None:
            raise then

    return watch


async def silence(_request: pb.WatchPaymentRequest) -> AsyncIterator[Payment]:
    """Script a stream in which nothing happens."""
    await asyncio.Event().wait()
    yield payment()


def ids(stream: str) -> list[str]:
    return [line.removeprefix("id: ") for line in stream.splitlines() if line.startswith("id: ")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A BFF with limits of its own. `stop`: begins to stop it."""

    client: httpx.AsyncClient
    service: ScriptedService
    stop: asyncio.Event

    async def until_watched_by(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.service.watching != count:
                await self.client.get("/healthz")


@contextlib.asynccontextmanager
async def setting(limits: StreamLimits) -> AsyncIterator[Setting]:
    service, stop = ScriptedService(), asyncio.Event()
    service.answers["WatchPayment"] = silence
    async with (
        scripted_serving(service) as server,
        bff_in_front_of(
            server.port, options=replace(OPTIONS, streams=limits), stopping=stop
        ) as client,
    ):
        try:
            yield Setting(client=client, service=service, stop=stop)
        finally:
            stop.set()


async def test_every_change_is_an_event_with_its_version_as_id(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["GetPayment"] = current(3)
    service.answers["WatchPayment"] = changes(3, 4, 6)

    response = await bff.get(PATH, headers=logged_in())

    first, *events = response.text.removesuffix("\n\n").split("\n\n")
    assert first == "retry: 2000"
    assert ids(response.text) == ["3", "4", "6"]
    assert all(event.splitlines()[1] == "event: payment" for event in events)
    assert '"status":"processing"' in events[0]
    assert '"status":"completed"' in events[-1]
    assert "flutterwave" not in response.text


async def test_proxies_are_told_to_let_events_through(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["WatchPayment"] = changes(4)

    response = await bff.get(PATH, headers=logged_in(accept_encoding="gzip"))

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in response.headers
    assert "content-length" not in response.headers


async def test_a_page_goes_on_after_the_last_event_that_it_has_seen(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["GetPayment"] = current(6, PAYMENT_STATUS_COMPLETED)
    service.answers["WatchPayment"] = changes(3, 4, 6)

    response = await bff.get(PATH, headers=logged_in(last_event_id="4"))

    assert ids(response.text) == ["6"]
    (request,) = service.requests("WatchPayment")
    assert request.after_version == 4


async def test_a_page_that_has_seen_the_end_is_told_not_to_come_again(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["GetPayment"] = current(6, PAYMENT_STATUS_COMPLETED)

    response = await bff.get(PATH, headers=logged_in(last_event_id="6"))

    assert response.status_code == 204
    assert service.requests("WatchPayment") == []


def test_streams_have_an_end_in_exactly_the_states_that_rest() -> None:
    live = {PaymentStatus.Name(number) for number in LIVE_STATUSES}
    resting = {f"PAYMENT_STATUS_{status.name}" for status in states.RESTING_STATUSES}
    assert live | resting | {"PAYMENT_STATUS_UNSPECIFIED"} == set(PaymentStatus.keys())
    assert not live & resting


@pytest.mark.parametrize(
    "seen", ["-1", "x", "1.5", "\xb2", "9" * 19 + "9", "9223372036854775808", "1,2"]
)
async def test_an_id_that_is_none_of_ours_is_refused(
    bff: httpx.AsyncClient, service: ScriptedService, seen: str
) -> None:
    headers = [*logged_in().items(), ("last-event-id", seen.encode("latin-1"))]
    response = await bff.get(PATH, headers=headers)  # type: ignore[arg-type]  # bytes are allowed

    assert response.status_code == 400
    assert service.received == []


async def test_another_members_payment_is_not_there_to_follow(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["GetPayment"] = ServiceError(ErrorCode.NOT_FOUND, "PAYMENT_NOT_FOUND", "x")

    response = await bff.get(PATH, headers=logged_in())

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert service.requests("WatchPayment") == []


async def test_an_interrupted_stream_ends_quietly_and_can_be_resumed(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    stopping = ServiceError(ErrorCode.UNAVAILABLE, "STREAM_INTERRUPTED", "x")
    service.answers["WatchPayment"] = changes(3, 4, then=stopping)

    response = await bff.get(PATH, headers=logged_in())

    assert ids(response.text) == ["3", "4"]


async def test_silence_is_broken_by_comments_and_ended_after_a_while() -> None:
    async with setting(StreamLimits(heartbeat=0.02, lifetime=0.3)) as here:
        response = await here.client.get(PATH, headers=logged_in())
        await here.until_watched_by(0)

    assert response.text.count(": still here\n\n") >= 3
    assert ids(response.text) == []


async def test_a_client_that_leaves_ends_its_stream_at_the_service() -> None:
    async with setting(StreamLimits()) as here:
        async with here.client.stream("GET", PATH, headers=logged_in()) as response:
            assert response.status_code == 200
            await here.until_watched_by(1)
        await here.until_watched_by(0)


async def test_streams_end_at_once_when_the_process_stops() -> None:
    async with setting(StreamLimits()) as here:
        async with here.client.stream("GET", PATH, headers=logged_in()) as response:
            await here.until_watched_by(1)
            here.stop.set()
            text = "".join([chunk async for chunk in response.aiter_text()])
        refused = await here.client.get(PATH, headers=logged_in())

    assert text == "retry: 2000\n\n"
    assert refused.status_code == 503


async def test_a_member_and_the_process_have_so_many_streams_and_no_more() -> None:
    async with setting(StreamLimits(streams=3, per_member=2)) as here:
        async with contextlib.AsyncExitStack() as streams:
            for member in ("alice", "alice", "bob"):
                await streams.enter_async_context(
                    here.client.stream("GET", PATH, headers=logged_in(member))
                )
            await here.until_watched_by(3)
            of_member = await here.client.get(PATH, headers=logged_in("alice"))
            of_process = await here.client.get(PATH, headers=logged_in("carol"))
            assert here.service.watching == 3
        await here.until_watched_by(0)
        async with here.client.stream("GET", PATH, headers=logged_in()) as again:
            assert again.status_code == 200

    assert of_member.status_code == 429
    assert of_process.status_code == 503
    for refused in (of_member, of_process):
        assert refused.json()["reason"] == "TOO_MANY_STREAMS"
        assert int(refused.headers["retry-after"]) > 0


async def test_a_process_keeps_a_thousand_streams_and_serves_others_meanwhile() -> None:
    head = [f"GET {PATH} HTTP/1.1", "host: bff"]
    head += [f"{name}: {value}" for name, value in logged_in().items()]
    request = "\r\n".join(head).encode() + b"\r\n\r\n"
    with capture_logs():
        async with (
            setting(StreamLimits(streams=1000, per_member=1000)) as here,
            contextlib.AsyncExitStack() as streams,
        ):
            port = here.client.base_url.port
            assert port is not None

            async def open_stream() -> None:
                reader, writer = await streams.enter_async_context(connection(port))
                writer.write(request)
                await reader.readuntil(b"retry: 2000")

            for _ in range(20):
                await asyncio.gather(*(open_stream() for _ in range(50)))
            await here.until_watched_by(1000)
            assert (await here.client.get("/api/tiers")).status_code == 200
            here.stop.set()
            await here.until_watched_by(0)
