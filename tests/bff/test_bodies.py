"""What a page sends is strict JSON of a known shape, and never says an amount."""

from typing import Any

import httpx
import pytest

from kit.errors import FieldViolation, InvalidRequestError
from tests.bff.conftest import logged_in
from tests.bff.scripted import ScriptedService
from tests.bff.test_payments import BODY, STEPS


@pytest.mark.parametrize(
    "extra",
    [
        {"amount": 1},
        {"amount": {"currency_code": "UGX", "amount_minor": 1}},
        {"price": "1"},
        {"amount_minor": 1},
        {"user_id": "bob"},
        {"idempotency_key": "other"},
        {"customer": {"email": "a@b.test", "user_id": "bob"}},
    ],
)
async def test_a_page_names_neither_the_amount_nor_another_member(
    bff: httpx.AsyncClient, service: ScriptedService, extra: dict[str, Any]
) -> None:
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=BODY | extra
    )

    assert response.status_code == 400
    assert response.json()["reason"] == "INVALID_REQUEST"
    assert service.received == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tier": None}, "tier"),
        ({"tier": 7}, "tier"),
        ({"tier": "Pro!"}, "tier"),
        ({"billing_cycle": "weekly"}, "billing_cycle"),
        ({"payment_method": "PAYMENT_METHOD_CARD"}, "payment_method"),
        ({"currency_code": "ugx"}, "currency_code"),
        ({"customer": {}}, "customer.email"),
        ({"customer": []}, "customer"),
        ({"customer": {"email": "a@b.test", "phone_number": "0772"}}, "customer.phone_number"),
        ({"return_url": "https://evil.example/"}, "return_url"),
        ({"payment_option": "cash"}, "payment_option"),
    ],
)
async def test_a_field_of_the_wrong_shape_is_named(
    bff: httpx.AsyncClient, service: ScriptedService, change: dict[str, Any], field: str
) -> None:
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=BODY | change
    )

    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert violation["field"] == field
    assert violation["description"]
    assert service.received == []


@pytest.mark.parametrize("missing", ["tier", "billing_cycle", "payment_method", "customer"])
async def test_a_missing_field_is_required(
    bff: httpx.AsyncClient, service: ScriptedService, missing: str
) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1"), json=body
    )

    assert response.json()["violations"] == [{"field": missing, "description": "is required"}]
    assert service.received == []


BODIES = {
    "nothing": (b"", 400),
    "not JSON": (b"tier=pro", 400),
    "a list": (b"[]", 400),
    "text": (b'"pro"', 400),
    "null": (b"null", 400),
    "a name twice": (b'{"tier":"free","tier":"pro"}', 400),
    "NaN": (b'{"tier":NaN}', 400),
    "too large a number": (b'{"tier":1e999}', 400),
    "half a surrogate pair": (b'{"tier":"\\ud800"}', 400),
    "not UTF-8": (b'{"tier":"\xff"}', 400),
    "UTF-16": ('{"tier":"pro"}'.encode("utf-16"), 400),
    "byte order mark": (b'\xef\xbb\xbf{"tier":"pro"}', 400),
    "nested deeply": (b"[" * 10_000, 400),
    "a huge number": (b'{"tier":' + b"9" * 5000 + b"}", 400),
    "too large": (b'{"tier":"' + b"x" * 17_000 + b'"}', 413),
}


@pytest.mark.parametrize(("raw", "status"), BODIES.values(), ids=BODIES)
async def test_a_body_that_is_not_strict_json_is_refused(
    bff: httpx.AsyncClient, service: ScriptedService, raw: bytes, status: int
) -> None:
    headers = logged_in(idempotency_key="key-1", content_type="application/json")
    response = await bff.post("/api/payments", headers=headers, content=raw)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert service.received == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_type": ""},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
)
async def test_a_body_that_is_called_something_else_is_refused(
    bff: httpx.AsyncClient, service: ScriptedService, headers: dict[str, str]
) -> None:
    response = await bff.post(
        "/api/payments", headers=logged_in(idempotency_key="key-1", **headers), content=b"{}"
    )

    assert response.status_code == 415
    assert service.received == []


@pytest.mark.parametrize("path", ["/api/payments", *(f"/api/payments/x/{s}" for s in STEPS[1:])])
@pytest.mark.parametrize("keys", [[], [""], ["one", "two"]])
async def test_what_changes_something_needs_exactly_one_idempotency_key(
    bff: httpx.AsyncClient, service: ScriptedService, path: str, keys: list[str]
) -> None:
    headers = [*logged_in().items(), *(("idempotency-key", key) for key in keys)]
    response = await bff.post(path, headers=headers, json=BODY)

    assert response.status_code == 400
    assert [each["field"] for each in response.json()["violations"]] == ["Idempotency-Key"]
    assert service.received == []


async def test_a_key_that_the_service_refuses_is_named_as_the_header(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["CreatePayment"] = InvalidRequestError(
        [FieldViolation("idempotency_key", "must be printable")]
    )
    response = await bff.post("/api/payments", headers=logged_in(idempotency_key="a b"), json=BODY)

    assert [each["field"] for each in response.json()["violations"]] == ["Idempotency-Key"]
