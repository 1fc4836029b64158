"""The OpenAPI document describes the routes that run: no more, no less, and truly."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from services.bff.app import Surroundings, build_app
from services.bff.payments_client import PaymentsClient
from tests.bff.conftest import OPTIONS, TOKENS, logged_in
from tests.bff.json_schema import violations
from tests.bff.scripted import PAYMENT_ID, ScriptedService
from tests.bff.test_events import changes
from tests.bff.test_payments import BODY

# What people and machines fetch without being part of the API of pages.
BESIDE_THE_API = {"/healthz", "/readyz", "/openapi.json", "/return"}
EXAMPLES: Mapping[str, Any] = {
    "/api/payments": BODY,
    "/api/quotes": {"tier": "pro", "billing_cycle": "annual"},
    "/api/payments/{id}/otp": {"otp": "123456"},
    "/api/payments/{id}/retry": {},
}


@pytest.fixture
async def document(bff: httpx.AsyncClient) -> dict[str, Any]:
    response = await bff.get("/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def content_of(operation: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = operation["responses"][str(status)].get("content", {})
    return found


async def test_it_lists_exactly_the_routes_that_run(document: dict[str, Any]) -> None:
    channel = ServiceChannel("127.0.0.1:1", "no-service-token-needed")
    payments = PaymentsClient(channel, timeout=1)
    app = build_app(Surroundings(payments=payments, tokens=TOKENS, clock=SystemClock()), OPTIONS)
    await channel.close()
    running = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route) and route.path not in BESIDE_THE_API
        for method in route.methods or ()
    }

    assert {(method, path) for method, path, _ in operations(document)} == running
    assert document["openapi"] == "3.1.1"


async def test_every_operation_can_be_named_and_every_reference_exists(
    document: dict[str, Any],
) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    schemas = document["components"]["schemas"]

    assert len(names) == len(set(names))
    assert all(reference in schemas for reference in references(document))
    assert set(references(document)) == set(schemas)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].removeprefix("#/components/schemas/")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


async def test_every_operation_answers_as_it_is_described(
    bff: httpx.AsyncClient, service: ScriptedService, document: dict[str, Any]
) -> None:
    service.answers["WatchPayment"] = changes(4)
    for method, path, operation in operations(document):
        response = await bff.request(
            method,
            path.replace("{id}", PAYMENT_ID),
            headers=logged_in(idempotency_key="key-1"),
            json=EXAMPLES.get(path),
        )
        content = content_of(operation, response.status_code)
        media_type = response.headers["content-type"].partition(";")[0]
        assert response.status_code in (200, 201), path
        assert list(content) == [media_type], path
        if media_type == "application/json":
            assert violations(response.json(), content[media_type]["schema"], document) == []


async def test_every_operation_for_members_refuses_everybody_else_as_it_is_described(
    bff: httpx.AsyncClient, service: ScriptedService, document: dict[str, Any]
) -> None:
    for method, path, operation in operations(document):
        response = await bff.request(
            method,
            path.replace("{id}", PAYMENT_ID),
            headers={"idempotency-key": "key-1"},
            json=EXAMPLES.get(path),
        )
        if operation["security"]:
            schema = content_of(operation, 401)["application/problem+json"]["schema"]
            assert response.status_code == 401, path
            assert response.headers["www-authenticate"] == "Bearer"
            assert violations(response.json(), schema, document) == []
        else:
            assert path == "/api/tiers"
            assert response.status_code == 200

    assert {each.method for each in service.received} == {"ListTiers"}
