"""Callbacks that match nothing, that cannot be verified yet, or that are forged."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.apply_gateway_event import apply_gateway_event
from tests.operations.fakes import Operation, reply
from tests.operations.suite import LEASE_SECONDS, Suite, by_card

NOBODYS = {"reference": "cpnobodys"}


async def found_paid(suite: Suite, payment: Payment) -> PaymentStatus:
    """Handle what is due while the gateway has the money; return the payment's status."""
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.handle_events()
    return (await suite.payment(payment.id)).status


async def test_a_callback_that_matches_nothing_is_kept_and_alerted_about_once(
    suite: Suite,
) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    with capture_logs() as logs:
        event_id = await suite.deliver(attempt, **NOBODYS, raw_body=b'{"money": "somewhere"}')
        for _ in range(4):
            assert await suite.handle_events() == 1
            suite.clock.advance(15)
    row = await suite.event_row(event_id)
    assert (row["status"], row["payment_id"], row["processed_at"]) == ("unattributed", None, None)
    assert row["raw_body"] == b'{"money": "somewhere"}'
    assert row["tries"] == 4
    assert row["note"]
    assert [line["event"] for line in logs if line.get("alert")] == ["event_unattributed"]
    assert not suite.gateways.made(Operation.LOOK_UP)


async def test_a_callback_that_matches_nothing_is_tried_again_less_and_less_often(
    suite: Suite,
) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    event_id = await suite.deliver(attempt, **NOBODYS)
    waits = []
    for _ in range(10):
        await suite.handle_events()
        due = (await suite.event_row(event_id))["next_try_at"]
        waits.append(int((due - suite.clock.now()).total_seconds()))
        suite.clock.move_to(due)
    assert waits == [1, 2, 5, 15, 60, 300, 900, 3600, 3600, 3600]


async def test_a_callback_that_never_matches_stays_for_people_after_three_days(
    suite: Suite,
) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    began, event_id = suite.clock.now(), await suite.deliver(attempt, **NOBODYS)
    while due := (await suite.event_row(event_id))["next_try_at"]:
        suite.clock.move_to(due)
        await suite.handle_events()
    assert suite.clock.now() - began > timedelta(days=2.5)
    assert (await suite.event_row(event_id))["status"] == "unattributed"


async def test_a_callback_is_claimed_when_its_attempt_appears(suite: Suite) -> None:
    first = await suite.newest_attempt((await suite.create()).id)
    second_reference = suite.future_reference()
    event_id = await suite.deliver(first, reference=second_reference)
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.NOT_FOUND))
    await suite.cancel(await suite.payment(first.payment_id))
    payment = await suite.create(by_card(idempotency_key="key-2"))
    assert payment.gateway_reference == second_reference
    suite.clock.advance(1)
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED
    row = await suite.event_row(event_id)
    assert (row["status"], row["payment_id"]) == ("processed", payment.id)


async def test_a_callback_with_only_the_gateways_identifier_is_claimed_once_we_know_it(
    suite: Suite,
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    event_id = await suite.deliver(attempt, reference="", gateway_transaction_id="tx-77")
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    knows = reply(Answer.PENDING, gateway_transaction_id="tx-77")
    suite.gateways.script("eversend", Operation.LOOK_UP, knows)
    await suite.check_next(payment.id)
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED
    assert (await suite.event_row(event_id))["status"] == "processed"


async def test_a_callback_of_another_gateway_does_not_match_the_same_reference(
    suite: Suite,
) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    event_id = await suite.deliver(replace(attempt, gateway="flutterwave"))
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    assert not suite.gateways.made(Operation.LOOK_UP)


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED])
async def test_a_callback_whose_gateway_does_not_answer_stays_unhandled_and_is_retried(
    suite: Suite, answer: Answer
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(answer), reply(answer))
    event_id = await suite.deliver(await suite.newest_attempt(payment.id))
    for tries, wait in ((1, 1), (2, 2)):
        await suite.handle_events()
        row = await suite.event_row(event_id)
        assert (row["status"], row["tries"]) == ("received", tries)
        assert row["next_try_at"] - suite.clock.now() == timedelta(seconds=wait)
        suite.clock.advance(wait)
    assert (await suite.payment(payment.id)).version == payment.version
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED
    assert (await suite.event_row(event_id))["status"] == "processed"


async def test_a_forged_success_changes_nothing_while_the_gateway_says_pending(
    suite: Suite,
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await suite.deliver(attempt, key="forged", raw_body=b'{"status": "successful"}')
    await suite.handle_events()
    after = await suite.payment(payment.id)
    assert (after.webhook_count, after.webhook_received_at) == (1, suite.clock.now())
    counted = replace(
        payment,
        webhook_count=1,
        webhook_received_at=suite.clock.now(),
        verification_count=1,
        last_verified_at=suite.clock.now(),
    )
    assert after == counted
    assert await suite.newest_attempt(payment.id) == attempt
    assert await suite.effects(payment.id) == []
    await suite.deliver(attempt, key="real")
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED


async def test_a_forged_callback_that_came_too_early_does_not_use_up_the_real_ones_key(
    suite: Suite,
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    forged = await suite.deliver(attempt, key="the same")
    assert await suite.handle_events() == 1
    assert await suite.deliver(attempt, key="the same") == forged
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED


async def test_a_delivery_that_comes_twice_is_handled_once(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    first = await suite.deliver(attempt)
    assert await suite.deliver(attempt) == first
    assert await found_paid(suite, payment) is PaymentStatus.COMPLETED
    assert await suite.deliver(attempt) == first
    assert await suite.handle_events() == 0
    assert (await suite.event_row(first))["duplicate_count"] == 2
    assert (await suite.payment(payment.id)).webhook_count == 1


async def test_a_callback_whose_lease_went_to_another_worker_is_marked_by_that_one(
    suite: Suite,
) -> None:
    payment = await suite.create()
    event_id = await suite.deliver(await suite.newest_attempt(payment.id))
    (held_too_long,) = await suite.due_events()
    suite.clock.advance(LEASE_SECONDS)
    assert await suite.handle_events() == 1
    processed = await suite.event_row(event_id)
    with pytest.raises(StaleWriteError):
        await apply_gateway_event(suite.deps, held_too_long)
    assert await suite.event_row(event_id) == processed
