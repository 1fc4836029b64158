"""A typed error arrives on the other side of the wire as the same typed error."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2

from kit.errors import (
    ErrorCode,
    FieldViolation,
    InvalidRequestError,
    NotYetOfferedError,
    ServiceError,
)
from kit.status import DETAILS_KEY, RpcFailure, from_rpc_error, grpc_code, to_status


class _Failure:
    """What `grpc.aio.AioRpcError` says of itself."""

    def __init__(self, code: grpc.StatusCode, details: str | None, metadata: object = None) -> None:
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details

    def trailing_metadata(self) -> object:
        return self._metadata


def _over_the_wire(error: ServiceError) -> RpcFailure:
    status = to_status(error, "payments.v1")
    metadata = grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString()))
    return _Failure(grpc_code(error.code), error.message, metadata)


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_survives_with_reason_message_and_metadata(code: ErrorCode) -> None:
    sent = ServiceError(code, "SOME_REASON", "what to do", metadata={"payment_id": "p-1"})

    received = from_rpc_error(_over_the_wire(sent))

    assert received.code is code
    assert received.reason == "SOME_REASON"
    assert received.message == "what to do"
    assert received.metadata == {"payment_id": "p-1", "domain": "payments.v1"}


def test_violations_survive_in_their_order() -> None:
    violations = [FieldViolation("customer.email", "is required"), FieldViolation("tier", "?")]

    received = from_rpc_error(_over_the_wire(InvalidRequestError(violations)))

    assert list(received.violations) == violations
    assert received.reason == "INVALID_REQUEST"


def test_what_is_not_offered_yet_says_so() -> None:
    received = from_rpc_error(_over_the_wire(NotYetOfferedError("RefundPayment")))

    assert received.code is ErrorCode.UNIMPLEMENTED
    assert received.reason == "NOT_YET_OFFERED"


_ERROR_INFO = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
_BROKEN_INSIDE = status_pb2.Status(details=[_ERROR_INFO]).SerializeToString()


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda code: code.name)
@pytest.mark.parametrize(
    "metadata",
    [
        None,
        (),
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("other-bin", b"x")),
        grpc.aio.Metadata((DETAILS_KEY, b"\xff\xff\xff")),
        grpc.aio.Metadata((DETAILS_KEY, _BROKEN_INSIDE)),
    ],
    ids=["none", "empty", "no details", "other details", "broken details", "broken inside"],
)
def test_a_failure_of_the_library_is_never_mistaken_for_an_answer(
    code: grpc.StatusCode, metadata: object
) -> None:
    received = from_rpc_error(_Failure(code, "something private", metadata))

    assert received.reason == "TRANSPORT_FAILURE"
    assert received.code.name == (code.name if code.name in ErrorCode.__members__ else "UNKNOWN")
    assert "private" not in received.message
