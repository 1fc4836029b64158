"""`python -m services.payments server` or `worker`: builds one of the two and runs it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.feed import PostgresFeed
from db.rate_limits import PostgresRateLimits
from db.signals import ATTEMPT_DUE, EVENT_RECORDED, Announcer, Listener
from db.unit_of_work import PostgresStorage
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.errors import ServiceError
from kit.ids import SystemIds
from kit.interceptors import AccessPolicy
from kit.process import run_process
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.tasks import OwnedTasks
from protos.memberships.v1.memberships_service_pb2_grpc import (
    add_MembershipsServiceServicer_to_server,
)
from protos.operations.v1.operations_service_pb2_grpc import (
    add_OperationsServiceServicer_to_server,
)
from protos.payments.v1.gateway_events_service_pb2_grpc import (
    add_GatewayEventsServiceServicer_to_server,
)
from protos.payments.v1.payments_service_pb2_grpc import add_PaymentsServiceServicer_to_server
from services.payments.access import ALLOWED_CALLERS, MUST_ACT_FOR_MEMBER, OPEN_METHODS
from services.payments.call_limits import MemberLimits
from services.payments.daily_reconciliation import reconcile_daily
from services.payments.gateway_client import GatewayClient
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.take_over_attempt import release_interrupted
from services.payments.ports import Routing, Timing
from services.payments.router import Router
from services.payments.servicers.gateway_events import GatewayEventsServicer
from services.payments.servicers.memberships import MembershipsServicer
from services.payments.servicers.operations import OperationsServicer
from services.payments.servicers.payments import PaymentsServicer
from services.payments.settings import PaymentsSettings, ServerSettings, WorkerSettings
from services.payments.worker import Worker

_CLOCK = SystemClock()
_HEALTH_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the server and the worker are both built from."""

    deps: Dependencies
    engine: AsyncEngine
    storage: PostgresStorage
    announcer: Announcer


@asynccontextmanager
async def _parts(settings: PaymentsSettings, listen: str) -> AsyncIterator[_Parts]:
    engine = open_engine(
        DatabaseOptions(
            url=settings.database_url,
            pool_size=settings.database_pool_size,
            statement_cache=settings.database_statement_cache,
        )
    )
    storage = PostgresStorage(engine)
    timing = Timing(
        charge=settings.charge_timeout_seconds,
        look_up=settings.look_up_timeout_seconds,
        takeover=settings.takeover_seconds,
        quiet=settings.quiet_seconds,
        otp=settings.otp_seconds,
        lag=settings.look_up_lag_seconds,
    )
    channels = {
        name: ServiceChannel(address, settings.gateway_token)
        for name, address in settings.gateway_addresses().items()
    }
    gateways = GatewayClient(channels, _CLOCK, timing)
    announcer = Announcer(settings.database_url, _CLOCK)
    deps = Dependencies(
        storage=storage,
        gateways=gateways,
        router=Router(gateways, Routing(preferences=settings.preferences())),
        clock=_CLOCK,
        ids=SystemIds(_CLOCK),
        wakeups=announcer,
        tasks=OwnedTasks(),
        sender=f"{socket.gethostname()}:{listen}",
        timing=timing,
    )
    try:
        yield _Parts(deps=deps, engine=engine, storage=storage, announcer=announcer)
    finally:
        await deps.tasks.drain(settings.shutdown_seconds)
        for channel in channels.values():
            await channel.close()
        await engine.dispose()


async def serve(settings: ServerSettings, stop: asyncio.Event) -> None:
    """Run the payments server until `stop` is set."""
    async with _parts(settings, settings.payments_listen) as parts:
        policy = AccessPolicy(
            tokens=ServiceTokens(settings.tokens()),
            allowed=ALLOWED_CALLERS,
            user_tokens=settings.user_tokens(_CLOCK),
            must_act_for_member=MUST_ACT_FOR_MEMBER,
            open_methods=OPEN_METHODS,
            limiter=MemberLimits(PostgresRateLimits(parts.engine), settings.member_limits()),
        )
        options = ServerOptions(
            listen=settings.payments_listen,
            service_names=tuple(ALLOWED_CALLERS),
            domain="payments.v1",
            policy=policy,
            reflection=settings.in_development,
            drain_seconds=settings.shutdown_seconds,
            max_rpcs=settings.max_rpcs,
        )
        server = GrpcServer(options, _CLOCK)
        feed = PostgresFeed(parts.engine, settings.database_url, _CLOCK)
        payments = PaymentsServicer(
            parts.deps,
            feed,
            settings.default_return_url,
            https_only=not settings.in_development,
            return_origins=settings.origins(),
        )
        add_PaymentsServiceServicer_to_server(payments, server.server)
        add_GatewayEventsServiceServicer_to_server(GatewayEventsServicer(parts.deps), server.server)
        add_MembershipsServiceServicer_to_server(MembershipsServicer(parts.deps), server.server)
        add_OperationsServiceServicer_to_server(OperationsServicer(parts.deps), server.server)
        await _run(server, parts, stop, feed.run)


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Run the payments worker until `stop` is set."""
    async with _parts(settings, settings.worker_listen) as parts:
        options = ServerOptions(
            listen=settings.worker_listen,
            service_names=(),
            domain="payments.v1",
            policy=AccessPolicy(tokens=ServiceTokens(()), allowed={}),
        )
        worker = Worker(parts.deps)
        wake = {EVENT_RECORDED: worker.wake_for_events, ATTEMPT_DUE: worker.wake_for_attempts}
        listener = Listener(
            settings.database_url, wake, lambda channel, _payload: wake[channel](), _CLOCK
        )
        daily = partial(reconcile_daily, parts.deps)
        await _run(GrpcServer(options, _CLOCK), parts, stop, listener.run, worker.run, daily)


async def _run(
    server: GrpcServer,
    parts: _Parts,
    stop: asyncio.Event,
    *background: Callable[[], Awaitable[None]],
) -> None:
    """Serve with background tasks until `stop` is set; if one of them ends, so does the process."""
    await server.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(_coroutine(each))
                for each in (
                    parts.announcer.run,
                    lambda: _report_health(server, parts),
                    lambda: _release_interrupted(parts.deps),
                    *background,
                )
            ]
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        await server.stop()


async def _coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def _release_interrupted(deps: Dependencies) -> None:
    """Hand over what an earlier run left in the air, as soon as the database is there."""
    started_at = _CLOCK.now()
    while True:
        try:
            return await release_interrupted(deps, started_at)
        except ServiceError:
            await _CLOCK.sleep(_HEALTH_LOOK_SECONDS)


async def _report_health(server: GrpcServer, parts: _Parts) -> None:
    """Report NOT_SERVING while the database is away."""
    while True:
        await server.report(serving=await parts.storage.reachable())
        await _CLOCK.sleep(_HEALTH_LOOK_SECONDS)


def main() -> None:
    """Run the process that the command line names."""
    if sys.argv[1:] == ["server"]:
        run_process("payments-server", ServerSettings, serve)
    elif sys.argv[1:] == ["worker"]:
        run_process("payments-worker", WorkerSettings, work)
    else:
        sys.stderr.write("usage: python -m services.payments server|worker\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
