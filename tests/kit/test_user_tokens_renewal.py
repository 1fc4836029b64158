"""Published keys are fetched rarely and within limits, and a failure costs no good key."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from kit.errors import ErrorCode, ServiceError
from kit.jwks import FetchError, PublishedKeys
from kit.jwks_fetch import document_at
from kit.user_tokens import TokenRules, UserTokens
from tests.kit.published_keys import ANOTHER_KEY, key_set, published, signed

NOW = 1_790_000_000
CLAIMS = {
    "sub": "member-1",
    "aud": "authenticated",
    "iss": "https://id.example",
    "exp": NOW + 600,
}
OLD, NEW = signed(CLAIMS), signed(CLAIMS, key=ANOTHER_KEY, kid="new")
OLD_SET = key_set(published())
BOTH = key_set(published(), published(key=ANOTHER_KEY, kid="new"))
NEW_SET = key_set(published(key=ANOTHER_KEY, kid="new"))


class _MovingClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class _Provider:
    """Publishes what a test says, and counts how often it was asked."""

    def __init__(self, document: bytes | FetchError = OLD_SET) -> None:
        self.document = document
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def fetch(self) -> bytes:
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        if isinstance(self.document, FetchError):
            raise self.document
        return self.document


class _Setting:
    """A provider, a clock, and what verifies with them."""

    def __init__(self, document: bytes | FetchError = OLD_SET) -> None:
        self.provider = _Provider(document)
        self.clock = _MovingClock()
        keys = PublishedKeys(self.provider.fetch, ["ES256"], self.clock)
        rules = TokenRules(algorithms={"ES256": keys}, issuer="https://id.example")
        self.tokens = UserTokens(rules, self.clock)

    async def refused(self, token: str) -> str:
        with pytest.raises(ServiceError) as refused:
            await self.tokens.user_id(token)
        return refused.value.reason


async def test_keys_are_fetched_once_and_then_known() -> None:
    setting = _Setting()

    for _ in range(5):
        assert await setting.tokens.user_id(OLD) == "member-1"

    assert setting.provider.asked == 1


async def test_nothing_is_fetched_for_a_token_that_names_no_allowed_algorithm() -> None:
    setting = _Setting()

    assert await setting.refused(signed(CLAIMS, "RS256")) == "USER_TOKEN_INVALID"
    assert await setting.refused("nonsense") == "USER_TOKEN_INVALID"
    assert setting.provider.asked == 0


async def test_a_new_key_is_found_when_it_is_first_seen() -> None:
    setting = _Setting()
    await setting.tokens.user_id(OLD)
    setting.provider.document = BOTH
    setting.clock.seconds += 30

    assert await setting.tokens.user_id(NEW) == "member-1"
    assert await setting.tokens.user_id(OLD) == "member-1"
    assert setting.provider.asked == 2


async def test_unknown_keys_make_us_ask_at_most_once_each_interval() -> None:
    setting = _Setting()
    await setting.tokens.user_id(OLD)

    for second in range(1, 91):
        setting.clock.seconds = float(second)
        assert await setting.refused(NEW) == "USER_TOKEN_INVALID"

    assert setting.provider.asked == 1 + 3


async def test_many_at_once_cause_one_fetch_and_all_get_its_keys() -> None:
    setting = _Setting()
    setting.provider.may_answer.clear()
    waiting = [asyncio.create_task(setting.tokens.user_id(OLD)) for _ in range(50)]
    await setting.provider.was_asked.wait()
    setting.provider.may_answer.set()

    assert await asyncio.gather(*waiting) == ["member-1"] * 50
    assert setting.provider.asked == 1


async def test_a_known_key_does_not_wait_while_an_unknown_one_is_looked_for() -> None:
    setting = _Setting()
    await setting.tokens.user_id(OLD)
    setting.clock.seconds += 30
    setting.provider.may_answer.clear()
    setting.provider.was_asked.clear()
    looking = asyncio.create_task(setting.refused(NEW))
    await setting.provider.was_asked.wait()

    assert await setting.tokens.user_id(OLD) == "member-1"
    setting.provider.may_answer.set()
    assert await looking == "USER_TOKEN_INVALID"


async def test_a_withdrawn_key_stops_being_good_at_the_next_renewal() -> None:
    setting = _Setting()
    await setting.tokens.user_id(OLD)
    setting.provider.document = NEW_SET

    setting.clock.seconds += 599
    assert await setting.tokens.user_id(OLD) == "member-1"
    setting.clock.seconds += 1
    assert await setting.refused(OLD) == "USER_TOKEN_INVALID"


@pytest.mark.parametrize("document", [FetchError("away"), b"<html>", b"{}", key_set()])
async def test_good_keys_outlive_a_provider_that_fails(document: bytes | FetchError) -> None:
    setting = _Setting()
    await setting.tokens.user_id(OLD)
    setting.provider.document = document

    with capture_logs() as logs:
        for _ in range(10):
            setting.clock.seconds += 600
            assert await setting.tokens.user_id(OLD) == "member-1"

    assert [line["event"] for line in logs] == ["key_set_not_renewed"] * 10


async def test_without_any_key_nobody_is_judged_and_the_provider_is_not_pressed() -> None:
    setting = _Setting(FetchError("away"))

    with capture_logs():
        for _ in range(5):
            with pytest.raises(ServiceError) as refused:
                await setting.tokens.user_id(OLD)
            assert refused.value.code is ErrorCode.UNAVAILABLE
            assert refused.value.reason == "MEMBER_KEYS_UNAVAILABLE"
    assert setting.provider.asked == 1

    setting.provider.document = OLD_SET
    setting.clock.seconds += 30
    assert await setting.tokens.user_id(OLD) == "member-1"


async def test_a_caller_that_gives_up_leaves_the_way_free_for_the_next() -> None:
    setting = _Setting()
    setting.provider.may_answer.clear()
    impatient = asyncio.create_task(setting.tokens.user_id(OLD))
    await setting.provider.was_asked.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    setting.provider.may_answer.set()
    setting.clock.seconds += 30

    assert await setting.tokens.user_id(OLD) == "member-1"


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def _listening(answer: bytes, *, hang: bool = False) -> AsyncIterator[str]:
    """Answer every connection with these bytes; `hang`: and then keep it open in silence."""
    released = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
            if hang:
                await released.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys.json?v=1"
        finally:
            released.set()


def _answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


FETCHED = {
    "plain": _answer(OLD_SET),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n" + OLD_SET[:5] + b"\r\n"
        + f"{len(OLD_SET) - 5:x}\r\n".encode() + OLD_SET[5:] + b"\r\n0\r\n\r\n"
    ),
}  # fmt: skip
NOT_FETCHED = {
    "not found": _answer(OLD_SET, "404 Not Found"),
    "redirect": _answer(b"", "302 Found", "location: http://127.0.0.1:1/elsewhere"),
    "server error": _answer(b"", "500 Internal Server Error"),
    "cut": _answer(OLD_SET)[:-10],
    "nothing": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "too large": _answer(b"x" * 70_000),
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000,
}


@pytest.mark.parametrize("answer", FETCHED.values(), ids=FETCHED)
async def test_a_whole_answer_is_fetched(answer: bytes) -> None:
    async with _listening(answer, hang=True) as url:
        assert await document_at(url)() == OLD_SET


@pytest.mark.parametrize("answer", NOT_FETCHED.values(), ids=NOT_FETCHED)
async def test_anything_but_a_whole_good_answer_is_an_error(answer: bytes) -> None:
    async with _listening(answer) as url:
        with pytest.raises(FetchError):
            await document_at(url)()


async def test_a_provider_that_refuses_connections_is_an_error() -> None:
    async with _listening(b"") as url:
        pass
    with pytest.raises(FetchError):
        await document_at(url)()


async def test_a_provider_that_cannot_prove_its_name_is_not_believed() -> None:
    async with _listening(_answer(OLD_SET)) as url:
        with pytest.raises(FetchError):
            await document_at(
                url.replace("http:", "https:"), context=ssl.create_default_context()
            )()
