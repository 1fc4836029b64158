"""Attempts: one unsettled for a payment, found by either identifier, hurried when needed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.money import Money
from services.payments.domain.absence import Absence
from services.payments.domain.attempts import UNSETTLED_OUTCOMES, Attempt, AttemptOutcome, Flow
from services.payments.domain.payment import Failure, Payment
from services.payments.ports import Storage
from tests.database.rows import stored_attempt, stored_payment
from tests.storage_contract.conftest import Store
from tests.unit.factories import NOW

LATER = NOW + timedelta(hours=1)


async def attempts_of(storage: Storage, payment: Payment) -> Sequence[Attempt]:
    async with storage.work() as work:
        return await work.attempts.of_payment(payment.id)


async def test_an_attempt_keeps_what_it_was_made_with_and_stores_the_rest(
    storage: Storage,
) -> None:
    payment = await stored_payment(storage)
    made = await stored_attempt(storage, payment, flow=Flow.PROMPT, round=2)
    changed = replace(
        made,
        outcome=AttemptOutcome.REJECTED,
        gateway_transaction_id="tx-1",
        link="https://pay.example/1",
        failure=Failure(code="declined", message="Declined.", at=NOW),
        expires_at=LATER,
        next_check_at=LATER,
        checks=5,
        absence=Absence(count=2, last_at=NOW),
        action_state="pin-1",
        sender="another",
        sent_at=LATER,
    )
    forged = replace(
        changed,
        number=9,
        gateway="elsewhere",
        reference="cpother",
        flow=Flow.HOSTED,
        amount=Money("UGX", 1),
        created_at=LATER,
        round=7,
    )
    async with storage.work() as work:
        await work.attempts.save(forged)
    assert await attempts_of(storage, payment) == [changed]


async def test_attempts_come_in_the_order_of_their_numbers(storage: Storage) -> None:
    payment = await stored_payment(storage)
    for number in (3, 1, 2):
        await stored_attempt(storage, payment, number=number, outcome=AttemptOutcome.REJECTED)
    assert [each.number for each in await attempts_of(storage, payment)] == [1, 2, 3]


async def test_an_attempt_is_found_by_our_reference_and_by_the_gateways(storage: Storage) -> None:
    attempt = await stored_attempt(
        storage, await stored_payment(storage), gateway_transaction_id="tx-find"
    )
    async with storage.work() as work:
        assert await work.attempts.by_reference("eversend", attempt.reference) == attempt
        assert await work.attempts.by_transaction_id("eversend", "tx-find") == attempt
        assert await work.attempts.by_reference("flutterwave", attempt.reference) is None
        assert await work.attempts.by_transaction_id("flutterwave", "tx-find") is None


@pytest.mark.parametrize("first", list(AttemptOutcome))
async def test_a_payment_has_at_most_one_attempt_that_may_take_money(
    store: Store, first: AttemptOutcome
) -> None:
    for second in AttemptOutcome:
        payment = await stored_payment(store.storage)
        await stored_attempt(store.storage, payment, outcome=first)
        if {first, second} <= UNSETTLED_OUTCOMES:
            with pytest.raises(store.refused):
                await stored_attempt(store.storage, payment, number=2, outcome=second)
        else:
            await stored_attempt(store.storage, payment, number=2, outcome=second)


async def test_a_settled_attempt_does_not_come_back_beside_another(store: Store) -> None:
    payment = await stored_payment(store.storage)
    over = await stored_attempt(store.storage, payment, outcome=AttemptOutcome.REJECTED)
    await stored_attempt(store.storage, payment, number=2)
    with pytest.raises(store.refused):
        async with store.storage.work() as work:
            await work.attempts.save(replace(over, outcome=AttemptOutcome.LIVE))


@pytest.mark.parametrize("repeated", ["number", "reference"])
async def test_numbers_and_references_are_used_once(store: Store, repeated: str) -> None:
    payment = await stored_payment(store.storage)
    first = await stored_attempt(store.storage, payment, outcome=AttemptOutcome.REJECTED)
    same = {"number": 2, repeated: getattr(first, repeated)}
    with pytest.raises(store.refused):
        await stored_attempt(store.storage, payment, **same)


async def test_hastening_makes_what_is_open_due_and_leaves_the_rest(storage: Storage) -> None:
    payment = await stored_payment(storage)
    over = await stored_attempt(
        storage, payment, outcome=AttemptOutcome.REJECTED, next_check_at=LATER
    )
    waiting = await stored_attempt(
        storage, payment, number=2, outcome=AttemptOutcome.LIVE, next_check_at=LATER
    )
    async with storage.work() as work:
        await work.attempts.hasten(payment.id, NOW)
    hurried = replace(waiting, next_check_at=NOW)
    assert await attempts_of(storage, payment) == [over, hurried]


async def test_hastening_does_not_put_off_what_is_due(storage: Storage) -> None:
    payment = await stored_payment(storage)
    due = await stored_attempt(storage, payment, next_check_at=NOW - timedelta(hours=1))
    async with storage.work() as work:
        await work.attempts.hasten(payment.id, NOW)
    assert await attempts_of(storage, payment) == [due]


async def test_what_an_earlier_run_left_in_the_air_is_made_due(storage: Storage) -> None:
    left, later, others, live = [
        await stored_attempt(storage, await stored_payment(storage), next_check_at=LATER, **each)
        for each in (
            {"sender": "server"},
            {"sender": "server", "created_at": NOW + timedelta(seconds=5)},
            {"sender": "another"},
            {"sender": "server", "outcome": AttemptOutcome.LIVE},
        )
    ]
    restarted = NOW + timedelta(seconds=1)
    async with storage.work() as work:
        assert await work.attempts.release_interrupted("server", restarted, restarted) == 1
    async with storage.work() as work:
        due = [
            await work.attempts.by_reference("eversend", each.reference)
            for each in (left, later, others, live)
        ]
    assert due == [replace(left, next_check_at=restarted), later, others, live]
