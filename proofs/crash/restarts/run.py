"""One run: server and worker in this process, members who pay, and a database that restarts."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from dev.postgres import connect
from kit.clock import SystemClock
from kit.ids import SystemIds
from kit.tasks import OwnedTasks
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.remote import DirectPost, RemoteGateways
from proofs.crash.judgement import broken_invariants, lost_schedules
from proofs.crash.points import KillSwitch
from proofs.crash.records import Records, read_records
from proofs.crash.restarts.members import Members, Told
from proofs.crash.restarts.restarting import RestartedDatabase, restarted_database
from proofs.crash.routing import default_routing
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Timing
from services.payments.router import Router
from services.payments.worker import Worker

# Work that a failure left behind is taken up soon, so that a run ends soon.
_TIMING = Timing(charge=3.0, look_up=1.0, takeover=4.0)
_UNFINISHED = """
SELECT count(*) FROM creators_membership WHERE status IN ('pending', 'processing')
UNION ALL SELECT count(*) FROM webhook_events WHERE status = 'received'
ORDER BY 1 DESC LIMIT 1
"""
_SETTLE_SECONDS = 180.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run. `told`: what was acknowledged. `broken`: what must not be."""

    told: Told
    restarts: int
    statuses: Mapping[str, int]
    broken: list[str]


async def run_with_restarts(payments: int, at_once: int, every: float, seed: int) -> Outcome:
    """Have members pay while the database restarts every so many seconds; then judge."""
    chance = random.Random(seed)  # noqa: S311 - a run to be repeated, no secret
    clock, told = SystemClock(), Told()
    books = GatewayBooks(clock.now(), {})
    async with restarted_database() as database:
        async with _process(database, books) as deps:
            post = DirectPost(books, clock)
            members = Members(deps=deps, post=post, told=told, chance=chance)
            over = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(database.restart_until(over, every, chance))
                try:
                    await members.pay_all(payments, at_once)
                finally:
                    over.set()
            records = await _settled(database)
        return Outcome(
            told=told,
            restarts=database.restarts,
            statuses=Counter(each["status"] for each in records.payments),
            broken=[
                *_lost(told, records),
                *lost_schedules(records),
                *broken_invariants(records, books, at_rest=False),
            ],
        )


@asynccontextmanager
async def _process(database: RestartedDatabase, books: GatewayBooks) -> AsyncIterator[Dependencies]:
    """Run the operations and the real worker on the database while the context lasts."""
    clock = SystemClock()
    engine = open_engine(DatabaseOptions(url=database.app_url, pool_size=40))
    gateways = RemoteGateways(DirectPost(books, clock), KillSwitch(None))
    signals = _Signals()
    deps = Dependencies(
        storage=PostgresStorage(engine),
        gateways=gateways,
        router=Router(gateways, default_routing()),
        clock=clock,
        ids=SystemIds(clock),
        wakeups=signals,
        tasks=OwnedTasks(),
        sender="server",
        timing=_TIMING,
    )
    worker = Worker(deps)
    signals.worker = worker
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(deps.tasks.drain, _TIMING.charge)
        working = asyncio.create_task(worker.run())
        stack.push_async_callback(_cancelled, working)
        yield deps


@dataclass(slots=True)
class _Signals:
    """Implements the port `Wakeups` within one process."""

    worker: Worker | None = None

    def payment_changed(self, payment_id: UUID) -> None:
        """Nobody watches."""

    def event_recorded(self) -> None:
        """Wake the worker."""
        if self.worker:
            self.worker.wake_for_events()

    def attempt_due(self) -> None:
        """Wake the worker."""
        if self.worker:
            self.worker.wake_for_attempts()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _settled(database: RestartedDatabase) -> Records:
    """Wait until no payment is open any more, at most a few minutes; return all records."""
    owner = await connect(database.owner_url)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while await owner.fetchval(_UNFINISHED):  # noqa: ASYNC110 - rows in a database
                    await asyncio.sleep(_LOOK_SECONDS)
        return await read_records(owner)
    finally:
        await owner.close()


def _lost(told: Told, records: Records) -> list[str]:
    """Return what was acknowledged and is not there."""
    payments = {each["id"] for each in records.payments}
    events = {each["id"] for each in records.events}
    return [
        *(f"LOST: payment {each}" for each in told.payments if str(each) not in payments),
        *(f"LOST: callback {each}" for each in told.events if str(each) not in events),
    ]
