"""`python -m webhook_receiver`: builds and serves the receiver."""

import asyncio

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.http_server import HttpOptions, open_listener, serve_http
from kit.logs import get_logger
from kit.process import run_process
from webhook_receiver.app import build_app
from webhook_receiver.body import BodyLimits
from webhook_receiver.recorder import GrpcRecorder
from webhook_receiver.routes import WebhookEndpoint
from webhook_receiver.settings import ReceiverSettings, load_verifiers, verifier_problems

_log = get_logger(__name__)


async def _serve(settings: ReceiverSettings, stop: asyncio.Event) -> None:
    listener = open_listener(settings.webhook_listen)
    channel = ServiceChannel(
        settings.payments_address, settings.payments_service_token.get_secret_value()
    )
    webhooks = WebhookEndpoint(
        verifiers=load_verifiers(),
        recorder=GrpcRecorder(channel, timeout=settings.payments_timeout_seconds),
        limits=BodyLimits(max_bytes=settings.max_body_bytes, seconds=settings.webhook_body_seconds),
        clock=SystemClock(),
    )
    _log.info("gateways_enabled", gateways=sorted(webhooks.verifiers))
    try:
        options = HttpOptions(drain_seconds=settings.shutdown_seconds)
        await serve_http(build_app(webhooks), listener, stop, options)
    finally:
        await channel.close()


if __name__ == "__main__":
    run_process("webhook-receiver", ReceiverSettings, _serve, further_problems=verifier_problems)
