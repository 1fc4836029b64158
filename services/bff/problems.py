"""How the payments service's errors look to a browser: one table, no inner detail."""

from starlette.requests import Request
from starlette.responses import Response

from kit.errors import ErrorCode, FieldViolation, ServiceError
from kit.http_middleware import note
from kit.http_problems import problem_response

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
_UNAVAILABLE = 503
_INTERNAL = 500
_RETRY_AFTER_SECONDS = "2"
# The payments service refuses the BFF itself: an operator's fault, never the browser's.
_OUR_OWN_FAULT = frozenset({"SERVICE_TOKEN_INVALID", "CALLER_NOT_ALLOWED"})
# Fields whose name in a URL differs from the one in a proto.
_FIELD_NAMES = {"currency_code": "currency"}


def service_error_problem(request: Request, error: Exception) -> Response:
    """Answer a `ServiceError` as a problem document."""
    if not isinstance(error, ServiceError):
        raise error
    note(request, code=error.code.name, reason=error.reason)
    status = _status_of(error)
    if status == _UNAVAILABLE:
        return problem_response(
            status,
            "payments are away for a moment; try again",
            reason="PAYMENTS_UNAVAILABLE",
            headers={"retry-after": _RETRY_AFTER_SECONDS},
        )
    if status == _INTERNAL:
        return problem_response(status, "an unexpected error")
    violations = [
        FieldViolation(_FIELD_NAMES.get(each.field, each.field), each.description)
        for each in error.violations
    ]
    return problem_response(status, error.message, reason=error.reason, violations=violations)


def _status_of(error: ServiceError) -> int:
    # A failure of the connection or of the deadline, not an answer (`kit.status.from_rpc_error`).
    if error.reason == "TRANSPORT_FAILURE":
        return _UNAVAILABLE
    if error.reason in _OUR_OWN_FAULT:
        return _INTERNAL
    return _STATUS.get(error.code, _INTERNAL)
