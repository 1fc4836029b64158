"""HTTPS outside of development, pages of other origins, headers that protect, compression."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest

from services.bff.transport import HttpsRule
from tests.bff.conftest import OPTIONS, bff_in_front_of, logged_in
from tests.bff.scripted import PAYMENT_ID, ScriptedService, scripted_serving

PAYMENT = f"/api/payments/{PAYMENT_ID}"
APP = "https://app.example"


@contextlib.asynccontextmanager
async def secured(*proxies: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve as outside of development, behind these proxies."""
    rule = HttpsRule(required=True, trusted_proxies=[ip_network(each) for each in proxies])
    async with (
        scripted_serving(ScriptedService()) as server,
        bff_in_front_of(server.port, options=replace(OPTIONS, https=rule)) as client,
    ):
        yield client


async def test_plain_http_is_refused_outside_of_development_but_for_probes() -> None:
    async with secured() as bff:
        refused = await bff.get(PAYMENT, headers=logged_in())
        probes = [await bff.get(path) for path in ("/healthz", "/readyz")]

    assert refused.status_code == 403
    assert refused.json()["reason"] == "HTTPS_REQUIRED"
    assert "location" not in refused.headers
    assert [probe.status_code for probe in probes] == [200, 200]


@pytest.mark.parametrize(
    ("proxies", "claims", "status"),
    [
        (["127.0.0.0/8"], ["https"], 200),
        (["127.0.0.0/8"], ["HTTPS"], 200),
        (["127.0.0.0/8"], ["http, https"], 200),
        (["127.0.0.0/8"], ["https, http"], 403),
        (["127.0.0.0/8"], ["https", "http"], 403),
        (["127.0.0.0/8"], ["http"], 403),
        (["127.0.0.0/8"], [""], 403),
        (["127.0.0.0/8"], [], 403),
        (["127.0.0.0/8"], ["https;"], 403),
        (["10.0.0.0/8"], ["https"], 403),
        ([], ["https"], 403),
    ],
)
async def test_only_a_trusted_proxy_can_vouch_for_https(
    proxies: Sequence[str], claims: Sequence[str], status: int
) -> None:
    headers = [*logged_in().items(), *(("x-forwarded-proto", claim) for claim in claims)]
    async with secured(*proxies) as bff:
        response = await bff.get(PAYMENT, headers=headers)

    assert response.status_code == status
    has_hsts = "max-age=63072000" in response.headers.get("strict-transport-security", "")
    assert has_hsts == (status == 200)


async def test_a_page_of_an_allowed_origin_may_ask(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    asked = {
        "origin": APP,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    preflight = await bff.options("/api/payments", headers=asked)
    answer = await bff.get(PAYMENT, headers=logged_in(origin=APP))

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-origin"] == APP
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    # The token travels in a header that a page sets itself; cookies are never involved.
    assert "access-control-allow-credentials" not in answer.headers
    assert len(service.requests("GetPayment")) == 1


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "https://APP.example",
        "null",
        "*",
        "",
    ],
)
async def test_pages_of_other_origins_may_not(bff: httpx.AsyncClient, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    preflight = await bff.options("/api/payments", headers=asked)
    answer = await bff.get("/api/tiers", headers={"origin": origin})
    error = await bff.get("/api/nothing", headers={"origin": origin})

    assert preflight.status_code == 403
    assert preflight.headers["content-type"] == "application/problem+json"
    for response in (preflight, answer, error):
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/api/tiers", {}), (PAYMENT, logged_in()), (PAYMENT, {}), ("/nothing", {}), ("/return", {})],
)
async def test_every_answer_protects_itself(
    bff: httpx.AsyncClient, service: ScriptedService, path: str, headers: dict[str, str]
) -> None:
    answer = await bff.get(path, headers=headers)

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-request-id"]
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers
    if path == PAYMENT:
        assert answer.headers["cache-control"] == "no-store"
    assert service.requests("CreatePayment") == []


async def test_large_answers_are_compressed_for_who_can_read_that(bff: httpx.AsyncClient) -> None:
    compressed = await bff.get("/openapi.json", headers={"accept-encoding": "gzip"})
    plain = await bff.get("/openapi.json", headers={"accept-encoding": "identity"})

    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert compressed.json() == plain.json()
    assert "accept-encoding" in compressed.headers["vary"].lower()
