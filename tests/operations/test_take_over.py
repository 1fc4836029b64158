"""Attempts whose process stopped, or only seemed to: one charge can be paid on, never two."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from kit.errors import ServiceError
from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.take_over_attempt import release_interrupted
from services.payments.ports import Routing
from services.payments.router import Router
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Gate, Operation, link_of, reply
from tests.operations.suite import LEASE_SECONDS, Suite, by_card, by_phone
from tests.unit.described_gateways import DescribedGateways

TAKEOVER_SECONDS = 30


async def stopped_while_sending(suite: Suite, command: CreatePaymentCommand) -> None:
    """Have the server die after the charge left and before its reply came."""
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    creation = asyncio.create_task(suite.create(command))
    await gate.reached()
    await suite.die()
    with pytest.raises(asyncio.CancelledError):
        await creation


async def stopped_before_sending(suite: Suite, command: CreatePaymentCommand) -> None:
    """Have the server die after the intent was committed and before the charge left."""
    storage = BreakingStorage(suite.deps.storage, {2: Fault(error=asyncio.CancelledError)})
    with pytest.raises(asyncio.CancelledError):
        await suite.process(storage=storage).create(command)
    assert suite.gateways.calls == []


Stop = Callable[[Suite, CreatePaymentCommand], Awaitable[None]]
STOPS = pytest.mark.parametrize("stop", [stopped_while_sending, stopped_before_sending])


async def only_payment(suite: Suite) -> Payment:
    (row,) = await suite.witness.rows("SELECT id FROM creators_membership")
    return await suite.payment(row["id"])


def outcomes(attempts: Sequence[Attempt]) -> list[tuple[str, str]]:
    return [(each.gateway, str(each.outcome)) for each in attempts]


async def restart(suite: Suite) -> Suite:
    """Start the server again: it hands over what its earlier run left in the air."""
    again = suite.process()
    suite.clock.advance(1)
    await release_interrupted(again.deps, suite.clock.now())
    return again


@STOPS
async def test_a_page_that_nobody_saw_is_replaced_as_soon_as_its_server_is_back(
    suite: Suite, stop: Stop
) -> None:
    await stop(suite, by_card())
    left = len(suite.gateways.calls)
    await restart(suite)
    assert suite.wakeups.sent[-1] == "attempt_due"
    worker = suite.process(sender="worker")
    assert await worker.check_attempts() == 1
    payment = await only_payment(suite)
    attempts = await suite.attempts(payment.id)
    assert outcomes(attempts) == [("eversend", "undelivered"), ("eversend", "live")]
    assert attempts[0].failure is not None
    assert attempts[0].failure.code == "interrupted"
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.next_action.value == link_of("eversend", attempts[1].reference)
    assert attempts[0].reference != attempts[1].reference
    assert len(suite.gateways.calls) == left + 1


@STOPS
async def test_a_prompt_that_may_be_on_the_phone_is_looked_up_and_never_sent_again(
    suite: Suite, stop: Stop
) -> None:
    await stop(suite, by_phone())
    left = len(suite.gateways.made(Operation.CREATE))
    await restart(suite)
    await suite.check_attempts()
    payment = await only_payment(suite)
    assert outcomes(await suite.attempts(payment.id)) == [("eversend", "unknown")]
    assert (payment.status, payment.next_action) == (PaymentStatus.PROCESSING, NO_ACTION)
    suite.gateways.script(
        "eversend", Operation.LOOK_UP, reply(Answer.NOT_FOUND), reply(Answer.PENDING)
    )
    await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).next_action == NO_ACTION
    await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).next_action.kind is ActionKind.PHONE_PROMPT
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert len(suite.gateways.made(Operation.CREATE)) == left


async def test_without_its_server_an_attempt_is_taken_over_after_the_take_over_time(
    suite: Suite,
) -> None:
    await stopped_while_sending(suite, by_card())
    suite.clock.advance(TAKEOVER_SECONDS - 0.001)
    assert await suite.check_attempts() == 0
    suite.clock.advance(0.001)
    assert await suite.check_attempts() == 1
    payment = await only_payment(suite)
    assert payment.next_action.kind is ActionKind.REDIRECT


async def test_a_server_that_starts_leaves_alone_what_others_are_sending(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    creation = asyncio.create_task(suite.create())
    await gate.reached()
    suite.clock.advance(1)
    sent = len(suite.wakeups.sent)
    other = suite.process(sender="another server")
    await release_interrupted(other.deps, suite.clock.now())
    assert await other.check_attempts() == 0
    assert len(suite.wakeups.sent) == sent
    gate.open()
    assert (await creation).next_action.kind is ActionKind.REDIRECT


LATE = [
    Answer.REQUIRES_ACTION,
    Answer.SUCCEEDED,
    Answer.PENDING,
    Answer.FAILED,
    Answer.NOT_SENT,
    Answer.NOT_CREATED,
    Answer.UNKNOWN,
]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("command", [by_card(), by_phone()], ids=["hosted", "prompt"])
async def test_a_slow_reply_after_the_take_over_changes_nothing(
    suite: Suite, command: CreatePaymentCommand, late: Answer
) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(late)))
    slow = asyncio.create_task(suite.create(command))
    await gate.reached()
    suite.clock.advance(TAKEOVER_SECONDS)
    worker = suite.process(sender="worker")
    assert await worker.check_attempts() == 1
    payment = await only_payment(suite)
    attempts = await suite.attempts(payment.id)
    gate.open()
    answered = await slow
    assert await suite.attempts(payment.id) == attempts
    assert await suite.payment(payment.id) == payment
    assert answered == payment
    assert answered.next_action.value != link_of("eversend", attempts[0].reference)
    assert await suite.create(command) == payment
    live = [each for each in attempts if each.outcome is AttemptOutcome.LIVE]
    assert len(live) == (command == by_card())


async def test_a_slow_request_gets_the_answer_that_its_key_was_given_meanwhile(
    suite: Suite,
) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    slow = asyncio.create_task(suite.create())
    await gate.reached()
    suite.clock.advance(TAKEOVER_SECONDS)
    await suite.process(sender="worker").check_attempts()
    answer = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.check_next(answer.id)
    assert (await suite.payment(answer.id)).status is PaymentStatus.COMPLETED
    gate.open()
    assert encode_answer(await slow) == encode_answer(answer)
    assert encode_answer(await suite.create()) == encode_answer(answer)


async def test_a_slow_reply_while_its_replacement_is_on_its_way_delivers_no_link(
    suite: Suite,
) -> None:
    slow, fresh = Gate(), Gate()
    created = reply(Answer.REQUIRES_ACTION)
    suite.gateways.script("eversend", Operation.CREATE, slow.before(created), fresh.before(created))
    creation = asyncio.create_task(suite.create())
    await slow.reached()
    suite.clock.advance(TAKEOVER_SECONDS)
    taking_over = asyncio.create_task(suite.process(sender="worker").check_attempts())
    await fresh.reached()
    slow.open()
    assert (await creation).next_action == NO_ACTION
    fresh.open()
    await taking_over
    payment = await only_payment(suite)
    replaced, replacement = await suite.attempts(payment.id)
    assert (replaced.outcome, replaced.link) == (AttemptOutcome.UNDELIVERED, "")
    assert payment.next_action.value == replacement.link
    assert await suite.create() == payment


async def test_never_more_than_one_attempt_can_take_money_at_any_call(suite: Suite) -> None:
    await stopped_while_sending(suite, by_card())
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.NOT_SENT))
    suite.gateways.script("flutterwave", Operation.CREATE, reply(Answer.UNKNOWN))
    suite.clock.advance(TAKEOVER_SECONDS)
    await suite.process(sender="worker").check_attempts()
    assert len(suite.gateways.made(Operation.CREATE)) == 4
    for call in suite.gateways.calls:
        unsettled = [
            reference
            for reference, _, outcome in call.seen.attempts
            if outcome in ("sending", "live", "unknown")
        ]
        assert unsettled == [call.reference]


async def test_a_process_that_dies_again_and_again_does_not_create_charges_for_ever(
    suite: Suite,
) -> None:
    await stopped_while_sending(suite, by_card())
    for _ in range(6):
        gate, worker = Gate(), suite.process(sender="worker")
        suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.UNKNOWN)))
        suite.clock.advance(TAKEOVER_SECONDS)
        work = asyncio.create_task(worker.check_attempts())
        reached = asyncio.create_task(gate.reached())
        await asyncio.wait([work, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        await worker.die()
        await asyncio.gather(work, reached, return_exceptions=True)
    assert len(suite.gateways.made(Operation.CREATE)) == 4
    payment = await only_payment(suite)
    assert payment.status is PaymentStatus.FAILED
    assert payment.failure is not None
    assert payment.failure.code == "interrupted"


async def test_a_take_over_that_finds_no_gateway_is_tried_again_when_its_lease_lapses(
    suite: Suite,
) -> None:
    await stopped_while_sending(suite, by_card())
    suite.clock.advance(TAKEOVER_SECONDS)
    suite.gateways.away |= {"eversend", "flutterwave"}
    with pytest.raises(ServiceError) as away:
        await suite.check_attempts()
    assert away.value.reason == "GATEWAYS_UNAVAILABLE"
    suite.gateways.away.clear()
    assert await suite.check_attempts() == 0
    suite.clock.advance(LEASE_SECONDS)
    assert await suite.check_attempts() == 1
    assert (await only_payment(suite)).next_action.kind is ActionKind.REDIRECT


@pytest.mark.parametrize(
    ("command", "status", "outcome"),
    [
        (by_card(), PaymentStatus.FAILED, AttemptOutcome.UNDELIVERED),
        (by_phone(), PaymentStatus.PROCESSING, AttemptOutcome.UNKNOWN),
    ],
    ids=["hosted", "prompt"],
)
async def test_a_take_over_of_what_nobody_offers_any_more_is_decided_all_the_same(
    suite: Suite, command: CreatePaymentCommand, status: PaymentStatus, outcome: AttemptOutcome
) -> None:
    await stopped_while_sending(suite, command)
    suite.clock.advance(TAKEOVER_SECONDS)
    nothing_offered = DescribedGateways(capabilities={"eversend": (), "flutterwave": ()})
    worker = suite.process(router=Router(nothing_offered, Routing()))
    assert await worker.check_attempts() == 1
    payment = await only_payment(suite)
    (attempt,) = await suite.attempts(payment.id)
    assert (payment.status, attempt.outcome) == (status, outcome)


async def test_a_caller_that_hangs_up_does_not_stop_its_payment(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    creation = asyncio.create_task(suite.create())
    await gate.reached()
    creation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creation
    gate.open()
    await suite.deps.tasks.drain(10)
    assert (await suite.create()).next_action.kind is ActionKind.REDIRECT
    assert len(suite.gateways.made(Operation.CREATE)) == 1
