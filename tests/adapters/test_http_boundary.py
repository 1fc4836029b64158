"""What an HTTP exchange proves, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from gateway_adapters.errors import GatewayFailureError, NotSentError, OutcomeUnknownError
from gateway_adapters.http import HttpBoundary, HttpCall, HttpOptions
from gateway_adapters.verdicts import Progress, Verdict, classify_break, classify_reply
from kit.ids import SystemIds
from kit.request_scope import RequestScope, enter_scope
from tests.adapters.raw_server import Behaviour, Exchange, raw_server, silent
from tests.adapters.rig import HastyClock
from tests.adapters.tls import server_context

POST = HttpCall(operation="collect", method="POST", route="/charge", body={"amount": 1})
GET = HttpCall(operation="look_up", method="GET", route="/charge/{id}", parts={"id": "a/b c"})


@contextlib.asynccontextmanager
async def boundary(
    url: str, *, seconds: float = 5.0, proxy: str | None = None, max_connections: int = 10
) -> AsyncIterator[HttpBoundary]:
    clock = HastyClock()
    options = HttpOptions(
        gateway="test",
        base_url=url,
        timeout_seconds=seconds,
        proxy=proxy,
        max_connections=max_connections,
    )
    http = HttpBoundary(options, clock, SystemIds(clock))
    try:
        yield http
    finally:
        await http.close()


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """Hold a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def failure_of(call: HttpCall, url: str, *, seconds: float = 5.0) -> GatewayFailureError:
    async with boundary(url, seconds=seconds) as http:
        with pytest.raises(GatewayFailureError) as caught:
            await http.exchange(call)
    return caught.value


async def answer(exchange: Exchange) -> None:
    await exchange.reply()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    exchange.hang_up()


async def cut_short(exchange: Exchange) -> None:
    await exchange.reply(length=500)
    exchange.hang_up()


async def no_http(exchange: Exchange) -> None:
    exchange.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    exchange.hang_up()


async def endless(exchange: Exchange) -> None:
    exchange.writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(40):
            exchange.writer.write(b"x" * 65_536)
            await exchange.writer.drain()
    exchange.hang_up()


# Nothing of the request left.


async def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    with refused_port() as port:
        failure = await failure_of(POST, f"http://127.0.0.1:{port}")
    assert isinstance(failure, NotSentError)
    assert failure.code == "gateway_unreachable"


async def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent() -> None:
    assert isinstance(await failure_of(POST, "http://gateway.invalid"), NotSentError)


async def test_a_certificate_that_is_not_trusted_proves_that_nothing_was_sent() -> None:
    async with raw_server(answer, server_context()) as server:
        assert isinstance(await failure_of(POST, server.url), NotSentError)
    assert server.exchanges == []


@pytest.mark.parametrize("greeting", [b"220 mail.example ESMTP\r\n", b""])
async def test_a_handshake_that_fails_or_never_ends_proves_that_nothing_was_sent(
    greeting: bytes,
) -> None:
    async with raw_server(answer, greeting=greeting) as server:
        url = server.url.replace("http:", "https:")
        assert isinstance(await failure_of(POST, url, seconds=0.3), NotSentError)
    assert server.exchanges == []


async def test_waiting_in_vain_for_a_free_connection_proves_that_nothing_was_sent() -> None:
    async with (
        raw_server(silent) as server,
        boundary(server.url, seconds=0.5, max_connections=1) as http,
    ):
        first = asyncio.create_task(http.exchange(POST))
        await server.arrived.wait()
        _enter_deadline(0.45)
        with pytest.raises(NotSentError):
            await http.exchange(POST)
        with pytest.raises(OutcomeUnknownError):
            await first
    assert len(server.exchanges) == 1


async def test_a_proxy_that_refuses_the_tunnel_proves_that_nothing_was_sent() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.reply(status="403 Forbidden")

    async with (
        raw_server(refuse) as proxy,
        boundary("https://gateway.invalid", proxy=proxy.url) as http,
    ):
        with pytest.raises(NotSentError):
            await http.exchange(POST)
    assert proxy.exchanges[0].head.startswith(b"CONNECT gateway.invalid:443")
    assert all(exchange.body == b"" for exchange in proxy.exchanges)


async def test_requests_go_through_the_proxy_when_one_is_set() -> None:
    async with (
        raw_server(answer) as proxy,
        boundary("http://gateway.invalid/v1", proxy=proxy.url) as http,
    ):
        reply = await http.exchange(POST)
    assert reply.status == 200
    assert proxy.exchanges[0].head.startswith(b"POST http://gateway.invalid/v1/charge HTTP/1.1")


async def test_a_deadline_that_is_too_short_to_begin_with_sends_nothing() -> None:
    async with raw_server(answer) as server:
        _enter_deadline(0.1)
        failure = await failure_of(POST, server.url)
    assert isinstance(failure, NotSentError)
    assert failure.code == "deadline_too_short"
    assert server.connections == 0


# Something may have left.


@pytest.mark.parametrize("broken", [reset, hang_up, cut_short, no_http, endless])
async def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(
    broken: Behaviour,
) -> None:
    async with raw_server(broken) as server:
        assert isinstance(await failure_of(POST, server.url), OutcomeUnknownError)


async def test_silence_leaves_the_outcome_unknown_within_the_callers_deadline() -> None:
    async with raw_server(silent) as server:
        _enter_deadline(0.6)
        async with asyncio.timeout(0.6):  # the caller's own limit: the answer comes before it
            failure = await failure_of(POST, server.url, seconds=30.0)
    assert isinstance(failure, OutcomeUnknownError)


@pytest.mark.parametrize("broken", [reset, hang_up, cut_short, no_http])
async def test_a_post_is_never_sent_twice(broken: Behaviour) -> None:
    async with raw_server(broken) as server:
        await failure_of(POST, server.url)
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("broken", [reset, hang_up])
async def test_a_post_on_a_kept_connection_that_dies_is_not_sent_again(broken: Behaviour) -> None:
    async def answer_once(exchange: Exchange) -> None:
        await (answer if exchange.number == 1 else broken)(exchange)

    async with raw_server(answer_once) as server, boundary(server.url) as http:
        await http.exchange(POST)
        with pytest.raises(OutcomeUnknownError):
            await http.exchange(POST)
    assert [exchange.connection for exchange in server.exchanges] == [1, 1]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "503 Busy"])
async def test_a_post_that_meets_an_error_is_not_sent_again(status: str) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.reply(status=status)

    async with raw_server(fail) as server, boundary(server.url) as http:
        reply = await http.exchange(POST)
    assert reply.verdict is Verdict.UNKNOWN
    assert len(server.exchanges) == 1


# Look-ups.


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "503 Busy"])
async def test_a_look_up_that_meets_a_passing_error_is_sent_once_more(status: str) -> None:
    async def fail_once(exchange: Exchange) -> None:
        await exchange.reply(status=status if exchange.number == 1 else "200 OK")

    async with raw_server(fail_once) as server, boundary(server.url) as http:
        reply = await http.exchange(GET)
    assert reply.verdict is Verdict.ANSWERED
    assert len(server.exchanges) == 2


async def test_a_look_up_is_sent_at_most_twice() -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.reply(status="500 Oops")

    async with raw_server(fail) as server, boundary(server.url) as http:
        reply = await http.exchange(GET)
    assert reply.verdict is Verdict.UNKNOWN
    assert len(server.exchanges) == 2


async def test_a_look_up_whose_connection_breaks_is_sent_once_more() -> None:
    async def break_once(exchange: Exchange) -> None:
        await (reset if exchange.number == 1 else answer)(exchange)

    async with raw_server(break_once) as server, boundary(server.url) as http:
        assert (await http.exchange(GET)).verdict is Verdict.ANSWERED


async def test_a_look_up_is_not_repeated_once_the_callers_time_is_up() -> None:
    async with raw_server(silent) as server:
        _enter_deadline(0.6)
        failure = await failure_of(GET, server.url, seconds=30.0)
    assert isinstance(failure, OutcomeUnknownError)
    assert len(server.exchanges) == 1


# What travels.


async def test_the_request_carries_its_id_and_exact_decimals_and_an_escaped_path() -> None:
    body = {"amount": Decimal("499.50"), "count": 3}
    call = HttpCall(
        operation="x", method="POST", route="/a/{id}", parts={"id": "x/../y"}, body=body
    )
    enter_scope(RequestScope(request_id="request-17"))
    async with raw_server(answer) as server, boundary(f"{server.url}/v3") as http:
        await http.exchange(call)
    [exchange] = server.exchanges
    assert exchange.head.startswith(b"POST /v3/a/x%2F..%2Fy HTTP/1.1\r\n")
    assert b"\r\nx-request-id: request-17\r\n" in exchange.head.lower()
    assert exchange.body == b'{"amount":499.50,"count":3}'


async def test_a_gateways_cookies_are_not_kept() -> None:
    async def set_cookie(exchange: Exchange) -> None:
        exchange.writer.write(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 2\r\n\r\n{}"
        )

    async with raw_server(set_cookie) as server, boundary(server.url) as http:
        await http.exchange(POST)
        await http.exchange(POST)
    assert b"cookie" not in server.exchanges[1].head.lower()


async def test_a_redirect_is_not_followed_and_proves_nothing() -> None:
    async def redirect(exchange: Exchange) -> None:
        exchange.writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\n{}"
        )

    async with raw_server(redirect) as server, boundary(server.url) as http:
        assert (await http.exchange(POST)).verdict is Verdict.UNKNOWN
    assert len(server.exchanges) == 1


async def test_every_call_writes_one_line_that_says_what_happened() -> None:
    call = HttpCall(
        operation="verify",
        method="GET",
        route="/transactions/{id}/verify",
        parts={"id": "8830142"},
        query={"tx_ref": "cp123456"},
        headers={"Authorization": "Bearer FLWSECK_TEST-plainly-fake"},
        reference="cp123456",
    )
    with capture_logs() as lines:
        async with raw_server(answer) as server, boundary(server.url) as http:
            await http.exchange(call)
    [line] = [line for line in lines if line["event"] == "gateway_call"]
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "gateway_call",
        "log_level": "info",
        "gateway": "test",
        "operation": "verify",
        "http_method": "GET",
        "route": "/transactions/{id}/verify",
        "http_status": 200,
        "outcome": "answered",
        "reference": "cp123456",
    }


async def test_a_call_that_nobody_waits_for_any_more_is_logged_all_the_same() -> None:
    with capture_logs() as lines:
        async with raw_server(silent) as server, boundary(server.url) as http:
            call = asyncio.create_task(http.exchange(POST))
            await server.arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    [line] = [line for line in lines if line["event"] == "gateway_call"]
    assert (line["outcome"], line["log_level"]) == ("unknown", "warning")


async def test_a_call_that_was_not_sent_is_logged_as_such() -> None:
    with refused_port() as port, capture_logs() as lines:
        await failure_of(POST, f"http://127.0.0.1:{port}")
    [line] = [line for line in lines if line["event"] == "gateway_call"]
    assert (line["outcome"], line["http_status"], line["log_level"]) == (
        "not_sent",
        None,
        "warning",
    )


# The table of replies.


@pytest.mark.parametrize(
    ("connected", "kind"), [(False, NotSentError), (True, OutcomeUnknownError)]
)
def test_only_a_connection_decides_what_a_broken_exchange_proves(
    kind: type[GatewayFailureError], *, connected: bool
) -> None:
    for cause in ("ConnectTimeout", "ConnectError", "ServerDisconnectedError", "TimeoutError"):
        assert type(classify_break(Progress(connected=connected), cause)) is kind


_READABLE = {
    200: Verdict.ANSWERED, 201: Verdict.ANSWERED, 202: Verdict.ANSWERED, 204: Verdict.ANSWERED,
    301: Verdict.UNKNOWN, 302: Verdict.UNKNOWN, 304: Verdict.UNKNOWN, 307: Verdict.UNKNOWN,
    400: Verdict.REFUSED, 401: Verdict.FORBIDDEN, 402: Verdict.REFUSED, 403: Verdict.FORBIDDEN,
    404: Verdict.REFUSED, 405: Verdict.UNKNOWN, 408: Verdict.UNKNOWN, 409: Verdict.REFUSED,
    413: Verdict.UNKNOWN, 422: Verdict.REFUSED, 425: Verdict.UNKNOWN, 429: Verdict.UNKNOWN,
    499: Verdict.UNKNOWN, 500: Verdict.UNKNOWN, 501: Verdict.UNKNOWN, 502: Verdict.UNKNOWN,
    503: Verdict.UNKNOWN, 504: Verdict.UNKNOWN, 520: Verdict.UNKNOWN, 524: Verdict.UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize(("status", "verdict"), _READABLE.items())
def test_a_readable_reply_proves_what_its_status_says(status: int, verdict: Verdict) -> None:
    assert classify_reply(status, readable=True) is verdict


@pytest.mark.parametrize("status", _READABLE)
def test_an_unreadable_reply_proves_nothing_unless_it_forbids(status: int) -> None:
    expected = Verdict.FORBIDDEN if status in (401, 403) else Verdict.UNKNOWN
    assert classify_reply(status, readable=False) is expected


def _enter_deadline(seconds: float) -> None:
    """Make this test's own task a request whose caller waits `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    enter_scope(RequestScope(request_id="test", deadline=deadline))
