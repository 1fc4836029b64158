"""Asks a process whether it is well: for container health checks and the local stack.

python -m kit.healthcheck grpc 127.0.0.1:50051
python -m kit.healthcheck http http://127.0.0.1:8080/healthz
"""

import http.client
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_TIMEOUT_SECONDS = 2.0
_EXIT_USAGE = 64


def grpc_serves(address: str) -> bool:
    """Tell whether the gRPC server at `address` ("host:port") reports SERVING as a whole."""
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def http_answers(url: str) -> bool:
    """Tell whether a GET of `url` (plain HTTP) is answered with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


CHECKS: Mapping[str, Callable[[str], bool]] = {"grpc": grpc_serves, "http": http_answers}


def main(arguments: list[str]) -> int:
    """Check what the arguments name. Returns 0 when it is well, 1 when not, 64 when misused."""
    match arguments:
        case [kind, target] if kind in CHECKS:
            return 0 if CHECKS[kind](target) else 1
        case _:
            sys.stderr.write(__doc__ or "")
            return _EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
