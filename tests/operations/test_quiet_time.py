"""Unknown prompts: "not found" becomes proof only late, and late money still counts."""

import asyncio
from datetime import timedelta

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.verify_payment import verify_payment
from tests.operations.fakes import Gate, Operation, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    arrived,
    bought,
    look_up,
    money_goes_back,
    paid,
    refused,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, by_phone

QUIET = timedelta(minutes=15)


async def unknown_prompt(suite: Suite) -> Payment:
    """Let the reply to a prompt be lost, and the gateway not know it whenever it is asked."""
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create(by_phone())
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.UNKNOWN
    return payment


async def given_up(suite: Suite) -> Payment:
    payment = await unknown_prompt(suite)
    while (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        await suite.check_next(payment.id)
    return await suite.payment(payment.id)


async def test_not_found_proves_nothing_before_the_quiet_time_is_over(suite: Suite) -> None:
    payment = await unknown_prompt(suite)
    sent_at = suite.clock.now()
    while suite.clock.now() - sent_at < QUIET - timedelta(seconds=61):
        suite.clock.advance(61)
        await look_up(suite, await suite.newest_attempt(payment.id), NOBODY_PAYS)
        assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(payment.id)).absence.count > 3
    suite.clock.advance(61)
    after = await look_up(suite, await suite.newest_attempt(payment.id), NOBODY_PAYS)
    assert after.failure is not None
    assert (after.status, after.failure.code) == (PaymentStatus.FAILED, "never_confirmed")
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.UNDELIVERED


async def test_after_the_quiet_time_three_looks_that_are_well_apart_are_needed(
    suite: Suite,
) -> None:
    payment = await unknown_prompt(suite)
    suite.clock.advance(2 * QUIET.total_seconds())
    attempt = await suite.newest_attempt(payment.id)
    for _ in range(5):
        suite.clock.advance(11)
        await look_up(suite, attempt, NOBODY_PAYS)
    assert (await suite.newest_attempt(payment.id)).absence.count == 1
    for status in (PaymentStatus.PROCESSING, PaymentStatus.FAILED):
        suite.clock.advance(60)
        assert (await look_up(suite, attempt, NOBODY_PAYS)).status is status


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED])
async def test_no_answer_is_not_a_not_found(suite: Suite, answer: Answer) -> None:
    payment = await unknown_prompt(suite)
    suite.gateways.always(Operation.LOOK_UP, reply(answer))
    for _ in range(25):
        await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(payment.id)).absence.count == 0


async def test_one_that_was_on_the_phone_is_never_given_up_for_lost(suite: Suite) -> None:
    payment = await unknown_prompt(suite)
    attempt = await suite.newest_attempt(payment.id)
    await look_up(suite, attempt, reply(Answer.PENDING))
    for _ in range(25):
        await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.LIVE


async def test_members_who_ask_again_and_again_do_not_shorten_the_quiet_time(
    suite: Suite,
) -> None:
    payment = await unknown_prompt(suite)
    sent_at = suite.clock.now()
    while (found := await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        suite.clock.advance(25)
        await verify_payment(suite.deps, found)
    assert suite.clock.now() - sent_at >= QUIET


async def test_nothing_else_starts_before_the_proof(suite: Suite) -> None:
    payment = await unknown_prompt(suite)
    while (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        assert await refused(suite.retry(payment)) == "ATTEMPT_NOT_CLOSED"
        assert await refused(suite.cancel(payment)) == "ATTEMPT_NOT_CLOSED"
        other = suite.create(by_card(idempotency_key="key-2"))
        assert await refused(other) == "PAYMENT_ALREADY_OPEN"
        await suite.check_next(payment.id)
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert (await suite.retry(payment)).next_action.kind is ActionKind.PHONE_PROMPT


async def test_money_that_turns_up_afterwards_completes_what_is_not_bought_yet(
    suite: Suite,
) -> None:
    payment = await given_up(suite)
    assert (await suite.newest_attempt(payment.id)).next_check_at is not None
    suite.gateways.always(Operation.LOOK_UP, paid())
    await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await uses(suite, payment) == ["kept"]


async def test_money_that_turns_up_after_a_new_attempt_was_paid_goes_back(suite: Suite) -> None:
    payment = await given_up(suite)
    await suite.retry(payment)
    old, new = await suite.attempts(payment.id)
    await look_up(suite, new, paid())
    await look_up(suite, old, paid())
    await money_goes_back(suite)
    assert await uses(suite, payment) == ["kept", "surplus"]
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")]


async def test_money_that_turns_up_after_another_payment_bought_the_same_goes_back(
    suite: Suite,
) -> None:
    payment = await given_up(suite)
    await bought(suite, by_card(idempotency_key="key-2"))
    late = await arrived(suite, payment)
    await money_goes_back(suite)
    assert late.status is PaymentStatus.FAILED
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")]


async def test_a_prompt_that_turns_up_is_on_the_phone_again_only_in_the_history(
    suite: Suite,
) -> None:
    payment = await given_up(suite)
    after = await look_up(suite, await suite.newest_attempt(payment.id), reply(Answer.PENDING))
    assert (after.status, after.next_action.kind) == (PaymentStatus.FAILED, ActionKind.NONE)
    assert (await suite.newest_attempt(payment.id)).next_check_at is not None


async def test_a_look_that_began_before_the_money_came_does_not_give_it_up(suite: Suite) -> None:
    payment = await unknown_prompt(suite)
    attempt = await suite.newest_attempt(payment.id)
    suite.clock.advance(QUIET.total_seconds())
    await look_up(suite, attempt, NOBODY_PAYS)
    suite.clock.advance(60)
    await look_up(suite, attempt, NOBODY_PAYS)
    suite.clock.advance(60)
    gate = Gate()
    suite.gateways.script("eversend", Operation.LOOK_UP, gate.before(NOBODY_PAYS))
    slow = asyncio.create_task(check_attempt(suite.deps, attempt))
    await gate.reached()
    assert (await look_up(suite, attempt, paid())).status is PaymentStatus.COMPLETED
    gate.open()
    await slow
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.SUCCEEDED
