"""`python -m gateway_adapters <gateway>`: builds one adapter and serves it."""

import argparse
import asyncio
from pkgutil import resolve_name

from gateway_adapters.gateway import Gateway
from gateway_adapters.registry import REGISTRY
from gateway_adapters.servicer import DOMAIN, SERVICE_NAME, GatewayServicer
from gateway_adapters.settings import CALLER, AdapterSettings
from kit.clock import SystemClock
from kit.ids import SystemIds
from kit.interceptors import AccessPolicy
from kit.logs import get_logger
from kit.process import run_process
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from protos.gateways.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server

_log = get_logger(__name__)


def main() -> None:
    """Serve the gateway named on the command line until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m gateway_adapters", description=__doc__)
    parser.add_argument("gateway", choices=sorted(REGISTRY))
    registration = REGISTRY[parser.parse_args().gateway]

    async def serve(settings: AdapterSettings, stop: asyncio.Event) -> None:
        clock = SystemClock()
        build = resolve_name(registration.builder)
        gateway: Gateway = build(settings, clock, SystemIds(clock))
        try:
            await serve_gateway(gateway, settings, stop)
        finally:
            await gateway.close()

    run_process(f"{registration.name}-adapter", registration.settings, serve)


async def serve_gateway(gateway: Gateway, settings: AdapterSettings, stop: asyncio.Event) -> None:
    """Serve a gateway until `stop` is set. Raises `kit.server.AddressInUseError`."""
    server = GrpcServer(
        ServerOptions(
            listen=settings.listen,
            service_names=(SERVICE_NAME,),
            domain=DOMAIN,
            policy=AccessPolicy(
                tokens=ServiceTokens(settings.gateway_service_tokens),
                allowed={SERVICE_NAME: frozenset({CALLER})},
            ),
            reflection=settings.in_development,
            drain_seconds=settings.shutdown_seconds,
        ),
        SystemClock(),
    )
    add_GatewayServiceServicer_to_server(GatewayServicer(gateway), server.server)
    port = await server.start()
    host = settings.listen.rpartition(":")[0]
    _log.info("listening", gateway=gateway.name, listen_address=f"{host}:{port}")
    try:
        await stop.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    main()
