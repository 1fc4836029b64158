"""A gRPC server with health, reflection in development, and an orderly end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from kit.clock import Clock
from kit.interceptors import AccessPolicy, RpcInterceptor

_MAX_MESSAGE_BYTES = 4 * 1024 * 1024


class AddressInUseError(Exception):
    """The port is taken by somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a gRPC server is set up.

    `listen`: "host:port"; port 0 picks a free one. `service_names`: full names of the services it
    serves. `domain`: for `ErrorInfo`. `reflection`: for development only. `drain_seconds`: how
    long running RPCs may take to end once the server stops. `max_rpcs`: how many may run at once,
    open streams among them; further ones are refused (RESOURCE_EXHAUSTED).
    """

    listen: str
    service_names: Sequence[str]
    domain: str
    policy: AccessPolicy
    reflection: bool = False
    drain_seconds: float = field(default=10.0)
    max_rpcs: int = 2000


class GrpcServer:
    """One listening gRPC server. Register servicers on `server`, then `start`."""

    def __init__(self, options: ServerOptions, clock: Clock) -> None:
        unguarded = set(options.service_names) - set(options.policy.allowed)
        if unguarded:
            raise ValueError(f"the policy names no callers of {', '.join(sorted(unguarded))}")
        self._options = options
        self._health = HealthServicer()
        self.port = 0
        self.server = grpc.aio.server(
            interceptors=[RpcInterceptor(options.policy, clock, options.domain)],
            maximum_concurrent_rpcs=options.max_rpcs,
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        if options.reflection:
            names = (
                *options.service_names,
                health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            )
            reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self.server)

    async def start(self) -> int:
        """Listen and report SERVING; return the port. Raises `AddressInUseError`."""
        try:
            self.port = self.server.add_insecure_port(self._options.listen)
        except RuntimeError as error:
            raise AddressInUseError(
                f"cannot listen on {self._options.listen}: the port is in use"
            ) from error
        await self.server.start()
        await self.report(serving=True)
        return self.port

    async def report(self, *, serving: bool) -> None:
        """Tell health checks whether the services serve."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._options.service_names):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Report NOT_SERVING, let running RPCs end, then close."""
        await self._health.enter_graceful_shutdown()
        await self.server.stop(self._options.drain_seconds)
