"""The real payments server on a database of its own, with gateways that do as they are told."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.feed import PostgresFeed
from db.rate_limits import PostgresRateLimits
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from kit.clock import SystemClock
from kit.ids import SystemIds
from kit.interceptors import AccessPolicy
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret
from kit.tasks import OwnedTasks
from protos.memberships.v1.memberships_service_pb2_grpc import (
    add_MembershipsServiceServicer_to_server,
)
from protos.operations.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    add_GatewayEventsServiceServicer_to_server,
)
from protos.payments.v1.payments_service_pb2_grpc import (
    PaymentsServiceStub,
    add_PaymentsServiceServicer_to_server,
)
from services.payments.access import ALLOWED_CALLERS, MUST_ACT_FOR_MEMBER, OPEN_METHODS
from services.payments.call_limits import CHECKING, PAYING, MemberLimits
from services.payments.operations.dependencies import Dependencies
from services.payments.router import Router
from services.payments.servicers.gateway_events import GatewayEventsServicer
from services.payments.servicers.memberships import MembershipsServicer
from services.payments.servicers.operations import OperationsServicer
from services.payments.servicers.payments import PaymentsServicer
from tests.bff.conftest import TOKENS
from tests.bff.scripted import TOKEN
from tests.databases import Database
from tests.operations.conftest import OFFERS, default_routing
from tests.operations.fakes import RecordingWakeups, ScriptedGateways
from tests.operations.witness import Witness

if TYPE_CHECKING:
    from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

CALLERS = {
    "bff": TOKEN,
    "operator": "operator-service-token-for-tests",
    "platform": "platform-service-token-for-tests",
    "webhook-receiver": "receiver-service-token-for-tests",
}
UNLIMITED = {PAYING: 10_000, CHECKING: 10_000}


def authorized(caller: str, **more: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a service's call; `more` are written with underscores."""
    named = tuple((name.replace("_", "-"), value) for name, value in more.items())
    return (("authorization", f"Bearer {CALLERS[caller]}"), *named)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealService:
    """One replica of the payments server."""

    port: int
    channel: grpc.aio.Channel
    gateways: ScriptedGateways = field(repr=False)

    @property
    def payments(self) -> "PaymentsServiceAsyncStub":
        """The payments service; only the type stubs know its asynchronous form."""
        return PaymentsServiceStub(self.channel)


@contextlib.asynccontextmanager
async def real_serving(
    database: Database, per_minute: Mapping[str, int] = UNLIMITED
) -> AsyncIterator[RealService]:
    """Serve one replica; several may share a database."""
    engine = open_engine(DatabaseOptions(url=database.app_url))
    witness: asyncpg.Connection = await connect(database.owner_url)
    gateways = ScriptedGateways(OFFERS, Witness(witness))
    deps = _dependencies(engine, gateways)
    server = _server(engine, deps, per_minute, database.app_url)
    port = await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield RealService(port=port, channel=channel, gateways=gateways)
    finally:
        await server.stop()
        await deps.tasks.drain(5)
        await witness.close()
        await engine.dispose()


def _dependencies(engine: AsyncEngine, gateways: ScriptedGateways) -> Dependencies:
    clock = SystemClock()
    return Dependencies(
        storage=PostgresStorage(engine),
        gateways=gateways,
        router=Router(gateways, default_routing()),
        clock=clock,
        ids=SystemIds(clock),
        wakeups=RecordingWakeups(),
        tasks=OwnedTasks(),
        sender="server",
    )


def _server(
    engine: AsyncEngine, deps: Dependencies, per_minute: Mapping[str, int], url: str
) -> GrpcServer:
    policy = AccessPolicy(
        tokens=ServiceTokens([NamedSecret(name=n, secret=s) for n, s in CALLERS.items()]),
        allowed=ALLOWED_CALLERS,
        user_tokens=TOKENS,
        must_act_for_member=MUST_ACT_FOR_MEMBER,
        open_methods=OPEN_METHODS,
        limiter=MemberLimits(PostgresRateLimits(engine), per_minute),
    )
    options = ServerOptions(
        listen="127.0.0.1:0",
        service_names=tuple(ALLOWED_CALLERS),
        domain="payments.v1",
        policy=policy,
        drain_seconds=0.2,
    )
    server = GrpcServer(options, deps.clock)
    feed = PostgresFeed(engine, url, deps.clock)
    payments = PaymentsServicer(
        deps,
        feed,
        "http://127.0.0.1/return",
        https_only=False,
        return_origins=frozenset({"https://app.example"}),
    )
    add_PaymentsServiceServicer_to_server(payments, server.server)
    add_GatewayEventsServiceServicer_to_server(GatewayEventsServicer(deps), server.server)
    add_MembershipsServiceServicer_to_server(MembershipsServicer(deps), server.server)
    add_OperationsServiceServicer_to_server(OperationsServicer(deps), server.server)
    return server
