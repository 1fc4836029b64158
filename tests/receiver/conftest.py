"""The receiver's real application on a real port, in front of a scripted payments service."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from gateway_adapters.callbacks import CallbackVerifier
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.settings import NamedSecret
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    add_GatewayEventsServiceServicer_to_server,
)
from tests.kit.serving import GrpcSetup, grpc_serving, http_serving
from tests.receiver.deliveries import BODIES, EVERSEND_SECRET, FLUTTERWAVE_SECRET, Headers
from tests.receiver.scripted_payments import SERVICE, ScriptedPayments
from webhook_receiver.app import build_app
from webhook_receiver.body import BodyLimits
from webhook_receiver.recorder import GrpcRecorder
from webhook_receiver.routes import WebhookEndpoint
from webhook_receiver.settings import load_verifiers

TOKEN = "receiver-token-for-tests"
SECONDS_FOR_A_BODY = 0.5
SECONDS_FOR_A_CALL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A running receiver."""

    port: int
    client: httpx.AsyncClient

    async def deliver(
        self, gateway: str, headers: Headers, body: bytes | None = None
    ) -> httpx.Response:
        """Send a delivery; by default the gateway's sample body."""
        return await self.client.post(
            f"/webhooks/{gateway}",
            content=BODIES[gateway] if body is None else body,
            headers=[(b"content-type", b"application/json"), *headers],
        )


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
        environment.setenv("EVERSEND_WEBHOOK_SECRET", EVERSEND_SECRET)
        return dict(load_verifiers())


@contextlib.asynccontextmanager
async def receiver_in_front_of(
    payments_port: int, verifiers: dict[str, CallbackVerifier], token: str = TOKEN
) -> AsyncIterator[Receiver]:
    channel = ServiceChannel(f"127.0.0.1:{payments_port}", token)
    webhooks = WebhookEndpoint(
        verifiers=verifiers,
        recorder=GrpcRecorder(channel, timeout=SECONDS_FOR_A_CALL),
        limits=BodyLimits(max_bytes=64 * 1024, seconds=SECONDS_FOR_A_BODY),
        clock=SystemClock(),
    )
    async with (
        http_serving(build_app(webhooks)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        yield Receiver(port=port, client=client)
    await channel.close()


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
