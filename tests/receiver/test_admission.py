"""Who may speak to the receiver at all, and how much."""

import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest

from gateway_adapters.callbacks import CallbackVerifier
from kit.clock import SystemClock
from kit.http_sources import Network
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import Receiver, endpoint, payments_setup, receiving, recorder_of
from tests.receiver.deliveries import BODIES, signed
from tests.receiver.scripted_payments import ScriptedPayments
from webhook_receiver.admission import Admission
from webhook_receiver.rate_limit import RateLimit

LOCAL = (ip_network("127.0.0.1/32"),)
ELSEWHERE = (ip_network("203.0.113.0/24"),)


class _StandingClock(SystemClock):
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def _admission(
    *,
    proxies: Sequence[Network] = (),
    allowed: Sequence[Network] = (),
    plain: bool = True,
    burst: int = 1000,
) -> Admission:
    return Admission(
        rate_limit=RateLimit(_StandingClock(), per_second=1, burst=burst),
        trusted_proxies=proxies,
        allowed_networks=allowed,
        plain_http_allowed=plain,
    )


@pytest.fixture(scope="module")
async def scripted() -> AsyncIterator[tuple[ScriptedPayments, int]]:
    payments = ScriptedPayments()
    async with grpc_serving(payments_setup(payments)) as server:
        yield payments, server.port


async def _answers(
    scripted: tuple[ScriptedPayments, int],
    verifiers: dict[str, CallbackVerifier],
    admission: Admission,
    *forwarded: str,
) -> list[httpx.Response]:
    """Deliver once for each forwarded address ("" for none) to a receiver with this admission."""
    payments, port = scripted
    payments.forget()
    async with (
        recorder_of(port) as recorder,
        receiving(endpoint(verifiers, recorder, admission)) as receiver,
    ):
        return [await _deliver(receiver, address) for address in forwarded]


async def _deliver(receiver: Receiver, forwarded: str) -> httpx.Response:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return await receiver.deliver("flutterwave", [*signed("flutterwave"), *headers])


@pytest.mark.parametrize(
    ("admission", "forwarded", "status"),
    [
        (_admission(), "", 200),
        (_admission(allowed=LOCAL), "", 200),
        (_admission(allowed=ELSEWHERE), "", 403),
        (_admission(allowed=ELSEWHERE), "203.0.113.7", 403),
        (_admission(proxies=LOCAL, allowed=ELSEWHERE), "203.0.113.7", 200),
        (_admission(proxies=LOCAL, allowed=ELSEWHERE), "203.0.113.7, 198.51.100.1", 403),
        (_admission(proxies=LOCAL, allowed=ELSEWHERE), "", 403),
        (_admission(proxies=LOCAL, plain=False), "203.0.113.7", 200),
        (_admission(proxies=LOCAL, plain=False), "", 200),
        (_admission(plain=False), "", 403),
        (_admission(proxies=ELSEWHERE, plain=False), "203.0.113.7", 403),
    ],
)
async def test_a_delivery_is_let_in_by_where_it_really_comes_from(
    scripted: tuple[ScriptedPayments, int],
    verifiers: dict[str, CallbackVerifier],
    admission: Admission,
    forwarded: str,
    status: int,
) -> None:
    (answer,) = await _answers(scripted, verifiers, admission, forwarded)

    assert answer.status_code == status
    assert len(scripted[0].received) == (status == 200)


async def test_a_source_that_sends_too_much_is_told_to_wait_and_others_are_not(
    scripted: tuple[ScriptedPayments, int], verifiers: dict[str, CallbackVerifier]
) -> None:
    admission = _admission(proxies=LOCAL, burst=3)
    first, second = "203.0.113.7", "203.0.113.8"
    answers = await _answers(scripted, verifiers, admission, *[first] * 5, *[second] * 2)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 200, 200]
    assert int(answers[3].headers["retry-after"]) > 0
    assert len(scripted[0].received) == 5


async def test_health_is_answered_whatever_the_limits(
    scripted: tuple[ScriptedPayments, int], verifiers: dict[str, CallbackVerifier]
) -> None:
    async with (
        recorder_of(scripted[1]) as recorder,
        receiving(endpoint(verifiers, recorder, _admission(allowed=ELSEWHERE, burst=1))) as each,
    ):
        answers = [await each.client.get(path) for path in ("/healthz", "/readyz") * 3]

    assert {answer.status_code for answer in answers} == {200}


def test_a_bucket_fills_at_its_rate_and_no_further_than_its_size() -> None:
    clock = _StandingClock()
    limit = RateLimit(clock, per_second=2, burst=4)

    assert [limit.admit("a") for _ in range(5)] == [True] * 4 + [False]
    clock.seconds += 0.499
    assert not limit.admit("a")
    clock.seconds += 0.001
    assert [limit.admit("a") for _ in range(2)] == [True, False]
    clock.seconds += 1_000_000
    assert [limit.admit("a") for _ in range(5)] == [True] * 4 + [False]


def test_the_memory_for_sources_is_bounded_and_forgets_the_longest_quiet() -> None:
    limit = RateLimit(_StandingClock(), per_second=1, burst=1)
    assert limit.admit("noisy")
    for number in range(20_000):
        assert limit.admit(f"source {number}")
        assert not limit.admit("noisy")

    assert limit.admit("source 0")
    assert not limit.admit("source 19999")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity", "x", ""])
async def test_a_compressed_body_is_refused_unread(
    receiver: Receiver, payments: ScriptedPayments, encoding: str
) -> None:
    bomb = zlib.compress(b" " * 10_000_000)
    headers = [*signed("flutterwave"), (b"content-encoding", encoding.encode())]
    response = await receiver.deliver("flutterwave", headers, bomb)

    assert response.status_code == 415
    assert response.headers["accept-encoding"] == "identity"
    assert payments.metadata == []


@pytest.mark.parametrize("encoding", [b"identity", b"Identity"])
async def test_a_body_that_says_that_it_is_not_compressed_is_taken(
    receiver: Receiver, payments: ScriptedPayments, encoding: bytes
) -> None:
    headers = [*signed("eversend"), (b"content-encoding", encoding)]
    response = await receiver.deliver("eversend", headers)

    assert response.status_code == 200
    assert payments.received[0].raw_body == BODIES["eversend"]
