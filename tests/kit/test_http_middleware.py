"""Every HTTP request has an id, a scope, safe headers, one log line, and always an answer."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from kit.clock import SystemClock
from kit.http_health import health_routes
from kit.http_middleware import RequestMiddleware, note
from kit.http_problems import http_exception_problem
from kit.request_scope import current_scope
from tests.kit.serving import http_serving


async def _describe(request: Request) -> Response:
    note(request, outcome="described", bytes=3)
    return JSONResponse({"request_id": current_scope().request_id})


async def _crash(_request: Request) -> Response:
    raise RuntimeError("the inside of the service")


async def _crash_half_way(_request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half an answer"
        raise RuntimeError("the inside of the service")

    return StreamingResponse(chunks())


async def _page(_request: Request) -> Response:
    headers = {"content-security-policy": "default-src 'self'", "cache-control": "max-age=1"}
    return PlainTextResponse("page", headers=headers)


async def _ready() -> bool:
    return True


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            *health_routes(_ready),
            Route("/members/{email}", _describe, methods=["GET", "POST"]),
            Route("/crash", _crash, methods=["GET", "POST"]),
            Route("/half", _crash_half_way),
            Route("/page", _page),
        ],
        middleware=[Middleware(RequestMiddleware, clock=SystemClock())],
        exception_handlers={HTTPException: http_exception_problem},
    )
    async with (
        http_serving(app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as connected,
    ):
        yield connected


def _lines(logs: Any) -> list[dict[str, Any]]:
    return [line for line in logs if line["event"] == "http"]


async def test_the_scope_of_a_request_has_the_id_that_the_answer_shows(
    client: httpx.AsyncClient,
) -> None:
    answers = [await client.get("/members/a", headers={"x-request-id": "theirs"}) for _ in "12"]

    ids = {answer.headers["x-request-id"] for answer in answers}
    assert ids == {answer.json()["request_id"] for answer in answers}
    assert len(ids - {"theirs"}) == 2


async def test_a_request_is_one_log_line_with_the_route_and_never_the_path(
    client: httpx.AsyncClient,
) -> None:
    with capture_logs() as logs:
        await client.get("/members/john.doe@example.com?token=private")

    (line,) = _lines(logs)
    assert line["route"] == "/members/{email}"
    assert (line["method"], line["status"], line["log_level"]) == ("GET", 200, "info")
    assert (line["outcome"], line["bytes"]) == ("described", 3)
    assert line["duration_ms"] >= 0
    assert "doe" not in str(logs)
    assert "private" not in str(logs)


async def test_an_unknown_path_is_not_logged_either(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        response = await client.get("/john.doe@example.com")

    assert response.status_code == 404
    assert _lines(logs)[0]["route"] == "unmatched"
    assert "doe" not in str(logs)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_are_quiet(client: httpx.AsyncClient, path: str) -> None:
    with capture_logs() as logs:
        assert (await client.get(path)).status_code == 200

    assert [line["log_level"] for line in _lines(logs)] == ["debug"]


async def test_a_crash_is_logged_here_and_shows_nothing_there(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        response = await client.get("/crash")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] in response.json()["detail"]
    assert "inside" not in response.text
    (crash,) = [line for line in logs if line["event"] == "http_failed_unexpectedly"]
    assert "inside" in str(crash["exc_info"])
    assert [line["log_level"] for line in _lines(logs)] == ["warning"]


async def test_a_crash_half_way_cuts_the_connection(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs, pytest.raises(httpx.RemoteProtocolError):
        await client.get("/half")

    assert len(_lines(logs)) == 1


async def test_answers_are_guarded_unless_a_page_knows_better(client: httpx.AsyncClient) -> None:
    plain, page = await client.get("/members/a"), await client.get("/page")

    for answer in (plain, page):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert plain.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in plain.headers["content-security-policy"]
    assert page.headers["cache-control"] == "max-age=1"
    assert page.headers["content-security-policy"] == "default-src 'self'"


@pytest.mark.parametrize("path", ["/members/a", "/crash", "/nowhere"])
@pytest.mark.parametrize("size", [0, 10, 500_000])
async def test_a_client_whose_body_nobody_read_still_gets_its_answer(
    client: httpx.AsyncClient, path: str, size: int
) -> None:
    with capture_logs():
        response = await client.post(path, content=b"x" * size)

    assert response.status_code in (200, 404, 500)
    assert response.headers["x-request-id"]
    assert (response.headers.get("connection") == "close") == (size > 0)


async def test_connections_are_kept_where_nothing_was_left_unread(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/members/a")

    assert "connection" not in response.headers
