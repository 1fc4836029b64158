"""A gateway's page sends members back to our own pages and nowhere else, however it is written."""

import httpx
import pytest

from kit.return_urls import may_return_to, parse_origins
from tests.bff.conftest import logged_in
from tests.bff.scripted import ScriptedService
from tests.bff.test_payments import BODY

ORIGINS = parse_origins(
    "https://app.example, https://shop.example:8443,http://localhost:3000", https_only=False
)
GOOD = [
    "https://app.example",
    "https://app.example/",
    "https://app.example/done?order=7&x=%20a~b",
    "https://app.example?order=7",
    "https://shop.example:8443/a/b.html",
    "http://localhost:3000/return",
    "https://app.example/@user",
    "https://app.example/a//b",
    "https://app.example/?next=https://other.example/",
]
BYPASSES = [
    "", " ", "/", "//", "/done", "//app.example", "///app.example/", "app.example",
    "app.example/done", "?order=7", "#", ".", "http:", "https:", "https://", "https:///",
    "https:////app.example/", "https:/app.example/", "https:app.example/",
    "http://app.example/", "HTTPS://app.example/", "https://APP.example/", "https://app.Example/",
    "https://app.example:443/", "https://app.example:8443/", "https://app.example:/",
    "https://app.example:0443/", "https://app.example:443@evil.example/", "https://shop.example/",
    "http://localhost/", "http://localhost:30000/", "http://127.0.0.1:3000/",
    "http://[::1]:3000/", "https://evil.example/", "https://evil.example/app.example",
    "https://evil.example/https://app.example/", "https://evil.example?https://app.example/",
    "https://evil.example#https://app.example/", "https://app.example.evil.example/",
    "https://app.example.:443/", "https://app.example./", "https://.app.example/",
    "https://sub.app.example/", "https://evilapp.example/", "https://app.example-evil.example/",
    "https://app.exampleevil/", "https://app.example%2eevil.example/",
    "https://app.example%00.evil.example/", "https://app.example%252f@evil.example/",
    "https://app.example@evil.example/", "https://app.example:pw@evil.example/",
    "https://user@app.example/", "https://user:pw@app.example/", "https://@app.example/",
    "https://evil.example\\@app.example/", "https://app.example\\@evil.example/",
    "https://app.example\\.evil.example/", "https:\\\\app.example/", "https://app.example\\",
    "\\\\app.example/", "/\\app.example/", "https://evil.example\\app.example",
    "https://app.example/\\evil.example", "https://app.example#@evil.example/",
    "https://app.example/#fragment", "https://app.example;evil.example/",
    "https://app.example,evil.example/", "https://app.example&evil.example/",
    "https://app.example evil.example/", " https://app.example/", "https://app.example/ ",
    "https://app.example/\n", "\thttps://app.example/", "ht\ntps://app.example/",
    "https://app.ex\nample/", "https://app.example/\r\nlocation: https://evil.example/",
    "https://app.example/\x00", "https://app.example\x00.evil.example/",
    "https://app.example/\u202e", "https://app.example\u3002evil.example/",
    "https://app.example\uff0fevil.example/", "https://app\u2024example/",
    "https://\u0430pp.example/", "https://xn--pp-6kc.example/", "https://app.example/\u00e9",
    "javascript:alert(1)", "javascript://app.example/%0aalert(1)", "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
    "file://app.example/etc/passwd", "ftp://app.example/", "ws://app.example/",
    "blob:https://app.example/x", "about:blank", "view-source:https://app.example/",
    "intent://app.example/#Intent;scheme=https;end", "mailto:a@app.example",
    "https://app.example/<script>", 'https://app.example/"onload="x', "https://app.example/`",
    "https://app.example/{x}", "https://app.example/|", "https://app.example/^",
    "https://app.example/[x]", "https://2130706433/", "https://0x7f.1/", "https://app",
    "https://app.example/" + "x" * 2000, "https://app.example" * 200,
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_address_of_an_allowed_origin_is_taken(url: str) -> None:
    assert may_return_to(url, ORIGINS)


def test_there_are_at_least_eighty_ways_around_that_are_closed() -> None:
    assert len(set(BYPASSES)) >= 80


@pytest.mark.parametrize("url", BYPASSES)
def test_every_way_around_is_closed(url: str) -> None:
    assert not may_return_to(url, ORIGINS)


@pytest.mark.parametrize("url", GOOD)
def test_without_allowed_origins_no_address_is_taken(url: str) -> None:
    assert not may_return_to(url, frozenset())


@pytest.mark.parametrize("url", [each for each in BYPASSES if each])
async def test_a_page_cannot_send_its_member_elsewhere(
    bff: httpx.AsyncClient, service: ScriptedService, url: str
) -> None:
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=BODY | {"return_url": url}
    )

    assert response.status_code == 400
    assert [each["field"] for each in response.json()["violations"]] == ["return_url"]
    assert service.received == []


@pytest.mark.parametrize(
    "text",
    [
        "app.example", "https://app.example/", "https://app.example/path", "https://*.example",
        "*", "https://APP.example", "https://app.example:443", "http://app.example:80",
        "https://user@app.example", "null", "https://app.example https://b.example",
        "https://app.example:0", "https://app.example:123456", "ftp://app.example",
    ],
)  # fmt: skip
def test_what_is_no_origin_cannot_be_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_origins(text, https_only=False)


def test_only_https_origins_can_be_allowed_outside_of_development() -> None:
    assert parse_origins("https://app.example", https_only=True) == {"https://app.example"}
    with pytest.raises(ValueError, match="https"):
        parse_origins("http://app.example", https_only=True)
