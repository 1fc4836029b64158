"""Callbacks that outrun our bookkeeping: they are handled while the creation is in flight."""

import asyncio

import pytest

from kit.money import Money
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.idempotency import encode_answer
from tests.operations.fakes import Call, Gate, Operation, Step, meanwhile, reply
from tests.operations.suite import Suite, by_card, by_phone

LATE_REPLIES = [
    reply(Answer.REQUIRES_ACTION),
    reply(Answer.SUCCEEDED),
    reply(Answer.FAILED),
    reply(Answer.NOT_CREATED),
    reply(Answer.UNKNOWN),
]
LATE_NAMES = ["requires_action", "succeeded", "failed", "not_created", "unknown"]
ONE_UNIT_OF_WORK = """
SELECT xmin::text FROM creators_membership UNION SELECT xmin::text FROM payment_attempts
UNION SELECT xmin::text FROM memberships UNION SELECT xmin::text FROM outbox
UNION SELECT xmin::text FROM payment_audit_log WHERE kind IN ('move', 'effect')
"""


def called_back(suite: Suite, found: Step, then: Step) -> Step:
    """Have the gateway call back, and the callback handled, before the creation is answered."""

    async def handle(_call: Call) -> None:
        (payment_id,) = [
            row["id"] for row in await suite.witness.rows("SELECT id FROM creators_membership")
        ]
        suite.gateways.script("eversend", Operation.LOOK_UP, found)
        await suite.deliver(await suite.newest_attempt(payment_id))
        assert await suite.handle_events() == 1

    return meanwhile(handle, then)


async def create(suite: Suite, command: CreatePaymentCommand, found: Step, then: Step) -> Payment:
    suite.gateways.script("eversend", Operation.CREATE, called_back(suite, found, then))
    return await suite.create(command)


@pytest.mark.parametrize("late", LATE_REPLIES, ids=LATE_NAMES)
@pytest.mark.parametrize("command", [by_card(), by_phone()], ids=["hosted", "prompt"])
async def test_a_payment_that_is_paid_before_its_creation_is_answered_completes(
    suite: Suite, command: CreatePaymentCommand, late: Step
) -> None:
    payment = await create(suite, command, reply(Answer.SUCCEEDED), late)
    assert payment.status is PaymentStatus.COMPLETED
    assert payment.next_action == NO_ACTION
    assert payment == await suite.payment(payment.id)
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert attempt.link == ""
    assert attempt.failure is None
    assert await suite.moves(payment.id) == ["processing", "completed"]
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_everything_that_the_early_money_causes_is_one_unit_of_work(suite: Suite) -> None:
    await create(suite, by_card(), reply(Answer.SUCCEEDED), reply(Answer.REQUIRES_ACTION))
    assert len(await suite.witness.rows(ONE_UNIT_OF_WORK)) == 1


async def test_the_key_answers_with_the_completed_payment_from_then_on(suite: Suite) -> None:
    payment = await create(suite, by_card(), reply(Answer.SUCCEEDED), reply(Answer.REQUIRES_ACTION))
    again = await suite.create()
    assert again.status is PaymentStatus.COMPLETED
    assert encode_answer(again) == encode_answer(payment)


async def test_a_callback_about_nothing_new_leaves_the_link_to_the_waiting_creation(
    suite: Suite,
) -> None:
    late = reply(Answer.REQUIRES_ACTION)
    payment = await create(suite, by_card(), reply(Answer.PENDING), late)
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.LIVE
    assert payment.next_action.kind is ActionKind.REDIRECT
    assert payment.next_action.value == attempt.link != ""


async def test_a_prompt_that_is_found_waiting_is_live_whatever_its_creation_answers_later(
    suite: Suite,
) -> None:
    payment = await create(suite, by_phone(), reply(Answer.PENDING), reply(Answer.UNKNOWN))
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is AttemptOutcome.LIVE
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.next_action.kind is ActionKind.PHONE_PROMPT


@pytest.mark.parametrize("command", [by_card(), by_phone()], ids=["hosted", "prompt"])
async def test_a_link_that_arrives_after_the_failure_is_not_delivered(
    suite: Suite, command: CreatePaymentCommand
) -> None:
    payment = await create(suite, command, reply(Answer.FAILED), reply(Answer.REQUIRES_ACTION))
    (attempt,) = await suite.attempts(payment.id)
    assert (payment.status, payment.next_action) == (PaymentStatus.FAILED, NO_ACTION)
    assert (attempt.outcome, attempt.link) == (AttemptOutcome.REJECTED, "")
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_a_link_that_is_delivered_while_its_failure_is_found_is_closed_before_it_fails(
    suite: Suite,
) -> None:
    looking_up, creating = Gate(), Gate()
    created, failed = reply(Answer.REQUIRES_ACTION), reply(Answer.FAILED)
    suite.gateways.script("eversend", Operation.CREATE, creating.before(created))
    suite.gateways.script("eversend", Operation.LOOK_UP, looking_up.before(failed), failed, failed)
    creation = asyncio.create_task(suite.create())
    await creating.reached()
    (row,) = await suite.witness.rows("SELECT id FROM creators_membership")
    await suite.deliver(await suite.newest_attempt(row["id"]))
    handling = asyncio.create_task(suite.handle_events())
    await looking_up.reached()
    creating.open()
    delivered = await creation
    assert delivered.next_action.kind is ActionKind.REDIRECT
    looking_up.open()
    await handling
    assert (await suite.payment(delivered.id)).status is PaymentStatus.PROCESSING
    await suite.check_next(delivered.id)
    assert (await suite.payment(delivered.id)).status is PaymentStatus.FAILED
    assert len(suite.gateways.made(Operation.CANCEL)) == 1


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_FOUND])
async def test_a_callback_whose_gateway_knows_nothing_changes_nothing(
    suite: Suite, answer: Answer
) -> None:
    payment = await create(suite, by_card(), reply(answer), reply(Answer.REQUIRES_ACTION))
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.next_action.kind is ActionKind.REDIRECT
    assert await suite.effects(payment.id) == []


@pytest.mark.parametrize("late", LATE_REPLIES, ids=LATE_NAMES)
@pytest.mark.parametrize("command", [by_card(), by_phone()], ids=["hosted", "prompt"])
async def test_nothing_else_starts_once_money_that_does_not_fit_was_found(
    suite: Suite, command: CreatePaymentCommand, late: Step
) -> None:
    found = reply(Answer.SUCCEEDED, amount=Money("UGX", 34_999))
    payment = await create(suite, command, found, late)
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.review_reason is not None
    assert payment.next_action == NO_ACTION
    assert await suite.effects(payment.id) == ["held_for_review"]
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert payment == await suite.payment(payment.id)
