"""GET /return: the page that a gateway returns the member to."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import httpx
import pytest
from structlog.testing import capture_logs

from tests.bff.conftest import bff_in_front_of
from tests.bff.scripted import ScriptedService, scripted_serving

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}%0d%0aset-cookie:a=b"
QUERIES = [
    {"status": "successful", "tx_ref": "order-481", "transaction_id": "9087651"},
    {"status": "cancelled", "tx_ref": "order-481"},
    {"transactionRef": "order-481", "status": "failed"},
    {"status": HOSTILE, "tx_ref": HOSTILE, HOSTILE: HOSTILE},
    {"redirect_url": "https://evil.example/", "next": "//evil.example", "lang": "../../etc/passwd"},
    {"tx_ref": "x" * 8000},
]


class ReadPage(HTMLParser):
    """What a page consists of: its tags, their attributes, its style and what a person reads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.style = ""
        self.read: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update({f"{tag} {name}": value for name, value in attrs})

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["style"] and not self.style:
            self.style = data
        elif data.strip():
            self.read.append(data.strip())


async def test_a_returning_member_reads_what_is_true_whatever_happened(
    bff: httpx.AsyncClient,
) -> None:
    response = await bff.get("/return")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    title, *body = ReadPage(response.text).read
    assert title == "Thank you"
    assert body == [
        "Thank you.",
        "We are confirming your payment with the provider.",
        "You can close this page.",
    ]


@pytest.mark.parametrize("query", QUERIES)
async def test_the_query_changes_nothing_and_is_neither_echoed_nor_logged(
    bff: httpx.AsyncClient, service: ScriptedService, query: dict[str, str]
) -> None:
    plain = await bff.get("/return")
    with capture_logs() as logs:
        answer = await bff.get("/return", params=query)

    assert answer.status_code == 200
    assert answer.content == plain.content
    assert unvarying(answer) == unvarying(plain)
    assert ("http", "/return") in [(line["event"], line.get("route")) for line in logs]
    logged = [str(value) for line in logs for value in line.values()]
    assert not [hint for hint in query.values() if any(hint in value for value in logged)]
    assert service.received == []


def unvarying(response: httpx.Response) -> dict[str, str]:
    """Return the headers but those that differ from one request to the next."""
    return {
        name: value
        for name, value in response.headers.items()
        if name not in {"date", "x-request-id"}
    }


async def test_what_a_client_sends_besides_the_query_is_not_echoed_either(
    bff: httpx.AsyncClient,
) -> None:
    plain = await bff.get("/return")
    sent = {"cookie": "theme=hunter2", "referer": "https://evil.example/", "accept": "text/plain"}
    answer = await bff.get("/return", headers=sent)

    assert (answer.status_code, answer.content) == (200, plain.content)
    assert unvarying(answer) == unvarying(plain)


async def test_nothing_is_stored_sent_on_framed_or_loaded(bff: httpx.AsyncClient) -> None:
    response = await bff.get("/return")

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in response.headers
    digest = hashlib.sha256(ReadPage(response.text).style.encode()).digest()
    policy = dict(
        directive.split(" ", 1)
        for directive in response.headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{base64.b64encode(digest).decode()}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


async def test_the_page_needs_no_script_no_link_and_no_second_request(
    bff: httpx.AsyncClient,
) -> None:
    page = ReadPage((await bff.get("/return")).text)

    assert not {"script", "a", "form", "img", "iframe", "link", "base"} & set(page.tags)
    names = {name.split(" ")[1] for name in page.attributes}
    assert not [name for name in names if name in {"style", "href", "src"} or name.startswith("on")]
    assert not re.search(r"url\(|@import", page.style)


async def test_the_page_can_be_read_by_everybody(bff: httpx.AsyncClient) -> None:
    page = ReadPage((await bff.get("/return")).text)

    assert page.attributes["html lang"] == "en"
    assert page.tags.count("main") == page.tags.count("h1") == page.tags.count("title") == 1
    assert page.attributes["svg aria-hidden"] == "true"
    assert "user-scalable" not in repr(page.attributes)
    assert "prefers-color-scheme: dark" in page.style


async def test_head_answers_as_get_does_without_the_page(bff: httpx.AsyncClient) -> None:
    plain = {"accept-encoding": "identity"}
    got = await bff.get("/return", headers=plain)
    head = await bff.head("/return", params=QUERIES[0], headers=plain)

    assert head.status_code == 200
    assert head.content == b""
    assert unvarying(head) == unvarying(got)
    assert int(head.headers["content-length"]) == len(got.content) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_a_problem_document_that_echoes_nothing(
    bff: httpx.AsyncClient, method: str
) -> None:
    response = await bff.request(method, "/return", params=QUERIES[3])

    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert response.headers["content-type"] == "application/problem+json"
    assert "alert" not in response.text


@pytest.mark.parametrize("path", ["/return/", "/Return", "/return.html", "/return/order-481"])
async def test_the_page_has_one_address(bff: httpx.AsyncClient, path: str) -> None:
    assert (await bff.get(path)).status_code == 404


async def test_the_page_is_there_while_payments_are_away() -> None:
    async with scripted_serving(ScriptedService()) as server:
        port = server.port
    async with bff_in_front_of(port) as bff:
        not_ready = await bff.get("/readyz")
        response = await bff.get("/return")

    assert not_ready.status_code == 503
    assert response.status_code == 200
