"""The worker: woken or not, it handles what is due, and no row, gateway or outage stops it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.worker import Worker
from tests.database.cutting_proxy import cutting_proxy
from tests.databases import Database
from tests.operations.fakes import PATIENCE_SECONDS, Call, Gate, Operation, reply
from tests.operations.suite import LEASE_SECONDS, Suite, by_card

SOME = 3


@asynccontextmanager
async def working(suite: Suite) -> AsyncIterator[Worker]:
    """Run a worker of a process of its own, that signals reach, until the block ends."""
    worker = Worker(suite.deps)
    suite.wakeups.on_event = worker.wake_for_events
    suite.wakeups.on_attempt = worker.wake_for_attempts
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await suite.deps.tasks.drain(PATIENCE_SECONDS)


async def becomes_true(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as the condition holds. Raises `TimeoutError` when it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition is a row of the database
            await asyncio.sleep(0.005)


async def becomes(suite: Suite, payment: Payment, status: PaymentStatus) -> None:
    async def is_so() -> bool:
        return (await suite.payment(payment.id)).status is status

    await becomes_true(is_so)


async def all_handled(suite: Suite) -> None:
    async def nothing_left() -> bool:
        query = "SELECT id FROM webhook_events WHERE status = 'received'"
        return not await suite.witness.rows(query)

    await becomes_true(nothing_left)


async def create_of(suite: Suite, number: int) -> Payment:
    return await suite.create(by_card(user_id=f"member-{number}"))


async def paid(suite: Suite, payment: Payment) -> None:
    """Have a gateway call back about a payment."""
    await suite.deliver(await suite.newest_attempt(payment.id), key=f"event of {payment.id}")


async def test_a_signal_wakes_the_worker_at_once(suite: Suite) -> None:
    """Twenty in a row, each after the one before: without signals they would take twenty looks."""
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    async with working(suite.process()), asyncio.timeout(PATIENCE_SECONDS):
        for number in range(20):
            payment = await create_of(suite, number)
            await paid(suite, payment)
            await becomes(suite, payment, PaymentStatus.COMPLETED)


async def test_without_any_signal_the_worker_looks_by_itself(suite: Suite) -> None:
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    one, other = await create_of(suite, 1), await create_of(suite, 2)
    async with working(suite.process()):
        suite.wakeups.on_event = suite.wakeups.on_attempt = lambda: None
        await paid(suite, one)
        await becomes(suite, one, PaymentStatus.COMPLETED)
        suite.clock.advance(5)
        await becomes(suite, other, PaymentStatus.COMPLETED)


async def test_a_charge_that_is_paid_when_it_is_created_is_looked_up_at_once(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.SUCCEEDED))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    async with working(suite.process()):
        payment = await suite.create()
        assert payment.status is PaymentStatus.PROCESSING
        await becomes(suite, payment, PaymentStatus.COMPLETED)


async def test_one_row_that_fails_does_not_stop_the_others_and_is_tried_again(
    suite: Suite,
) -> None:
    async def defect(_call: Call) -> ChargeReport:
        raise RuntimeError("a defect of ours")

    suite.gateways.script("eversend", Operation.LOOK_UP, defect)
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    payments = [await create_of(suite, number) for number in range(SOME)]
    with capture_logs() as logs:
        async with working(suite.process()) as worker:
            for payment in payments:
                await paid(suite, payment)

            async def all_but_one() -> bool:
                found = [(await suite.payment(each.id)).status for each in payments]
                return found.count(PaymentStatus.COMPLETED) == SOME - 1

            await becomes_true(all_but_one)
            suite.clock.advance(LEASE_SECONDS)
            worker.wake_for_events()
            for payment in payments:
                await becomes(suite, payment, PaymentStatus.COMPLETED)
            await all_handled(suite)
    failed = [line for line in logs if line["event"] == "work_failed"]
    assert [(line["queue"], line["log_level"]) for line in failed] == [("gateway_event", "error")]


async def test_what_a_worker_finds_after_its_lease_went_to_another_is_dropped(
    suite: Suite,
) -> None:
    slow = Gate()
    payment = await suite.create()
    suite.gateways.script(
        "eversend",
        Operation.LOOK_UP,
        slow.before(reply(Answer.SUCCEEDED)),
        reply(Answer.PENDING),
    )
    suite.clock.advance(5)
    with capture_logs() as logs:
        async with working(suite.process(sender="worker-1")):
            await slow.reached()
            suite.clock.advance(LEASE_SECONDS)
            async with working(suite.process(sender="worker-2")):

                async def asked_by_the_other() -> bool:
                    return (await suite.newest_attempt(payment.id)).checks == 1

                await becomes_true(asked_by_the_other)
                found = await suite.payment(payment.id)
                history = await suite.history(payment.id)
                slow.open()
    assert [line["outcome"] for line in logs if line["event"] == "work"].count(
        "claimed_by_another"
    ) == 1
    assert await suite.payment(payment.id) == found
    assert await suite.history(payment.id) == history
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.check_next(payment.id)
    assert await suite.effects(payment.id) == ["tier_granted"]


async def test_a_gateway_that_hangs_does_not_delay_the_events_of_another(suite: Suite) -> None:
    hangs = Gate()
    suite.gateways.always(Operation.LOOK_UP, hangs.before(reply(Answer.SUCCEEDED)), "eversend")
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED), "flutterwave")
    slow = [await create_of(suite, number) for number in range(SOME)]
    suite.gateways.away.add("eversend")
    fast = await create_of(suite, SOME)
    async with working(suite.process()):
        for payment in slow:
            await paid(suite, payment)
        await hangs.reached()
        await paid(suite, fast)
        await becomes(suite, fast, PaymentStatus.COMPLETED)
        assert (await suite.payment(slow[0].id)).status is PaymentStatus.PROCESSING
        hangs.open()
        for payment in slow:
            await becomes(suite, payment, PaymentStatus.COMPLETED)


async def test_a_backlog_larger_than_the_worker_takes_at_once_is_worked_off(suite: Suite) -> None:
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    payments = [await create_of(suite, number) for number in range(40)]
    for payment in payments:
        await paid(suite, payment)
    async with working(suite.process()):
        for payment in payments:
            await becomes(suite, payment, PaymentStatus.COMPLETED)
    claims = await suite.witness.rows("SELECT lease_token FROM webhook_events")
    assert {row["lease_token"] for row in claims} == {1}


async def test_the_worker_recovers_when_the_database_was_away(
    suite: Suite, emptied: Database
) -> None:
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    payment = await suite.create()
    async with cutting_proxy(emptied.app_url) as proxy:
        engine = open_engine(DatabaseOptions(url=proxy.url))
        with capture_logs() as logs:
            async with working(suite.process(storage=PostgresStorage(engine))) as worker:
                await proxy.stop()
                await paid(suite, payment)

                async def noticed() -> bool:
                    return "claim_failed" in [line["event"] for line in logs]

                await becomes_true(noticed)
                await proxy.start()
                worker.wake_for_events()
                await becomes(suite, payment, PaymentStatus.COMPLETED)
        await engine.dispose()


async def test_a_worker_that_is_stopped_finishes_what_it_began_and_begins_nothing_else(
    suite: Suite,
) -> None:
    gate = Gate()
    suite.gateways.always(Operation.LOOK_UP, gate.before(reply(Answer.SUCCEEDED)))
    begun, other = await create_of(suite, 1), await create_of(suite, 2)
    process = suite.process()
    worker = Worker(process.deps)
    suite.wakeups.on_event = worker.wake_for_events
    running = asyncio.create_task(worker.run())
    await paid(suite, begun)
    await gate.reached()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await paid(suite, other)
    gate.open()
    await process.deps.tasks.drain(PATIENCE_SECONDS)
    assert (await suite.payment(begun.id)).status is PaymentStatus.COMPLETED
    assert (await suite.payment(other.id)).status is PaymentStatus.PROCESSING
    assert await suite.handle_events() == 1


async def test_many_callbacks_of_a_gateway_that_hangs_do_not_delay_those_of_another(
    suite: Suite,
) -> None:
    hangs = Gate()
    suite.gateways.always(Operation.LOOK_UP, hangs.before(reply(Answer.SUCCEEDED)), "eversend")
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED), "flutterwave")
    slow = [await create_of(suite, number) for number in range(40)]
    suite.gateways.away.add("eversend")
    fast = await create_of(suite, 40)
    async with working(suite.process()):
        for payment in slow:
            await paid(suite, payment)
        await hangs.reached()
        await paid(suite, fast)
        await becomes(suite, fast, PaymentStatus.COMPLETED)
        hangs.open()
        for payment in slow:
            await becomes(suite, payment, PaymentStatus.COMPLETED)
