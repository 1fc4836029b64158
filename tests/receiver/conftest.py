"""The receiver's real application on a real port, in front of a scripted payments service."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from gateway_adapters.callbacks import CallbackVerifier
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.http_server import HttpOptions
from kit.settings import NamedSecret
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    add_GatewayEventsServiceServicer_to_server,
)
from tests.kit.serving import GrpcSetup, grpc_serving, http_serving
from tests.receiver.deliveries import (
    BODIES,
    EVERSEND_SECRET,
    FLUTTERWAVE_SECRET,
    FLUTTERWAVE_V4_SECRET,
    Headers,
)
from tests.receiver.scripted_payments import SERVICE, ScriptedPayments
from webhook_receiver.admission import Admission
from webhook_receiver.app import build_app
from webhook_receiver.body import BodyLimits
from webhook_receiver.figures import DeliveryFigures
from webhook_receiver.rate_limit import RateLimit
from webhook_receiver.recorder import GrpcRecorder, Recorder
from webhook_receiver.routes import WebhookEndpoint
from webhook_receiver.settings import load_verifiers

TOKEN = "receiver-token-for-tests"
SECONDS_FOR_A_REQUEST = 0.5
SECONDS_FOR_A_CALL = 1.0
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A running receiver."""

    port: int
    client: httpx.AsyncClient
    webhooks: WebhookEndpoint

    async def deliver(
        self, gateway: str, headers: Headers, body: bytes | None = None
    ) -> httpx.Response:
        """Send a delivery; by default the gateway's sample body."""
        return await self.client.post(
            f"/webhooks/{gateway}",
            content=BODIES[gateway] if body is None else body,
            headers=headers if _says_its_type(headers) else [_JSON, *headers],
        )


def _says_its_type(headers: Headers) -> bool:
    return any(name.lower() == b"content-type" for name, _ in headers)


def payments_setup(payments: ScriptedPayments, port: int = 0) -> GrpcSetup:
    return GrpcSetup(
        service=SERVICE,
        callers=[NamedSecret(name="webhook_receiver", secret=TOKEN)],
        register=lambda server: add_GatewayEventsServiceServicer_to_server(payments, server.server),
        port=port,
    )


@pytest.fixture(scope="session")
def verifiers() -> dict[str, CallbackVerifier]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLUTTERWAVE_WEBHOOK_SECRET", FLUTTERWAVE_SECRET)
        environment.setenv("FLUTTERWAVE_V4_WEBHOOK_SECRET", FLUTTERWAVE_V4_SECRET)
        environment.setenv("EVERSEND_WEBHOOK_SECRET", EVERSEND_SECRET)
        return dict(load_verifiers())


def endpoint(
    verifiers: dict[str, CallbackVerifier],
    recorder: Recorder,
    admission: Admission | None = None,
    request_seconds: float = SECONDS_FOR_A_REQUEST,
) -> WebhookEndpoint:
    """Return what serves deliveries, with limits that no test reaches by accident."""
    clock = SystemClock()
    generous = Admission(rate_limit=RateLimit(clock, per_second=100_000, burst=1_000_000))
    return WebhookEndpoint(
        verifiers=verifiers,
        admission=admission or generous,
        recorder=recorder,
        limits=BodyLimits(max_bytes=64 * 1024, request_seconds=request_seconds),
        clock=clock,
        figures=DeliveryFigures(clock),
    )


@contextlib.asynccontextmanager
async def receiving(
    webhooks: WebhookEndpoint, options: HttpOptions | None = None
) -> AsyncIterator[Receiver]:
    """Serve deliveries on a real port."""
    async with (
        http_serving(build_app(webhooks), options) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        yield Receiver(port=port, client=client, webhooks=webhooks)


@contextlib.asynccontextmanager
async def recorder_of(
    payments_port: int, token: str = TOKEN, seconds: float = SECONDS_FOR_A_CALL
) -> AsyncIterator[GrpcRecorder]:
    """Connect to a payments service."""
    channel = ServiceChannel(f"127.0.0.1:{payments_port}", token)
    yield GrpcRecorder(channel, timeout=seconds)
    await channel.close()


@contextlib.asynccontextmanager
async def receiver_in_front_of(
    payments_port: int, verifiers: dict[str, CallbackVerifier], token: str = TOKEN
) -> AsyncIterator[Receiver]:
    async with (
        recorder_of(payments_port, token) as recorder,
        receiving(endpoint(verifiers, recorder)) as receiver,
    ):
        yield receiver


@pytest.fixture(scope="session")
async def running(
    verifiers: dict[str, CallbackVerifier],
) -> AsyncIterator[tuple[Receiver, ScriptedPayments]]:
    scripted = ScriptedPayments()
    async with (
        grpc_serving(payments_setup(scripted)) as server,
        receiver_in_front_of(server.port, verifiers) as receiver,
    ):
        yield receiver, scripted


@pytest.fixture
def receiver(running: tuple[Receiver, ScriptedPayments]) -> Receiver:
    return running[0]


@pytest.fixture
def payments(running: tuple[Receiver, ScriptedPayments]) -> ScriptedPayments:
    """Return the service behind `receiver`, with nothing received and nothing scripted."""
    running[1].forget()
    return running[1]
