"""Every published service on a real gRPC server with nothing behind it, to see what is offered."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn, cast

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from gateway_adapters.eversend.gateway import build as build_eversend
from gateway_adapters.eversend.settings import EversendSettings
from gateway_adapters.flutterwave.gateway import build as build_flutterwave
from gateway_adapters.flutterwave.settings import FlutterwaveSettings
from gateway_adapters.gateway import Gateway
from gateway_adapters.servicer import GatewayServicer
from kit.clock import SystemClock
from kit.errors import ServiceError
from kit.ids import SystemIds
from kit.interceptors import AUTHORIZATION_KEY, AccessPolicy
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret
from kit.status import from_rpc_error
from protos.gateways.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server
from protos.memberships.v1.memberships_service_pb2_grpc import (
    add_MembershipsServiceServicer_to_server,
)
from protos.operations.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    add_GatewayEventsServiceServicer_to_server,
)
from protos.payments.v1.payments_service_pb2_grpc import add_PaymentsServiceServicer_to_server
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import PaymentFeed
from services.payments.servicers.gateway_events import GatewayEventsServicer
from services.payments.servicers.memberships import MembershipsServicer
from services.payments.servicers.operations import OperationsServicer
from services.payments.servicers.payments import PaymentsServicer
from tests.docs.markdown import ROOT

_DEADLINE_SECONDS = 5.0
_CALLER = NamedSecret(name="documents", secret="documents-service-token")
_CREDENTIALS = ((AUTHORIZATION_KEY, f"Bearer {_CALLER.secret}"),)


class _Nothing:
    """Stands where a servicer's dependencies stand: whoever reaches for them has been offered."""

    def __getattr__(self, name: str) -> NoReturn:
        raise LookupError(f"nothing is behind this server, not even {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How a server answers a call. `failure`: None when it succeeded."""

    failure: ServiceError | None

    @property
    def status(self) -> str:
        """The word of the status tables."""
        if self.failure is None or self.failure.code.name != "UNIMPLEMENTED":
            return "works"
        return {"NOT_YET_OFFERED": "later", "NOT_CREATED": "never"}[self.failure.reason]


def published_services() -> Iterator[ServiceDescriptor]:
    """Yield every service of the protos."""
    for path in sorted(ROOT.glob("protos/**/*_service_pb2.py")):
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        yield from module.DESCRIPTOR.services_by_name.values()


@asynccontextmanager
async def payments_server() -> AsyncIterator[grpc.aio.Channel]:
    """Serve what the payments server serves; yield a channel to it."""
    nothing = _Nothing()
    deps, feed = cast("Dependencies", nothing), cast("PaymentFeed", nothing)
    server = _server()
    payments = PaymentsServicer(deps, feed, "http://127.0.0.1/", https_only=False)
    add_PaymentsServiceServicer_to_server(payments, server.server)
    add_GatewayEventsServiceServicer_to_server(GatewayEventsServicer(deps), server.server)
    add_MembershipsServiceServicer_to_server(MembershipsServicer(deps), server.server)
    add_OperationsServiceServicer_to_server(OperationsServicer(deps), server.server)
    async with _serving(server) as channel:
        yield channel


@asynccontextmanager
async def adapter_server(name: str) -> AsyncIterator[grpc.aio.Channel]:
    """Serve one gateway's adapter, whose gateway refuses connections; yield a channel to it."""
    with _refused_address() as address:
        gateway = _GATEWAYS[name](f"http://{address}")
        server = _server()
        add_GatewayServiceServicer_to_server(GatewayServicer(gateway), server.server)
        try:
            async with _serving(server) as channel:
                yield channel
        finally:
            await gateway.close()


async def ask(channel: grpc.aio.Channel, method: MethodDescriptor, request: bytes = b"") -> Offer:
    """Call a method with the bytes of a request, an empty one by default."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call: Any = kind(path, request_serializer=bytes, response_deserializer=bytes)
    try:
        answer = call(request, timeout=_DEADLINE_SECONDS, metadata=_CREDENTIALS)
        await (answer.read() if method.server_streaming else answer)
    except grpc.aio.AioRpcError as error:
        return Offer(failure=from_rpc_error(error))
    return Offer(failure=None)


def _server() -> GrpcServer:
    names = [service.full_name for service in published_services()]
    policy = AccessPolicy(
        tokens=ServiceTokens([_CALLER]),
        allowed=dict.fromkeys(names, frozenset({_CALLER.name})),
    )
    options = ServerOptions(
        listen="127.0.0.1:0", service_names=(), domain="tests", policy=policy, drain_seconds=0.1
    )
    return GrpcServer(options, SystemClock())


@asynccontextmanager
async def _serving(server: GrpcServer) -> AsyncIterator[grpc.aio.Channel]:
    port = await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop()


@contextmanager
def _refused_address() -> Iterator[str]:
    """Yield an address that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def _eversend(base_url: str) -> Gateway:
    settings = EversendSettings.model_validate(
        {
            "gateway_service_tokens": "payments=documents-adapter-token",
            "eversend_base_url": base_url,
            "eversend_client_id": "documents-client",
            "eversend_client_secret": "documents-client-secret",
            "eversend_otp_mode": "sms",
        }
    )
    clock = SystemClock()
    return build_eversend(settings, clock, SystemIds(clock))


def _flutterwave(base_url: str) -> Gateway:
    settings = FlutterwaveSettings.model_validate(
        {
            "gateway_service_tokens": "payments=documents-adapter-token",
            "flutterwave_base_url": base_url,
            "flutterwave_secret_key": "FLWSECK_TEST-documents-X",
        }
    )
    clock = SystemClock()
    return build_flutterwave(settings, clock, SystemIds(clock))


_GATEWAYS = {"eversend": _eversend, "flutterwave": _flutterwave}
