"""Errors on HTTP as problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kit.errors import FieldViolation
from kit.request_scope import current_scope


def problem_response(
    status: int,
    detail: str = "",
    *,
    reason: str = "",
    violations: Sequence[FieldViolation] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build the answer to a request that failed.

    `status`: HTTP status. `detail`: a sentence for people, without secrets or personal data.
    `reason`: a stable UPPER_SNAKE name for programs. `violations`: what is wrong with the request,
    field by field. `headers`: further response headers.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
    }
    if detail:
        document["detail"] = detail
    if reason:
        document["reason"] = reason
    if violations:
        document["violations"] = [
            {"field": each.field, "description": each.description} for each in violations
        ]
    document["request_id"] = current_scope().request_id
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


def http_exception_problem(_request: Request, error: Exception) -> Response:
    """Answer Starlette's own errors (no such route, method not allowed) as a problem document."""
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(error.status_code, headers=error.headers)
