"""An HTTP server gives slow and hostile clients little, and lets running requests end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kit.http_server import HttpOptions, open_listener, serve_http
from kit.server import AddressInUseError
from tests.kit.raw_http import connection, read_to_end, send_raw
from tests.kit.serving import http_serving

IMPATIENT = HttpOptions(header_seconds=0.2, keep_alive_seconds=1, drain_seconds=1)
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


class _Doors:
    """An application with a request that waits until the test opens."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.cancelled = False
        self.app = Starlette(routes=[Route("/", self.plain), Route("/wait", self.wait)])

    async def plain(self, _request: Request) -> Response:
        return PlainTextResponse("plain")

    async def wait(self, _request: Request) -> Response:
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return PlainTextResponse("waited")

    async def until_entered(self) -> None:
        async with asyncio.timeout(5):
            await self.entered.wait()


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    async with http_serving(_Doors().app, IMPATIENT) as served:
        yield served


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: loc"], ids=["silent", "half"])
async def test_a_connection_without_complete_headers_is_dropped(port: int, sent: bytes) -> None:
    answer = await send_raw(port, sent)

    assert answer.status == 0


async def test_headers_that_trickle_are_dropped_as_well(port: int) -> None:
    async with connection(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nx: ")
        dropped = asyncio.create_task(read_to_end(reader))
        sent = 0
        while not dropped.done() and sent < 500:
            writer.write(b"a")
            sent += 1
            await asyncio.wait({dropped}, timeout=0.02)
        answer = await dropped

    assert answer.status == 0
    assert sent < 500


async def test_headers_without_an_end_are_refused(port: int) -> None:
    async with connection(port) as (reader, writer):
        refused = asyncio.create_task(read_to_end(reader))
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(1000):
            if refused.done():
                break
            writer.write(b"x: " + b"a" * 1000 + b"\r\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0)
        answer = await refused

    assert answer.status == 400


async def test_a_request_within_the_limits_is_answered_in_pieces_too(port: int) -> None:
    async with connection(port) as (reader, writer):
        for piece in (REQUEST[:5], REQUEST[5:30], REQUEST[30:]):
            writer.write(piece)
            await writer.drain()
        answer = await read_to_end(reader)

    assert (answer.status, answer.body) == (200, b"plain")


async def test_pipelined_requests_are_all_answered(port: int) -> None:
    keep = REQUEST.replace(b"connection: close\r\n", b"")

    answer = await send_raw(port, keep + keep + REQUEST)

    assert answer.body.count(b"HTTP/1.1 200") == 2
    assert answer.body.endswith(b"plain")


async def test_an_idle_connection_is_closed(port: int) -> None:
    answer = await send_raw(port, REQUEST.replace(b"connection: close\r\n", b""))

    assert (answer.status, answer.body) == (200, b"plain")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nbad name: x\r\n\r\n",
    ],
    ids=repr,
)
async def test_what_is_not_http_is_refused(port: int, request_bytes: bytes) -> None:
    assert (await send_raw(port, request_bytes)).status == 400


async def test_a_websocket_is_not_opened(port: int) -> None:
    upgrade = REQUEST.replace(
        b"connection: close",
        b"connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: x",
    )

    assert (await send_raw(port, upgrade)).status != 101


async def test_the_limit_on_headers_does_not_limit_the_answer() -> None:
    doors = _Doors()
    async with http_serving(doors.app, IMPATIENT) as port, httpx.AsyncClient() as client:
        waiting = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/wait"))
        await doors.until_entered()
        # Another connection outlives its limit in the meantime.
        assert (await send_raw(port, b"")).status == 0
        doors.open.set()
        response = await waiting

    assert response.text == "waited"


async def test_connections_beyond_the_limit_are_turned_away() -> None:
    doors = _Doors()
    options = HttpOptions(max_connections=2)
    async with http_serving(doors.app, options) as port, connection(port) as (_, first):
        first.write(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        await doors.until_entered()

        assert (await send_raw(port, REQUEST)).status == 503
        doors.open.set()


@pytest.mark.parametrize(("count", "status"), [(98, 200), (99, 400), (1000, 400)])
async def test_a_request_has_at_most_a_hundred_headers(port: int, count: int, status: int) -> None:
    """Two are in every request here."""
    head, _, _ = REQUEST.partition(b"\r\n\r\n")
    further = b"".join(b"\r\nx-%d: y" % number for number in range(count))

    assert (await send_raw(port, head + further + b"\r\n\r\n")).status == status


async def test_connections_of_one_source_beyond_its_limit_are_cut() -> None:
    options = HttpOptions(max_connections_per_source=2)
    async with (
        http_serving(_Doors().app, options) as port,
        connection(port) as (_, first),
        connection(port),
    ):
        assert (await send_raw(port, REQUEST)).status == 0
        first.write(REQUEST)
        first.write_eof()
        await first.drain()
        async with asyncio.timeout(5):
            while (await send_raw(port, REQUEST)).status != 200:
                pass


async def test_proxies_may_have_any_number_of_connections() -> None:
    options = HttpOptions(max_connections_per_source=1, trusted_proxies=[ip_network("127.0.0.0/8")])
    async with http_serving(_Doors().app, options) as port, connection(port), connection(port):
        assert (await send_raw(port, REQUEST)).status == 200


async def _until_refused(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(5):
        with contextlib.suppress(httpx.TransportError):
            while True:
                await client.get(url, headers={"connection": "close"})


async def test_stopping_lets_a_running_request_end() -> None:
    doors = _Doors()
    listener, stop = open_listener("127.0.0.1:0"), asyncio.Event()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(serve_http(doors.app, listener, stop))
    async with httpx.AsyncClient() as client:
        waiting = asyncio.create_task(client.get(f"{url}/wait"))
        await doors.until_entered()
        stop.set()
        await _until_refused(client, url)
        doors.open.set()

        assert (await waiting).text == "waited"
    await serving


async def test_stopping_does_not_wait_for_ever() -> None:
    doors = _Doors()
    async with httpx.AsyncClient() as client:
        async with asyncio.timeout(5), http_serving(doors.app, IMPATIENT) as port:
            waiting = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/wait"))
            await doors.until_entered()

        assert doors.cancelled
        assert (await waiting).status_code == 500


@pytest.mark.parametrize("address", ["203.0.113.1:1", "no-such-host.invalid:1"])
def test_an_address_that_is_not_here_is_an_error_of_its_own(address: str) -> None:
    with pytest.raises(AddressInUseError, match=address):
        open_listener(address)


def test_a_busy_port_is_an_error_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressInUseError, match=f"{address}: address already in use"):
            open_listener(address)
