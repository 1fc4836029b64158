"""What a failed call says to a program."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason of a failure, for example "PAYMENT_NOT_FOUND" (docs/error-handling.md).

    Empty for a failure of the connection or of the deadline, which proves nothing about the call.
    """
    info = error_details_pb2.ErrorInfo()
    try:
        for key, value in error.trailing_metadata():
            if key == _DETAILS_KEY and isinstance(value, bytes):
                for detail in status_pb2.Status.FromString(value).details:
                    detail.Unpack(info)
    except DecodeError:
        return ""
    return str(info.reason)
