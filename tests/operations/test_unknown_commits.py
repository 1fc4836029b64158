"""An error on commit does not mean "not committed": nothing is charged twice, nothing is lost."""

import asyncio

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.errors import CommitUnknownError
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.idempotency import encode_answer
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Operation, link_of, reply
from tests.operations.suite import LEASE_SECONDS, Suite, by_card, by_phone, refusal

# The units of work of a creation: the key is looked for, the intent, then each attempt's outcome.
INTENT, OUTCOME, SECOND_OUTCOME = 2, 3, 4
TAKEOVER_SECONDS = 30
STORED_OR_LOST = pytest.mark.parametrize("stored", [True, False], ids=["stored", "lost"])


def breaking(suite: Suite, *units: int, stored: bool) -> Suite:
    """Return a process whose commits break, by their number."""
    faults = {unit: Fault(stored=stored) for unit in units}
    return suite.process(storage=BreakingStorage(suite.deps.storage, faults))


async def until_answered(process: Suite, command: CreatePaymentCommand) -> Payment:
    """Come again with the same key, as a caller does, while the worker does its part."""
    for _ in range(5):
        (outcome,) = await asyncio.gather(process.create(command), return_exceptions=True)
        assert refusal(outcome) in ("", "STORAGE_UNAVAILABLE", "REQUEST_IN_PROGRESS")
        if isinstance(outcome, Payment) and outcome.status is not PaymentStatus.PENDING:
            return outcome
        process.clock.advance(TAKEOVER_SECONDS)
        await process.check_attempts()
    raise AssertionError("the key was never answered")


async def is_bought_once(suite: Suite, payment: Payment) -> None:
    """Let the money of the newest attempt arrive: it completes the one payment that there is."""
    seen = await suite.witness.look()
    assert len(seen.payments) == 1
    newest = await suite.newest_attempt(payment.id)
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(newest)
    await suite.handle_events()
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]


@STORED_OR_LOST
@pytest.mark.parametrize("first", [Answer.REQUIRES_ACTION, Answer.NOT_SENT, Answer.UNKNOWN])
@pytest.mark.parametrize("unit", [INTENT, OUTCOME, SECOND_OUTCOME])
@pytest.mark.parametrize("command", [by_card(), by_phone()], ids=["hosted", "prompt"])
async def test_wherever_a_commit_breaks_the_member_can_pay_once(
    suite: Suite, command: CreatePaymentCommand, unit: int, first: Answer, *, stored: bool
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(first))
    payment = await until_answered(breaking(suite, unit, stored=stored), command)
    attempts = await suite.attempts(payment.id)
    assert [each.unsettled for each in attempts].count(True) == 1
    references = [call.reference for call in suite.gateways.made(Operation.CREATE)]
    assert references == [each.reference for each in attempts]
    again = await suite.create(command)
    assert encode_answer(again) == encode_answer(payment)
    await is_bought_once(suite, payment)


async def test_an_intent_that_was_stored_is_sent_as_if_nothing_had_happened(suite: Suite) -> None:
    payment = await breaking(suite, INTENT, stored=True).create()
    assert payment.next_action.kind is ActionKind.REDIRECT
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_an_intent_that_was_lost_is_not_sent(suite: Suite) -> None:
    with pytest.raises(CommitUnknownError):
        await breaking(suite, INTENT, stored=False).create()
    assert suite.gateways.calls == []
    seen = await suite.witness.look()
    assert (seen.payments, seen.attempts, seen.keys) == ((), (), 0)


@STORED_OR_LOST
async def test_an_outcome_is_recorded_whether_its_first_commit_was_or_not(
    suite: Suite, *, stored: bool
) -> None:
    payment = await breaking(suite, OUTCOME, stored=stored).create()
    (attempt,) = await suite.attempts(payment.id)
    assert payment.next_action.value == link_of("eversend", attempt.reference)
    assert payment == await suite.payment(payment.id)
    history = [entry.action for entry in await suite.history(payment.id)]
    assert history.count("attempt_live") == history.count("payment_processing") == 1


@STORED_OR_LOST
async def test_the_next_gateway_is_called_at_once_whether_the_first_commit_was_there_or_not(
    suite: Suite, *, stored: bool
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.NOT_SENT))
    payment = await breaking(suite, OUTCOME, stored=stored).create()
    attempts = await suite.attempts(payment.id)
    assert [(each.gateway, str(each.outcome)) for each in attempts] == [
        ("eversend", "undelivered"),
        ("flutterwave", "live"),
    ]
    assert payment.next_action.value == attempts[1].link


async def test_an_outcome_that_cannot_be_recorded_at_all_is_taken_over(suite: Suite) -> None:
    with pytest.raises(CommitUnknownError):
        await breaking(suite, OUTCOME, OUTCOME + 1, stored=False).create()
    suite.clock.advance(TAKEOVER_SECONDS)
    assert await suite.check_attempts() == 1
    payment = await suite.create()
    lost, delivered = await suite.attempts(payment.id)
    assert (lost.outcome, lost.link) == (AttemptOutcome.UNDELIVERED, "")
    assert payment.next_action.value == delivered.link
    await is_bought_once(suite, payment)


@STORED_OR_LOST
async def test_a_second_tab_whose_commit_breaks_charges_nothing(
    suite: Suite, *, stored: bool
) -> None:
    payment = await suite.create()
    second_tab = by_card(idempotency_key="tab-2")
    process = breaking(suite, INTENT, stored=stored)
    (outcome,) = await asyncio.gather(process.create(second_tab), return_exceptions=True)
    assert isinstance(outcome, CommitUnknownError) or outcome == payment
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert await suite.create(second_tab) == payment
    await is_bought_once(suite, payment)


@STORED_OR_LOST
async def test_money_is_granted_once_though_the_commit_of_its_grant_broke(
    suite: Suite, *, stored: bool
) -> None:
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    event_id = await suite.deliver(await suite.newest_attempt(payment.id))
    with pytest.raises(CommitUnknownError):
        # The event is claimed, its attempt found, and then what the gateway said is applied.
        await breaking(suite, 3, stored=stored).handle_events()
    assert (await suite.event_row(event_id))["status"] == "received"
    suite.clock.advance(LEASE_SECONDS)
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "processed"
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert await suite.facts(payment.id) == ["payment.completed"]


@STORED_OR_LOST
async def test_a_cancellation_whose_commit_broke_can_be_repeated(
    suite: Suite, *, stored: bool
) -> None:
    payment = await suite.create()
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.NOT_FOUND))
    # The payment is read, its key is looked for, its attempts are read, the check is applied.
    process = breaking(suite, 5, stored=stored)
    with pytest.raises(CommitUnknownError):
        await process.cancel(payment)
    cancelled = await suite.cancel(payment)
    assert cancelled.status is PaymentStatus.CANCELLED
    assert encode_answer(await suite.cancel(payment)) == encode_answer(cancelled)
    assert await suite.moves(payment.id) == ["processing", "cancelled"]
    assert await suite.facts(payment.id) == ["payment.cancelled"]
