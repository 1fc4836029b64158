"""How a delivered page ends: only once its closing is acknowledged and nobody was paying on it."""

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from tests.operations.fakes import Operation, Step, reply
from tests.operations.suite import Suite
from tests.operations.ways_of_asking import EVERY_WAY, Way, by_poll, declined, found, paid


@EVERY_WAY
@pytest.mark.parametrize("acknowledgement", Answer)
async def test_a_declined_page_fails_only_once_the_gateway_acknowledged_closing_it(
    suite: Suite, acknowledgement: Answer, ask: Way
) -> None:
    created = await suite.create()
    suite.gateways.script("eversend", Operation.CANCEL, reply(acknowledgement))
    payment = await declined(suite, created, ask)
    closed = acknowledgement is Answer.SUCCEEDED
    assert payment.status is (PaymentStatus.FAILED if closed else PaymentStatus.PROCESSING)
    assert (payment.next_action == created.next_action) is not closed
    (attempt,) = await suite.attempts(payment.id)
    assert attempt.outcome is (AttemptOutcome.REJECTED if closed else AttemptOutcome.LIVE)
    assert len(suite.gateways.made(Operation.CANCEL)) == 1


async def test_a_declined_page_that_could_not_be_closed_is_closed_at_the_next_check(
    suite: Suite,
) -> None:
    created = await suite.create()
    suite.gateways.script("eversend", Operation.CANCEL, reply(Answer.UNKNOWN))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.FAILED, failure_code="card_declined"))
    await by_poll(suite, created)
    assert (await suite.payment(created.id)).status is PaymentStatus.PROCESSING
    await by_poll(suite, created)
    payment = await suite.payment(created.id)
    assert payment.status is PaymentStatus.FAILED
    assert payment.failure is not None
    assert payment.failure.code == "card_declined"


@pytest.mark.parametrize(
    ("after_closing", "status"),
    [
        (reply(Answer.FAILED), PaymentStatus.FAILED),
        (reply(Answer.NOT_FOUND), PaymentStatus.FAILED),
        (reply(Answer.PENDING, failure_code="card_declined"), PaymentStatus.FAILED),
        (reply(Answer.PENDING), PaymentStatus.PROCESSING),
        (reply(Answer.REQUIRES_ACTION), PaymentStatus.PROCESSING),
        (reply(Answer.UNKNOWN), PaymentStatus.PROCESSING),
        (reply(Answer.NOT_SENT), PaymentStatus.PROCESSING),
        (reply(Answer.NOT_CREATED), PaymentStatus.PROCESSING),
        (paid(), PaymentStatus.COMPLETED),
    ],
    ids=[
        "still declined",
        "nobody pays",
        "the last try failed",
        "another try began",
        "another try waits",
        "no answer",
        "not asked",
        "not answered",
        "paid just before",
    ],
)
async def test_a_declined_page_is_asked_about_once_more_after_it_was_closed(
    suite: Suite, after_closing: Step, status: PaymentStatus
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.FAILED), after_closing)
    await by_poll(suite, payment)
    assert (await suite.payment(payment.id)).status is status
    asked = [call.operation for call in suite.gateways.calls]
    assert asked == ["create", "look_up", "cancel", "look_up"]


async def declined_and_lapsed(suite: Suite, *after_closing: Step) -> Payment:
    """Let a page lapse on which the last try had failed; then the gateway closes it."""
    lapses = suite.clock.now().replace(hour=16)
    suite.gateways.script(
        "eversend", Operation.CREATE, reply(Answer.REQUIRES_ACTION, expires_at=lapses)
    )
    payment = await suite.create()
    suite.clock.move_to(lapses)
    last_try_failed = reply(Answer.PENDING, failure_code="card_declined")
    suite.gateways.script("eversend", Operation.LOOK_UP, last_try_failed, *after_closing)
    await suite.check_attempts()
    return await suite.payment(payment.id)


@pytest.mark.parametrize(
    ("after_closing", "status"),
    [
        (reply(Answer.NOT_FOUND), PaymentStatus.EXPIRED),
        (reply(Answer.FAILED), PaymentStatus.EXPIRED),
        (reply(Answer.PENDING), PaymentStatus.PROCESSING),
        (reply(Answer.UNKNOWN), PaymentStatus.PROCESSING),
        (reply(Answer.SUCCEEDED), PaymentStatus.COMPLETED),
    ],
    ids=["nobody paid", "declined", "somebody is paying", "no answer", "paid just before"],
)
async def test_a_page_that_lapsed_is_asked_about_once_more_after_it_was_closed(
    suite: Suite, after_closing: Step, status: PaymentStatus
) -> None:
    payment = await declined_and_lapsed(suite, after_closing)
    assert payment.status is status
    assert [call.operation for call in suite.gateways.calls] == [
        "create",
        "look_up",
        "cancel",
        "look_up",
    ]


async def test_a_page_that_lapsed_stays_open_while_its_closing_is_not_acknowledged(
    suite: Suite,
) -> None:
    suite.gateways.always(Operation.CANCEL, reply(Answer.UNKNOWN))
    payment = await declined_and_lapsed(suite)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await suite.newest_attempt(payment.id)).outcome is AttemptOutcome.LIVE


async def test_money_that_is_found_after_the_page_lapsed_still_counts(suite: Suite) -> None:
    expired = await declined_and_lapsed(suite, reply(Answer.NOT_FOUND))
    assert expired.status is PaymentStatus.EXPIRED
    payment = await found(suite, expired, paid())
    assert payment.status is PaymentStatus.COMPLETED
    assert await suite.moves(payment.id) == ["processing", "expired", "completed"]
