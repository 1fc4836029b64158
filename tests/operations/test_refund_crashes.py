"""Workers that die or lose their lease while money goes back: it is never sent twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import Answer
from services.payments.domain.refunds import RefundStatus
from services.payments.operations.send_refund import work_on_refund
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Gate, Operation, refund_reply
from tests.operations.refund_steps import (
    ACCEPTED,
    DONE,
    FAILED,
    all_sent_once,
    creations,
    read,
)
from tests.operations.stories import bought, money_goes_back
from tests.operations.suite import LEASE_SECONDS, Suite


async def dies_when_claimed(suite: Suite) -> None:
    assert len(await suite.due_refunds()) == 1
    suite.clock.advance(LEASE_SECONDS)


async def dies_when_recorded(suite: Suite) -> None:
    """Die after SENDING was committed, before the first byte left."""
    (claimed,) = await suite.due_refunds()
    storage = BreakingStorage(suite.deps.storage, {1: Fault(error=asyncio.CancelledError)})
    with pytest.raises(asyncio.CancelledError):
        await work_on_refund(suite.process(storage=storage).deps, claimed)
    assert creations(suite) == []
    suite.clock.advance(LEASE_SECONDS)


async def dies_during_the_call(suite: Suite) -> None:
    gate, process = Gate(), suite.process()
    suite.gateways.script("eversend", Operation.REFUND, gate.before(DONE))
    working = asyncio.create_task(process.work_on_refunds())
    await gate.reached()
    await process.die()
    with pytest.raises(asyncio.CancelledError):
        await working
    suite.clock.advance(LEASE_SECONDS)


async def dies_before_recording(suite: Suite) -> None:
    """Die after the gateway's answer, before it was committed."""
    (claimed,) = await suite.due_refunds()
    fault = Fault(stored=False, error=asyncio.CancelledError)
    storage = BreakingStorage(suite.deps.storage, {2: fault})
    suite.gateways.script("eversend", Operation.REFUND, DONE)
    with pytest.raises(asyncio.CancelledError):
        await work_on_refund(suite.process(storage=storage).deps, claimed)
    suite.clock.advance(LEASE_SECONDS)


Death = Callable[[Suite], Awaitable[None]]
DEATHS = [dies_when_claimed, dies_when_recorded, dies_during_the_call, dies_before_recording]


@pytest.mark.parametrize("death", DEATHS)
async def test_wherever_the_worker_dies_the_money_goes_back_and_is_never_sent_twice(
    suite: Suite, death: Death
) -> None:
    refund = await suite.refund(await bought(suite))
    await death(suite)
    await suite.work_on_refunds()
    assert len(creations(suite)) <= 1
    await all_sent_once(suite, refund)
    assert len(creations(suite)) <= 1
    assert len(await suite.refund_attempts(refund.id)) == 1


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize("unit", [1, 2])
@pytest.mark.parametrize("answer", list(Answer))
async def test_wherever_a_commit_breaks_the_refund_is_sent_at_most_once(
    suite: Suite, answer: Answer, unit: int, *, is_stored: bool
) -> None:
    refund = await suite.refund(await bought(suite))
    (claimed,) = await suite.due_refunds()
    storage = BreakingStorage(suite.deps.storage, {unit: Fault(stored=is_stored)})
    suite.gateways.script("eversend", Operation.REFUND, refund_reply(answer))
    work = work_on_refund(suite.process(storage=storage).deps, claimed)
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    assert outcome is None or getattr(outcome, "reason", "") == "STORAGE_UNAVAILABLE"
    suite.clock.advance(LEASE_SECONDS)
    await suite.work_on_refunds()
    await money_goes_back(suite)
    left = creations(suite)
    may_be_sent_again = answer is Answer.NOT_SENT
    assert len(left) <= 1 or may_be_sent_again
    assert len(set(left)) <= 1
    assert len(await suite.refund_attempts(refund.id)) == 1


async def test_the_answer_of_a_worker_that_lost_its_lease_is_dropped(suite: Suite) -> None:
    refund = await suite.refund(await bought(suite))
    gate = Gate()
    suite.gateways.script("eversend", Operation.REFUND, gate.before(FAILED))
    slow = asyncio.create_task(suite.process().work_on_refunds())
    await gate.reached()
    suite.clock.advance(LEASE_SECONDS)
    suite.gateways.script("eversend", Operation.LOOK_UP_REFUND, ACCEPTED)
    assert await suite.work_on_refunds() == 1
    gate.open()
    with pytest.raises(StaleWriteError):
        await slow
    assert (await read(suite, refund)).status is RefundStatus.PROCESSING
    await all_sent_once(suite, refund)
    assert len(creations(suite)) == 1


async def test_two_workers_that_look_at_once_send_once(suite: Suite) -> None:
    refund = await suite.refund(await bought(suite))
    workers = [suite.process() for _ in range(6)]
    done = await asyncio.gather(*(worker.work_on_refunds() for worker in workers))
    assert sum(done) == 1
    assert len(creations(suite)) == 1
    assert (await read(suite, refund)).status is RefundStatus.PROCESSING
