"""The one mapping between our typed errors and gRPC status, in both directions."""

from typing import Protocol

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from kit.errors import ErrorCode, FieldViolation, ServiceError

DETAILS_KEY = "grpc-status-details-bin"


class RpcFailure(Protocol):
    """The part of `grpc.aio.AioRpcError` that is read here."""

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        ...

    def details(self) -> str | None:
        """Return the message."""
        ...

    def trailing_metadata(self) -> object:
        """Return pairs of key and value."""
        ...


def grpc_code(code: ErrorCode) -> grpc.StatusCode:
    """Return the gRPC code of the same name."""
    return grpc.StatusCode[code.name]


def to_status(error: ServiceError, domain: str) -> status_pb2.Status:
    """Build the `google.rpc.Status` of an error.

    `domain`: the service's package, for example "payments.v1", used in `ErrorInfo.domain`.
    """
    details: list[any_pb2.Any] = []
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)
    details.append(_packed(info))
    if error.violations:
        details.append(_packed(_bad_request(error.violations)))
    return status_pb2.Status(
        code=grpc_code(error.code).value[0], message=error.message, details=details
    )


def from_rpc_error(error: RpcFailure) -> ServiceError:
    """Rebuild the typed error of a failed call.

    A failure without our details (the library's own) keeps its code with the reason
    "TRANSPORT_FAILURE", so that nobody mistakes it for an answer of the service.
    """
    code = ErrorCode.__members__.get(error.code().name, ErrorCode.UNKNOWN)
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    found = False
    try:
        for detail in _details_of(error):
            found = detail.Unpack(info) or found
            detail.Unpack(bad_request)
    except DecodeError:
        found = False
    if not found:
        message = f"the call failed: {error.code().name}"
        return ServiceError(code, "TRANSPORT_FAILURE", message)
    return ServiceError(
        code,
        info.reason,
        error.details() or "",
        metadata={**info.metadata, "domain": info.domain},
        violations=[
            FieldViolation(each.field, each.description) for each in bad_request.field_violations
        ],
    )


def _details_of(error: RpcFailure) -> list[any_pb2.Any]:
    metadata = error.trailing_metadata()
    for key, value in metadata if isinstance(metadata, grpc.aio.Metadata | tuple) else ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return list(status_pb2.Status.FromString(value).details)
    return []


def _bad_request(violations: tuple[FieldViolation, ...]) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=violation.description
            )
            for violation in violations
        ]
    )


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
