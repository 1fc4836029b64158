"""The way from the payments service to an adapter: gRPC's surface and failures without sockets."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, cast

import grpc
from typing_extensions import override

from gateway_adapters.servicer import DOMAIN, GatewayServicer
from kit.channel import ServiceChannel
from kit.deadlines import time_left
from kit.errors import ServiceError
from kit.request_scope import RequestScope, current_scope, enter_scope
from kit.status import DETAILS_KEY, grpc_code, to_status
from proofs.simulation.faults import Fault
from proofs.simulation.nature import Nature
from proofs.simulation.outages import Outage
from proofs.simulation.process import Process

_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_DESCRIBE = "DescribeGateway"


class AdapterDefectError(Exception):
    """An adapter raised what is no typed failure: the interceptor would answer INTERNAL."""


class InProcessChannel(ServiceChannel):
    """Calls one adapter's servicer for one process. `adapter`: shared by all processes."""

    def __init__(self, process: Process, adapter: "Adapter", nature: Nature) -> None:
        # The real one would open a connection.
        self.address = adapter.name
        self.channel = cast("grpc.aio.Channel", _Methods())
        self._process = process
        self._adapter = adapter
        self._nature = nature

    @override
    async def call(
        self,
        method: Callable[..., Any],
        request: Any,
        *,
        timeout: float,  # the product's own signature
        user_token: str | None = None,
        wait_for_ready: bool = False,
    ) -> Any:
        """Make one unary call. Raises `grpc.aio.AioRpcError`."""
        name, seconds = str(method), time_left(timeout)
        process, faults, chance = self._process, self._nature.faults, self._nature.chance
        await process.point(f"-> {self._adapter.name} {name}")
        if self._adapter.is_down() or faults.strikes(Fault.RPC_BEFORE):
            await self._nature.clock.sleep(chance.between(0.001, 0.5))
            raise failed(chance.pick(_CODES))
        if name == _DESCRIBE:
            await asyncio.sleep(0)
            return await self._adapter.description()
        answer = self._adapter.serve(name, request, seconds)
        try:
            reply = await self._answer(answer, seconds)
        except asyncio.CancelledError:
            # As gRPC does when a call is cancelled or its process is gone.
            answer.cancel()
            raise
        await process.point(f"<- {self._adapter.name} {name} {outcome_of(reply)}")
        return reply

    async def _answer(self, answer: asyncio.Task[Any], seconds: float) -> Any:
        faults, chance = self._nature.faults, self._nature.chance
        if faults.strikes(Fault.RPC_AFTER):
            await asyncio.wait([answer], timeout=min(seconds, chance.between(0.01, 3.0)))
            if chance.hits(0.5):
                answer.cancel()
            raise failed(chance.pick(_CODES))
        done, _ = await asyncio.wait([answer], timeout=seconds)
        if not done:
            answer.cancel()
            raise failed(grpc.StatusCode.DEADLINE_EXCEEDED)
        return answer.result()


class Adapter:
    """An adapter's process: its servicer, and how its errors leave it."""

    def __init__(self, name: str, servicer: GatewayServicer, nature: Nature) -> None:
        self.name = name
        self._servicer = servicer
        self._nature = nature
        self._outage = Outage(Fault.ADAPTER_DOWN, nature.faults, nature.chance)
        self._description: Any = None

    def is_down(self) -> bool:
        """Whether nothing reaches it now."""
        return self._outage.covers(self._nature.loop.time())

    async def description(self) -> Any:
        """Return what the gateway can do; it is the same every time."""
        if self._description is None:
            self._description = await self._servicer.DescribeGateway(cast("Any", None), None)
        return self._description

    def serve(self, name: str, request: Any, seconds: float) -> asyncio.Task[Any]:
        """Serve a call in the adapter's own process."""
        scope = RequestScope(
            request_id=current_scope().request_id,
            deadline=self._nature.loop.time() + seconds,
            caller="payments",
        )
        work = self._served(getattr(self._servicer, name)(request, None), scope)
        return self._nature.loop.create_task(work, context=Context())

    async def _served(self, behaviour: Coroutine[Any, Any, Any], scope: RequestScope) -> Any:
        enter_scope(scope)
        try:
            return await behaviour
        except ServiceError as error:
            raise typed(error) from None
        except Exception as error:
            raise AdapterDefectError(f"{self.name}: {error!r}") from error


def typed(error: ServiceError) -> grpc.aio.AioRpcError:
    """Return the RPC error that an adapter's typed error arrives as."""
    details = to_status(error, DOMAIN).SerializeToString()
    return grpc.aio.AioRpcError(
        grpc_code(error.code),
        grpc.aio.Metadata(),
        grpc.aio.Metadata((DETAILS_KEY, details)),
        details=error.message,
    )


def failed(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Return an RPC error of the library itself."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


def outcome_of(reply: Any) -> str:
    """Return a reply's outcome for the story."""
    return str(getattr(reply, "outcome", ""))


class _Methods:
    """Gives a generated stub the names of its methods to call."""

    def unary_unary(self, path: str, **_options: object) -> str:
        return path.rpartition("/")[2]

    def unary_stream(self, path: str, **_options: object) -> str:
        return path.rpartition("/")[2]

    def get_state(self) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.READY
