"""GET /openapi.json: the OpenAPI 3.1 document, made from the very endpoints that are served."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.bff.documents import ProblemDocument
from services.bff.endpoints import JSON, Endpoint
from services.bff.problems import MEDIA_TYPE as PROBLEM

_REFERENCE = "#/components/schemas/{name}"
_PATH_NAME = re.compile(r"\{(\w+)\}")
# Anybody may meet these on any endpoint.
_EVERYWHERE = (500, 503)
_LOGGED_IN = (401, 429)
_WITH_A_BODY = (400, 408, 413, 415)
_CREATED = 201
_CACHE_CONTROL = "public, max-age=300"
_IDEMPOTENCY_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for each purchase or step; the same one when a request is sent again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_DESCRIPTION = (
    "What members' pages ask. Money is exact: `amount` is decimal text and `amount_minor` an"
    " integer of minor units; no request carries an amount. Texts follow `Accept-Language` (en,"
    " fr, sw). Errors are problem documents (RFC 9457)."
)


def openapi_route(endpoints: Sequence[Endpoint]) -> Route:
    """Return the route that describes `endpoints`."""
    document = openapi_document(endpoints)

    async def show(_request: Request) -> Response:
        return JSONResponse(document, headers={"cache-control": _CACHE_CONTROL})

    return Route("/openapi.json", show, methods=["GET"])


def openapi_document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI document (version 3.1.1) of `endpoints`."""
    types: list[Any] = [ProblemDocument]
    for endpoint in endpoints:
        types += [each for each in (endpoint.body, endpoint.answer) if each and each not in types]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    references = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, references)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.1",
        "info": {"title": "Creator payments", "version": "1", "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "member": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(endpoint: Endpoint, references: Mapping[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handle.__name__,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, references),
        "security": [] if endpoint.for_everybody else [{"member": []}],
    }
    if endpoint.body:
        content = {JSON: {"schema": references[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(endpoint: Endpoint) -> list[Mapping[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_NAME.findall(endpoint.path)
    ]
    asked = [
        {
            "name": each.name,
            "in": each.where,
            "description": each.description,
            "schema": each.schema,
        }
        for each in endpoint.parameters
    ]
    return [*in_path, *asked, *([_IDEMPOTENCY_KEY] if endpoint.keyed else [])]


def _responses(endpoint: Endpoint, references: Mapping[Any, Any]) -> dict[str, Any]:
    schema = references[endpoint.answer] if endpoint.answer else {"type": "string"}
    good: dict[str, Any] = {
        "description": HTTPStatus(endpoint.status).phrase,
        "content": {endpoint.media_type: {"schema": schema}},
    }
    if endpoint.status == _CREATED:
        good["headers"] = {"Location": {"schema": {"type": "string"}}}
    statuses = {*endpoint.problems, *_EVERYWHERE}
    statuses |= set() if endpoint.for_everybody else set(_LOGGED_IN)
    statuses |= set(_WITH_A_BODY) if endpoint.body else set()
    problems = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": references[ProblemDocument]}},
        }
        for status in sorted(statuses)
    }
    empty = {"204": {"description": "No Content"}} if endpoint.may_be_empty else {}
    return {str(endpoint.status): good, **empty, **problems}
