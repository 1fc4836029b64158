"""`python -m webhook_receiver`: builds and serves the receiver."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from kit.channel import ServiceChannel
from kit.clock import Clock, SystemClock
from kit.http_server import HttpOptions, load_tls, open_listener, serve_http
from kit.ids import SystemIds
from kit.logs import get_logger
from kit.process import run_process
from webhook_receiver.admission import Admission
from webhook_receiver.app import build_app
from webhook_receiver.body import BodyLimits
from webhook_receiver.figures import DeliveryFigures
from webhook_receiver.forwarder import Forwarder, SpoolingRecorder
from webhook_receiver.rate_limit import RateLimit
from webhook_receiver.recorder import GrpcRecorder, Recorder
from webhook_receiver.routes import WebhookEndpoint
from webhook_receiver.settings import ReceiverSettings, load_verifiers, verifier_problems
from webhook_receiver.spool import Spool, SpoolError, SpoolLimits

_log = get_logger(__name__)


async def _serve(settings: ReceiverSettings, stop: asyncio.Event) -> None:
    listener = open_listener(settings.webhook_listen)
    clock = SystemClock()
    figures = DeliveryFigures(clock)
    async with (
        _recorder(settings, clock) as recorder,
        _in_background(figures.log_every_minute()),
    ):
        webhooks = WebhookEndpoint(
            verifiers=load_verifiers(),
            admission=_admission(settings, clock),
            recorder=recorder,
            limits=BodyLimits(
                max_bytes=settings.max_body_bytes,
                request_seconds=settings.webhook_request_seconds,
            ),
            clock=clock,
            figures=figures,
        )
        _log.info("gateways_enabled", gateways=sorted(webhooks.verifiers))
        await serve_http(build_app(webhooks), listener, stop, _options(settings))


@contextlib.asynccontextmanager
async def _recorder(settings: ReceiverSettings, clock: Clock) -> AsyncIterator[Recorder]:
    channel = ServiceChannel(
        settings.payments_address, settings.payments_service_token.get_secret_value()
    )
    patient = GrpcRecorder(channel, timeout=settings.payments_timeout_seconds)
    try:
        if settings.webhook_spool is None:
            yield patient
            return
        limits = SpoolLimits(rows=settings.webhook_spool_rows, bytes=settings.webhook_spool_bytes)
        spool = await Spool.open(settings.webhook_spool, limits)
        try:
            _log.info("spool_opened", rows=spool.rows, bytes=spool.bytes)
            quick = GrpcRecorder(channel, timeout=settings.webhook_spool_after_seconds)
            forwarder = Forwarder(spool, patient, clock, SystemIds(clock))
            async with _in_background(forwarder.run()):
                yield SpoolingRecorder(quick, spool)
        finally:
            await spool.close()
    finally:
        await channel.close()


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless work beside the block; should it fail, the block and the process fail too."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


def _admission(settings: ReceiverSettings, clock: Clock) -> Admission:
    return Admission(
        rate_limit=RateLimit(
            clock,
            per_second=settings.webhook_rate_per_second,
            burst=settings.webhook_rate_burst,
        ),
        trusted_proxies=settings.webhook_trusted_proxies,
        allowed_networks=settings.webhook_allowed_networks,
        plain_http_allowed=settings.in_development,
    )


def _options(settings: ReceiverSettings) -> HttpOptions:
    certificate, key = settings.webhook_tls_certificate, settings.webhook_tls_key
    return HttpOptions(
        header_seconds=settings.webhook_request_seconds,
        drain_seconds=settings.shutdown_seconds,
        max_connections=settings.webhook_max_connections,
        max_connections_per_source=settings.webhook_max_connections_per_source,
        trusted_proxies=settings.webhook_trusted_proxies,
        tls=load_tls(certificate, key) if certificate and key else None,
    )


if __name__ == "__main__":
    try:
        run_process(
            "webhook-receiver", ReceiverSettings, _serve, further_problems=verifier_problems
        )
    except SpoolError as error:
        sys.stderr.write(f"webhook-receiver cannot start: {error}\n")
        sys.exit(1)
