"""One adapter served over gRPC against one running sandbox, with a remote control for both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pkgutil import resolve_name
from typing import Any

import grpc
import httpx

from gateway_adapters.gateway import Gateway
from gateway_adapters.registry import REGISTRY
from gateway_adapters.servicer import SERVICE_NAME, GatewayServicer
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.errors import ServiceError
from kit.ids import SystemIds
from kit.settings import NamedSecret, load_settings
from kit.status import from_rpc_error
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.gateway_service_pb2_grpc import (
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from tests.kit.serving import GrpcSetup, grpc_serving

TOKEN = "payments-token-for-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One gateway under test.

    `settings`: of its adapter. `wrong_credentials`: settings that the sandbox refuses. `order`: a
    charge under a reference. `refused`: one that this gateway itself refuses.
    """

    name: str
    api_path: str
    settings: Mapping[str, object]
    wrong_credentials: Mapping[str, object]
    order: Callable[[str], pb.CreateChargeRequest]
    refused: Callable[[str], pb.CreateChargeRequest]


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """The control API of a running sandbox."""

    gateway_url: str
    control: httpx.AsyncClient

    async def ask(self, path: str) -> Any:
        """Read from the control API."""
        return (await self.control.get(f"/_sandbox/{path}")).raise_for_status().json()

    async def tell(self, path: str, **facts: object) -> Any:
        """Change something through the control API."""
        return (await self.control.post(f"/_sandbox/{path}", json=facts)).raise_for_status().json()

    async def fault(self, name: str, operation: str = "any", **facts: object) -> None:
        """Make the gateway misbehave."""
        await self.tell("faults", fault=name, operation=operation, **facts)

    async def created(self, reference: str) -> int:
        """Return how many times the gateway created something under a reference."""
        reply = await self.control.get(f"/_sandbox/transactions/{reference}")
        return (
            0 if reply.status_code == httpx.codes.NOT_FOUND else int(reply.json()["created_count"])
        )


@dataclass(slots=True, kw_only=True)
class Adapter:
    """The payments service's view of a served adapter."""

    channel: ServiceChannel
    stub: Any
    gateway: Gateway = field(repr=False)

    async def call(self, method: str, request: Any, *, seconds: float = 10.0) -> Any:
        """Return the reply. Raises `ServiceError`, as the payments service sees it."""
        try:
            return await self.channel.call(getattr(self.stub, method), request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def create(
        self, request: pb.CreateChargeRequest, *, seconds: float = 10.0
    ) -> pb.CreateChargeResponse:
        """Create a charge."""
        reply: pb.CreateChargeResponse = await self.call("CreateCharge", request, seconds=seconds)
        return reply

    async def look_up(self, reference: str = "", transaction_id: str = "") -> pb.GetChargeResponse:
        """Look a charge up."""
        request = pb.GetChargeRequest(reference=reference, gateway_transaction_id=transaction_id)
        reply: pb.GetChargeResponse = await self.call("GetCharge", request)
        return reply

    async def refund(self, request: pb.CreateRefundRequest) -> pb.CreateRefundResponse:
        """Send money back."""
        reply: pb.CreateRefundResponse = await self.call("CreateRefund", request)
        return reply

    async def look_up_refund(
        self, made: pb.CreateRefundRequest, refund_id: str = ""
    ) -> pb.GetRefundResponse:
        """Look a refund up."""
        request = pb.GetRefundRequest(
            refund_reference=made.refund_reference,
            gateway_refund_id=refund_id,
            gateway_transaction_id=made.gateway_transaction_id,
            amount=made.amount,
        )
        reply: pb.GetRefundResponse = await self.call("GetRefund", request)
        return reply

    async def failure(self, method: str, request: Any, *, seconds: float = 10.0) -> ServiceError:
        """Make a call that must fail and return its error."""
        try:
            reply = await self.call(method, request, seconds=seconds)
        except ServiceError as error:
            return error
        raise AssertionError(f"{method} was expected to fail and answered {reply}")


@dataclass(slots=True, kw_only=True)
class Rig:
    """One gateway's case, sandbox and adapter."""

    case: Case
    sandbox: Sandbox
    adapter: Adapter

    @contextlib.asynccontextmanager
    async def another(
        self, changes: Mapping[str, object] | None = None, *, token: str = TOKEN
    ) -> AsyncIterator[Adapter]:
        """Serve another adapter on the same sandbox, with some settings changed."""
        async with served(self.case, self.sandbox, changes or {}, token=token) as adapter:
            yield adapter


class HastyClock(SystemClock):
    """The machine's clock, whose pauses between two tries are over at once, moved by hand."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += seconds

    def now(self) -> datetime:
        """Return the moved time."""
        return super().now() + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        """Return the moved seconds."""
        return super().monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the Protocol's signature
        """Only let others run."""
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def served(
    case: Case,
    sandbox: Sandbox,
    changes: Mapping[str, object],
    *,
    token: str = TOKEN,
) -> AsyncIterator[Adapter]:
    """Serve an adapter as its process does, on a free port."""
    clock = HastyClock()
    registration = REGISTRY[case.name]
    facts: dict[str, object] = {
        "environment": "test",
        "gateway_service_tokens": f"payments={TOKEN}",
        f"{case.name}_base_url": f"{sandbox.gateway_url}{case.api_path}",
        **case.settings,
        **changes,
    }
    settings = load_settings(registration.settings, **facts)
    gateway: Gateway = resolve_name(registration.builder)(settings, clock, SystemIds(clock))
    setup = GrpcSetup(
        service=SERVICE_NAME,
        callers=[NamedSecret(name="payments", secret=TOKEN)],
        register=lambda server: add_GatewayServiceServicer_to_server(
            GatewayServicer(gateway), server.server
        ),
    )
    async with grpc_serving(setup) as server:
        channel = ServiceChannel(f"127.0.0.1:{server.port}", token)
        try:
            yield Adapter(
                channel=channel, stub=GatewayServiceStub(channel.channel), gateway=gateway
            )
        finally:
            await channel.close()
            await gateway.close()
