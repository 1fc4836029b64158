"""`python -m services.bff`: builds and serves the BFF."""

import asyncio

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.http_server import open_listener, serve_http
from kit.process import run_process
from services.bff.app import Surroundings, build_app
from services.bff.payments_client import PaymentsClient
from services.bff.settings import BffSettings


async def _serve(settings: BffSettings, stop: asyncio.Event) -> None:
    listener = open_listener(settings.bff_listen)
    clock = SystemClock()
    channel = ServiceChannel(
        settings.payments_address, settings.payments_service_token.get_secret_value()
    )
    surroundings = Surroundings(
        payments=PaymentsClient(
            channel,
            timeout=settings.payments_timeout_seconds,
            gateway_timeout=settings.bff_gateway_timeout_seconds,
        ),
        tokens=settings.user_tokens(clock),
        clock=clock,
        stopping=stop,
    )
    try:
        app = build_app(surroundings, settings.options())
        await serve_http(app, listener, stop, settings.http_options())
    finally:
        await channel.close()


if __name__ == "__main__":
    run_process("bff", BffSettings, _serve)
