"""Whatever is sent to whatever route: never a 500, and every refusal is a problem document."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.bff.app import Surroundings, all_endpoints
from services.bff.openapi import openapi_document
from tests.bff.conftest import OPTIONS, logged_in
from tests.bff.json_schema import strange_values_of, values_of, violations
from tests.bff.scripted import ScriptedService

_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    # A failure is small enough to read as it is, and making it smaller takes minutes of requests.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_NOT_NEEDED: Any = None
DOCUMENT = openapi_document(
    all_endpoints(
        Surroundings(payments=_NOT_NEEDED, tokens=_NOT_NEEDED, clock=_NOT_NEEDED), OPTIONS
    )
)
OPERATIONS = [
    (method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if not path.endswith("/events")
]
PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}
# What HTTP allows in a header (RFC 9110 §5.5); anything else never gets past the server.
_HEADER_TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
).map(str.strip)
_SEGMENTS = st.text(st.characters(codec="utf-8"), max_size=30).filter(
    lambda text: text not in ("", ".", "..")
)


def body_schema(method: str, path: str) -> Mapping[str, Any] | None:
    operation = DOCUMENT["paths"][path][method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    found: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
    return found


@st.composite
def requests(draw: st.DrawFn, method: str, path: str) -> dict[str, Any]:
    """Make one request for a route: some of it right, some of it not."""
    schema = body_schema(method, path)
    query = draw(
        st.dictionaries(
            st.sampled_from(["currency", "status", "page_size", "page_token", "x"]),
            st.text(max_size=20),
            max_size=3,
        )
    )
    headers = (
        dict(logged_in()) if draw(st.integers(0, 9)) else {"authorization": draw(_HEADER_TEXTS)}
    )
    for name in ("idempotency-key", "accept-language", "last-event-id", "origin"):
        if draw(st.booleans()):
            headers[name] = draw(_HEADER_TEXTS)
    made: dict[str, Any] = {"params": query}
    if schema is not None:
        value = draw(st.one_of(values_of(schema, DOCUMENT), strange_values_of(schema, DOCUMENT)))
        made["content"] = json.dumps(value).encode("utf-8", "surrogatepass")
        headers["content-type"] = "application/json"
    made["headers"] = [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
    made["path"] = path.replace("{id}", quote(draw(_SEGMENTS), safe=""))
    return made


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@_SETTINGS
@given(data=st.data())
async def test_every_request_gets_an_answer_that_is_described(
    bff: httpx.AsyncClient, service: ScriptedService, method: str, path: str, data: st.DataObject
) -> None:
    request = data.draw(requests(method, path))
    with capture_logs() as logs:
        response = await bff.request(method, request.pop("path"), **request)

    assert response.status_code < 500, logs
    assert service.requests("RefundPayment") == []
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert violations(response.json(), PROBLEM, DOCUMENT) == []
        described = DOCUMENT["paths"][path][method.lower()]["responses"]
        # 404 and 405 also answer what is no address of ours after all.
        assert str(response.status_code) in {*described, "404", "405"}


@pytest.mark.parametrize(
    ("method", "path"), [each for each in OPERATIONS if body_schema(*each) is not None]
)
@_SETTINGS
@given(data=st.data())
async def test_a_body_is_taken_exactly_when_the_document_says_so(
    bff: httpx.AsyncClient, service: ScriptedService, method: str, path: str, data: st.DataObject
) -> None:
    schema = body_schema(method, path)
    assert schema is not None
    value = data.draw(st.one_of(values_of(schema, DOCUMENT), strange_values_of(schema, DOCUMENT)))
    service.forget()
    with capture_logs():
        response = await bff.request(
            method,
            path.replace("{id}", "p-1"),
            headers=logged_in(idempotency_key="key-1", content_type="application/json"),
            content=json.dumps(value),
        )

    fits = violations(value, schema, DOCUMENT) == []
    if not fits:
        assert response.status_code in (400, 413)
        assert service.received == []
    elif response.status_code == 400:
        # The one thing that a schema cannot say is whether an address is at an allowed origin.
        assert [each["field"] for each in response.json()["violations"]] == ["return_url"]
    else:
        assert response.status_code in (200, 201)
