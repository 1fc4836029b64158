"""`python -m services.bff`: builds and serves the BFF."""

import asyncio

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.http_server import HttpOptions, open_listener, serve_http
from kit.process import run_process
from services.bff.app import build_app
from services.bff.payments_client import PaymentsClient
from services.bff.settings import BffSettings


async def _serve(settings: BffSettings, stop: asyncio.Event) -> None:
    listener = open_listener(settings.bff_listen)
    channel = ServiceChannel(
        settings.payments_address, settings.payments_service_token.get_secret_value()
    )
    payments = PaymentsClient(channel, timeout=settings.payments_timeout_seconds)
    app = build_app(payments, SystemClock(), default_currency=settings.bff_default_currency)
    try:
        options = HttpOptions(drain_seconds=settings.shutdown_seconds)
        await serve_http(app, listener, stop, options)
    finally:
        await channel.close()


if __name__ == "__main__":
    run_process("bff", BffSettings, _serve)
