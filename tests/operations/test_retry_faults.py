"""Trying again while processes die, commits break and others act: one attempt can be paid on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment, PaymentMethod
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.take_over_attempt import release_interrupted
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Call, Gate, Operation, meanwhile, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    arrived,
    failed,
    paid,
    refused,
    settle,
    stored,
    surplus_of,
    uses,
)
from tests.operations.suite import LEASE_SECONDS, Suite, by_card, refusal

TAKEOVER_SECONDS = 30
# The units of work of a retry: the payment is read, the key is looked for, the answer about the old
# attempt is recorded, then the intent, then its outcome.
KEY, ASKED_FIRST, INTENT, OUTCOME = 2, 3, 4, 5
BY_PHONE = {"payment_method": PaymentMethod.MOBILE_MONEY}
BY_CARD = {"payment_method": PaymentMethod.CARD}
WAYS = pytest.mark.parametrize("way", [BY_CARD, BY_PHONE], ids=["hosted", "prompt"])
Way = dict[str, PaymentMethod]


async def dies_while_sending(suite: Suite, payment: Payment, way: Way) -> None:
    """Have the process die after the new attempt left and before it was answered."""
    gate, process = Gate(), suite.process()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.PENDING)))
    retrying = asyncio.create_task(process.retry(payment, **way))
    await gate.reached()
    await process.die()
    with pytest.raises(asyncio.CancelledError):
        await retrying


async def dies_before_sending(suite: Suite, payment: Payment, way: Way) -> None:
    """Have the process die after the new attempt was committed and before it left."""
    before = len(suite.gateways.made(Operation.CREATE))
    storage = BreakingStorage(suite.deps.storage, {INTENT: Fault(error=asyncio.CancelledError)})
    with pytest.raises(asyncio.CancelledError):
        await suite.process(storage=storage).retry(payment, **way)
    assert len(await suite.attempts(payment.id)) == before + 1
    assert len(suite.gateways.made(Operation.CREATE)) == before


Stop = Callable[[Suite, Payment, Way], Awaitable[None]]
STOPS = pytest.mark.parametrize("stop", [dies_while_sending, dies_before_sending])


@STOPS
async def test_a_new_page_that_nobody_saw_is_replaced(suite: Suite, stop: Stop) -> None:
    payment = await failed(suite)
    await stop(suite, payment, BY_CARD)
    assert await refused(suite.retry(payment, **BY_CARD)) == "REQUEST_IN_PROGRESS"
    suite.clock.advance(TAKEOVER_SECONDS)
    await settle(suite)
    answer = await suite.retry(payment, **BY_CARD)
    assert answer.next_action.kind is ActionKind.REDIRECT
    _, interrupted, fresh = await suite.attempts(payment.id)
    assert (interrupted.outcome, fresh.outcome) == ("undelivered", "live")
    assert (interrupted.round, fresh.round) == (2, 2)
    assert answer.next_action.value == fresh.link
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


@STOPS
async def test_a_new_prompt_that_may_be_on_the_phone_is_looked_up_and_never_sent_again(
    suite: Suite, stop: Stop
) -> None:
    payment = await failed(suite)
    await stop(suite, payment, BY_PHONE)
    sent = len(suite.gateways.made(Operation.CREATE))
    suite.clock.advance(TAKEOVER_SECONDS)
    await settle(suite)
    answer = await suite.retry(payment, **BY_PHONE)
    assert (answer.status, answer.next_action.kind) == (PaymentStatus.PROCESSING, ActionKind.NONE)
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.UNKNOWN
    later = suite.retry(payment, key="retry-2", **BY_CARD)
    assert await refused(later) == "ATTEMPT_NOT_CLOSED"
    assert len(suite.gateways.made(Operation.CREATE)) == sent
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


async def test_a_restarted_server_goes_on_with_the_new_attempt_at_once(suite: Suite) -> None:
    payment = await failed(suite)
    await dies_while_sending(suite, payment, BY_CARD)
    again = suite.process()
    suite.clock.advance(1)
    await release_interrupted(again.deps, suite.clock.now())
    await settle(suite)
    assert (await suite.payment(payment.id)).next_action.kind is ActionKind.REDIRECT


async def until_answered(process: Suite, payment: Payment, way: Way) -> Payment:
    """Come again with the same key, as a caller does, while the worker does its part."""
    for _ in range(4):
        (outcome,) = await asyncio.gather(process.retry(payment, **way), return_exceptions=True)
        assert refusal(outcome) in ("", "STORAGE_UNAVAILABLE", "REQUEST_IN_PROGRESS")
        if isinstance(outcome, Payment):
            return outcome
        process.clock.advance(LEASE_SECONDS)
        await settle(process)
    raise AssertionError("the key was never answered")


@WAYS
@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize("unit", [KEY, ASKED_FIRST, INTENT, OUTCOME])
async def test_wherever_a_commit_breaks_one_new_attempt_can_be_paid(
    suite: Suite, way: Way, unit: int, *, is_stored: bool
) -> None:
    payment = await failed(suite)
    process = suite.process(
        storage=BreakingStorage(suite.deps.storage, {unit: Fault(stored=is_stored)})
    )
    answer = await until_answered(process, payment, way)
    assert encode_answer(await suite.retry(payment, **way)) == encode_answer(answer)
    attempts = await suite.attempts(payment.id)
    assert [each.unsettled for each in attempts].count(True) == 1
    references = [call.reference for call in suite.gateways.made(Operation.CREATE)]
    assert references == [each.reference for each in attempts]
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


async def test_at_every_call_at_most_one_attempt_of_the_payment_can_take_money(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.NOT_SENT))
    suite.gateways.script("flutterwave", Operation.CREATE, reply(Answer.UNKNOWN))
    await suite.retry(payment)
    await suite.retry(payment, key="retry-2", **BY_PHONE)
    created = suite.gateways.made(Operation.CREATE)
    assert len(created) == 5
    for call in created:
        unsettled = [
            reference
            for reference, _, outcome in call.seen.attempts
            if outcome in ("sending", "live", "unknown")
        ]
        assert unsettled == [call.reference]
        assert call.seen.open_transactions == 0


async def test_money_that_completes_while_the_new_attempt_leaves_wins_and_its_page_is_closed(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    (old,) = await suite.attempts(payment.id)

    async def late_money(_call: Call) -> None:
        suite.gateways.script("eversend", Operation.LOOK_UP, paid())
        await suite.deliver(old)
        await suite.handle_events()

    created = meanwhile(late_money, reply(Answer.REQUIRES_ACTION))
    suite.gateways.script("eversend", Operation.CREATE, created)
    answer = await suite.retry(payment)
    assert (answer.status, answer.next_action.kind) == (PaymentStatus.COMPLETED, ActionKind.NONE)
    suite.clock.advance(5)
    await settle(suite)
    new = await suite.newest_attempt(payment.id)
    assert new.outcome is AttemptOutcome.CANCELLED
    assert [call.reference for call in suite.gateways.made(Operation.CANCEL)][-1] == new.reference
    assert await uses(suite, payment) == ["kept"]
    assert await surplus_of(suite, payment) == []


async def test_a_payment_that_another_request_withdraws_meanwhile_gets_no_new_attempt(
    suite: Suite,
) -> None:
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)

    async def withdraw(_call: Call) -> None:
        await suite.cancel(payment)

    closed = meanwhile(withdraw, reply(Answer.SUCCEEDED))
    suite.gateways.script("eversend", Operation.CANCEL, closed)
    assert await refused(suite.retry(payment)) == "PAYMENT_NOT_RETRYABLE"
    assert (await suite.payment(payment.id)).status is PaymentStatus.CANCELLED
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_a_retry_that_began_meanwhile_is_not_withdrawn_with_the_old_page(
    suite: Suite,
) -> None:
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)

    async def retry(_call: Call) -> None:
        await suite.retry(payment)

    closed = meanwhile(retry, reply(Answer.SUCCEEDED))
    suite.gateways.script("eversend", Operation.CANCEL, closed)
    assert await refused(suite.cancel(payment)) == "REQUEST_IN_PROGRESS"
    outcomes = [each.outcome for each in await suite.attempts(payment.id)]
    assert outcomes == [AttemptOutcome.CANCELLED, AttemptOutcome.LIVE]
    assert (await suite.payment(payment.id)).next_action.kind is ActionKind.REDIRECT


async def test_a_retry_and_a_new_purchase_at_once_open_one_payment(suite: Suite) -> None:
    payment = await failed(suite)
    results = await asyncio.gather(
        suite.retry(payment),
        suite.create(by_card(idempotency_key="key-2")),
        return_exceptions=True,
    )
    assert "" in {refusal(each) for each in results}
    assert {refusal(each) for each in results} <= {
        "",
        "PAYMENT_ALREADY_OPEN",
        "REQUEST_IN_PROGRESS",
    }
    open_payments = "SELECT id FROM creators_membership WHERE status IN ('pending', 'processing')"
    assert len(await suite.witness.rows(open_payments)) == 1
    assert len(suite.gateways.made(Operation.CREATE)) == 2


async def test_the_worker_that_looks_up_the_old_page_meanwhile_does_not_end_the_new_attempt(
    suite: Suite,
) -> None:
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    slow = Gate()
    suite.clock.advance(5)
    declined = slow.before(reply(Answer.FAILED, failure_code="card_declined"))
    suite.gateways.script("eversend", Operation.LOOK_UP, declined)
    checking = asyncio.create_task(suite.check_attempts())
    await slow.reached()
    (outcome,) = await asyncio.gather(suite.retry(payment), return_exceptions=True)
    slow.open()
    await asyncio.gather(checking, return_exceptions=True)
    if refusal(outcome):
        outcome = await suite.retry(payment, key="retry-2")
    old, new = await suite.attempts(payment.id)
    assert not (await stored(suite, old)).unsettled
    assert new.outcome is AttemptOutcome.LIVE
    assert (await suite.payment(payment.id)).next_action.value == new.link
