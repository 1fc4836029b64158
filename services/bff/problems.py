"""How errors look to a browser: problem documents with a sentence for the member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from msgspec import UNSET
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kit.errors import ErrorCode, FieldViolation, ServiceError
from kit.http_middleware import note
from kit.request_scope import current_scope
from services.bff.documents import ProblemDocument, ViolationDocument
from services.bff.language import language_for

MEDIA_TYPE = "application/problem+json"
_STATUS = {
    ErrorCode.INVALID_ARGUMENT: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.ABORTED: 409,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.FAILED_PRECONDITION: 409,
    ErrorCode.RESOURCE_EXHAUSTED: 429,
    ErrorCode.UNIMPLEMENTED: 501,
    ErrorCode.UNAVAILABLE: 503,
}
_UNAUTHENTICATED = 401
_TOO_MANY = 429
_UNAVAILABLE = 503
_INTERNAL = 500
# Seconds after which trying again makes sense, where nobody says better.
_RETRY_AFTER = {_UNAVAILABLE: "2", _TOO_MANY: "2"}
_IN_PROGRESS_SECONDS = "1"
# The payments service refuses the BFF itself: an operator's fault, never the browser's.
_OUR_OWN_FAULT = frozenset({"SERVICE_TOKEN_INVALID", "CALLER_NOT_ALLOWED"})
# Names of fields in the protos that a page knows under another name.
_FIELD_NAMES = {"idempotency_key": "Idempotency-Key"}
_FIELD_NAMES_KEY = "bff.field_names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong.

    `status`: of HTTP. `reason`: a stable UPPER_SNAKE name for programs. `detail`: the sentence
    where the texts have none for the reason. `violations`: what is wrong, field by field.
    `payment_id`: the payment that stands in the way. `headers`: further response headers.
    """

    status: int
    reason: str = ""
    detail: str = ""
    violations: Sequence[FieldViolation] = ()
    payment_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemError(Exception):
    """Ends a request with a problem that the BFF itself has found."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason or str(problem.status))
        self.problem = problem


def invalid(name: str, description: str) -> ProblemError:
    """Return the error for one thing that is wrong with a request."""
    violation = FieldViolation(name, description)
    return ProblemError(Problem(status=400, reason="INVALID_REQUEST", violations=[violation]))


def name_fields(request: Request, names: Mapping[str, str]) -> None:
    """Say what a route calls the fields of the protos that it fills."""
    request.scope[_FIELD_NAMES_KEY] = names


def problem_answer(request: Request, problem: Problem) -> Response:
    """Answer with a problem document (RFC 9457) in the member's language."""
    language = language_for(request.headers.get("accept-language", ""))
    told = language.problem(problem.status, problem.reason)
    violations = [
        ViolationDocument(field=v.field, description=v.description) for v in problem.violations
    ]
    document = ProblemDocument(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        request_id=current_scope().request_id,
        detail=told or problem.detail or language.status(problem.status),
        reason=problem.reason or UNSET,
        violations=violations or UNSET,
        payment_id=problem.payment_id or UNSET,
    )
    headers = {
        **({"retry-after": _RETRY_AFTER[problem.status]} if problem.status in _RETRY_AFTER else {}),
        **({"www-authenticate": "Bearer"} if problem.status == _UNAUTHENTICATED else {}),
        "content-language": language.code,
        "vary": "Accept-Language",
        **problem.headers,
    }
    body = msgspec.json.encode(document)
    return Response(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


def service_error_problem(request: Request, error: Exception) -> Response:
    """Answer a `ServiceError`."""
    if not isinstance(error, ServiceError):
        raise error
    note(request, code=error.code.name, reason=error.reason)
    return problem_answer(request, _of_service(request, error))


def own_problem(request: Request, error: Exception) -> Response:
    """Answer a `ProblemError`."""
    if not isinstance(error, ProblemError):
        raise error
    note(request, reason=error.problem.reason)
    return problem_answer(request, error.problem)


def http_exception_problem(request: Request, error: Exception) -> Response:
    """Answer Starlette's own errors: no such route, method not allowed."""
    if not isinstance(error, HTTPException):
        raise error
    problem = Problem(status=error.status_code, headers=error.headers or {})
    return problem_answer(request, problem)


def _of_service(request: Request, error: ServiceError) -> Problem:
    status = _status_of(error)
    if status == _UNAVAILABLE:
        return Problem(status=status, reason="PAYMENTS_UNAVAILABLE")
    if status == _INTERNAL:
        return Problem(status=status)
    names = {**_FIELD_NAMES, **request.scope.get(_FIELD_NAMES_KEY, {})}
    return Problem(
        status=status,
        reason=error.reason,
        detail=error.message,
        violations=[
            FieldViolation(names.get(each.field, each.field), each.description)
            for each in error.violations
        ],
        payment_id=error.metadata.get("payment_id", ""),
        headers=_headers_of(error),
    )


def _headers_of(error: ServiceError) -> Mapping[str, str]:
    seconds = error.metadata.get("retry_after_seconds", "")
    if error.reason == "REQUEST_IN_PROGRESS":
        seconds = _IN_PROGRESS_SECONDS
    return {"retry-after": seconds} if seconds.isdecimal() else {}


def _status_of(error: ServiceError) -> int:
    # A failure of the connection or of the deadline, not an answer (`kit.status.from_rpc_error`).
    if error.reason == "TRANSPORT_FAILURE":
        return _UNAVAILABLE
    if error.reason in _OUR_OWN_FAULT:
        return _INTERNAL
    return _STATUS.get(error.code, _INTERNAL)
