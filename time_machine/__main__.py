"""`python -m time_machine --from … --to …`: what today's code would make of stored callbacks.

Nothing real is changed: the callbacks are folded into scratch tables that vanish with the process,
and the gateways are only asked. `--replay` has the worker handle the callbacks again, for real.
"""

import argparse
import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from db.signals import Announcer
from db.unit_of_work import PostgresStorage
from gateway_adapters.callbacks import CallbackVerifier
from gateway_adapters.registry import REGISTRY
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.ids import SystemIds
from kit.request_scope import RequestScope, enter_scope, new_request_id
from kit.settings import SettingsError, load_settings, refuse_to_start
from kit.tasks import OwnedTasks
from services.payments.gateway_client import GatewayClient
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.replay_events import ReplayEventsCommand, replay_events
from services.payments.ports import Routing
from services.payments.router import Router
from services.payments.settings import PaymentsSettings
from time_machine.differences import differences
from time_machine.fold import OnlyLookUps, fold, read_again
from time_machine.log import stored_callbacks
from time_machine.scratch import Concerned, copy_stories, scratch_engine

_CLOCK = SystemClock()
_PROGRESS_EVERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for on the command line."""

    start: datetime
    end: datetime
    replay: bool


def main() -> int:
    """Run the command. Returns the process's exit code: 0, or 1 when something would differ."""
    order = _order(sys.argv[1:])
    try:
        settings = load_settings(PaymentsSettings)
        verifiers = {name: each.load_verifier() for name, each in REGISTRY.items()}
    except SettingsError as error:
        refuse_to_start("time machine", error)
    enter_scope(RequestScope(request_id=new_request_id(), caller="time-machine"))
    try:
        if order.replay:
            return asyncio.run(_replay(settings, order))
        return asyncio.run(_dry_run(settings, verifiers, order))
    except (DBAPIError, OSError) as error:
        sys.stderr.write(f"time machine failed: {error}\n")
        return 2


def _order(arguments: list[str]) -> Order:
    parser = argparse.ArgumentParser(prog="python -m time_machine", description=__doc__)
    parser.add_argument(
        "--from", dest="start", required=True, type=_time, help="2026-11-01[T10:00]"
    )
    parser.add_argument("--to", dest="end", required=True, type=_time, help="not included")
    parser.add_argument("--replay", action="store_true", help="handle them again, for real")
    parsed = parser.parse_args(arguments)
    if parsed.end <= parsed.start:
        parser.error("--to must be after --from")
    return Order(start=parsed.start, end=parsed.end, replay=parsed.replay)


def _time(words: str) -> datetime:
    at = datetime.fromisoformat(words)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def _dry_run(
    settings: PaymentsSettings, verifiers: dict[str, CallbackVerifier], order: Order
) -> int:
    engine = open_engine(DatabaseOptions(url=settings.database_url, pool_size=1))
    async with scratch_engine(settings.database_url) as scratch:
        try:
            return await _fold_all(settings, verifiers, order, (engine, scratch))
        finally:
            await engine.dispose()


async def _fold_all(
    settings: PaymentsSettings,
    verifiers: dict[str, CallbackVerifier],
    order: Order,
    engines: tuple[AsyncEngine, AsyncEngine],
) -> int:
    engine, scratch = engines
    payments = await copy_stories(scratch, await _concerned(engine, verifiers, order))
    gateways = OnlyLookUps(_client(settings))
    deps = _dependencies(settings, PostgresStorage(scratch), gateways)
    print(f"callbacks from {order.start:%Y-%m-%d %H:%M} to {order.end:%Y-%m-%d %H:%M} (UTC)")
    endings: Counter[str] = Counter()
    async for callback in stored_callbacks(engine, order.start, order.end):
        reading = read_again(callback, verifiers.get(callback.gateway))
        endings[await fold(deps, callback, reading)] += 1
        if reading.differs:
            print(f"  callback {callback.id} would be read differently: {reading.differs}")
        if endings.total() % _PROGRESS_EVERY == 0:
            sys.stderr.write(f"\r{endings.total()} callbacks …")
    found = await differences(scratch, payments)
    _report(endings, found, len(payments), gateways.silent)
    return 1 if found else 0


async def _concerned(
    engine: AsyncEngine, verifiers: dict[str, CallbackVerifier], order: Order
) -> Concerned:
    """Return which payments the callbacks are about: those they had, and those they would find."""
    payments: set[UUID] = set()
    references: set[str] = set()
    async for callback in stored_callbacks(engine, order.start, order.end):
        delivery = read_again(callback, verifiers.get(callback.gateway)).delivery
        references |= {delivery.reference, delivery.gateway_transaction_id} - {""}
        if callback.payment_id is not None:
            payments.add(callback.payment_id)
    return Concerned(payment_ids=tuple(payments), references=tuple(references))


def _report(endings: Counter[str], found: list[str], payments: int, silent: int) -> None:
    for sentence in found:
        print(f"  {sentence}")
    counts = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
    print(f"{endings.total()} callbacks folded ({counts or 'none'}), {payments} payments")
    if silent:
        print(f"{silent} look-ups got no answer: what those payments would be is not known")
    print(f"{len(found)} differences" if found else "nothing would differ")


async def _replay(settings: PaymentsSettings, order: Order) -> int:
    engine = open_engine(DatabaseOptions(url=settings.database_url, pool_size=2))
    gateways = OnlyLookUps(_client(settings))
    deps = _dependencies(settings, PostgresStorage(engine), gateways)
    key = f"time-machine-{order.start.isoformat()}-{_CLOCK.now().isoformat()}"
    try:
        replayed = await replay_events(
            deps,
            ReplayEventsCommand(
                idempotency_key=key, received_from=order.start, received_before=order.end
            ),
        )
    finally:
        await engine.dispose()
    print(f"{replayed.count} callbacks are handled again by the worker; each has its effect once")
    return 0


def _client(settings: PaymentsSettings) -> GatewayClient:
    channels = {
        name: ServiceChannel(address, settings.gateway_token)
        for name, address in settings.gateway_addresses().items()
    }
    return GatewayClient(channels, _CLOCK)


def _dependencies(
    settings: PaymentsSettings, storage: PostgresStorage, gateways: OnlyLookUps
) -> Dependencies:
    return Dependencies(
        storage=storage,
        gateways=gateways,
        router=Router(gateways, Routing(preferences=settings.preferences())),
        clock=_CLOCK,
        ids=SystemIds(_CLOCK),
        wakeups=Announcer(settings.database_url, _CLOCK),
        tasks=OwnedTasks(),
        sender="time-machine",
    )


if __name__ == "__main__":
    sys.exit(main())
