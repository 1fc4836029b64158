"""Attempts as rows: one unsettled per payment, and leases that fence whoever lost theirs."""

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from db.unit_of_work import PostgresStorage
from kit.money import Money
from services.payments.domain.absence import Absence
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import Failure
from tests.database.rows import stored_attempt, stored_payment
from tests.unit.factories import NOW

MINUTE = timedelta(minutes=1)
SETTLED = ["succeeded", "rejected", "cancelled", "expired", "undelivered"]


async def claim(
    storage: PostgresStorage, after: timedelta = timedelta(0), limit: int = 100
) -> Sequence[Attempt]:
    """Claim what is due some time after now, for a minute."""
    async with storage.work() as work:
        return await work.attempts.claim_due(NOW + after, MINUTE, limit)


async def attempts_of(storage: PostgresStorage, attempt: Attempt) -> Sequence[Attempt]:
    async with storage.work() as work:
        return await work.attempts.of_payment(attempt.payment_id)


async def due_attempts(storage: PostgresStorage, count: int) -> list[Attempt]:
    return [
        await stored_attempt(
            storage, await stored_payment(storage), next_check_at=NOW - timedelta(seconds=number)
        )
        for number in range(count)
    ]


async def test_every_field_of_an_attempt_is_stored(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    new = await stored_attempt(
        storage,
        payment,
        number=2,
        gateway="flutterwave",
        sender="host:50051",
        flow=Flow.PROMPT,
        amount=Money("KES", 50),
        round=3,
    )
    changed = replace(
        new,
        outcome=AttemptOutcome.REJECTED,
        gateway_transaction_id="tx-1",
        link="https://pay.example/1",
        failure=Failure(code="declined", message="Declined.", at=NOW),
        sender="host:50052",
        sent_at=NOW + timedelta(microseconds=3),
        action_state="otp-state-1",
        absence=Absence(count=2, last_at=NOW + timedelta(microseconds=4)),
        expires_at=NOW + timedelta(microseconds=1),
        next_check_at=NOW + timedelta(microseconds=2),
        checks=5,
    )
    assert await attempts_of(storage, new) == [new]
    async with storage.work() as work:
        await work.attempts.save(changed)
    assert await attempts_of(storage, new) == [changed]
    unchanged = {
        each.name
        for each in fields(Attempt)
        if getattr(changed, each.name) == getattr(new, each.name)
    }
    assert unchanged == {
        "id", "payment_id", "number", "round", "gateway", "reference", "flow", "amount",
        "created_at", "lease_token",
    }  # fmt: skip


async def test_an_attempt_is_found_by_our_reference_and_by_the_gateways(
    storage: PostgresStorage,
) -> None:
    attempt = await stored_attempt(
        storage, await stored_payment(storage), gateway_transaction_id="tx-find"
    )
    async with storage.work() as work:
        find = work.attempts
        assert await find.by_reference("eversend", attempt.reference) == attempt
        assert await find.by_transaction_id("eversend", "tx-find") == attempt
        assert await find.by_reference("flutterwave", attempt.reference) is None
        assert await find.by_transaction_id("flutterwave", "tx-find") is None
        assert await find.by_reference("eversend", attempt.reference.upper()) is None


async def test_attempts_of_a_payment_come_oldest_first(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    for number in (3, 1, 2):
        await stored_attempt(storage, payment, number=number, outcome=AttemptOutcome.REJECTED)
    async with storage.work() as work:
        found = await work.attempts.of_payment(payment.id)
    assert [attempt.number for attempt in found] == [1, 2, 3]


@pytest.mark.parametrize("second", ["sending", "live", "unknown"])
@pytest.mark.parametrize("first", ["sending", "live", "unknown"])
async def test_a_payment_has_one_unsettled_attempt(
    storage: PostgresStorage, first: str, second: str
) -> None:
    payment = await stored_payment(storage)
    one = await stored_attempt(storage, payment, outcome=AttemptOutcome(first))
    with pytest.raises(IntegrityError, match="payment_attempts_one_unsettled"):
        await stored_attempt(storage, payment, number=2, outcome=AttemptOutcome(second))
    assert await attempts_of(storage, one) == [one]


@pytest.mark.parametrize("settled", SETTLED)
async def test_the_next_attempt_may_start_when_the_one_before_is_settled(
    storage: PostgresStorage, settled: str
) -> None:
    payment = await stored_payment(storage)
    await stored_attempt(storage, payment, outcome=AttemptOutcome(settled))
    await stored_attempt(storage, payment, number=2, outcome=AttemptOutcome(settled))
    last = await stored_attempt(storage, payment, number=3)
    assert len(await attempts_of(storage, last)) == 3


@pytest.mark.parametrize("same", ["reference", "number"])
async def test_a_reference_and_a_number_are_used_once(storage: PostgresStorage, same: str) -> None:
    payment = await stored_payment(storage)
    one = await stored_attempt(storage, payment, outcome=AttemptOutcome.REJECTED)
    again = {"number": 2, "outcome": AttemptOutcome.REJECTED, same: getattr(one, same)}
    with pytest.raises(IntegrityError, match=same):
        await stored_attempt(storage, payment, **again)


async def test_claimers_at_the_same_time_never_get_the_same_attempt(
    own_storage: PostgresStorage,
) -> None:
    due = await due_attempts(own_storage, 20)
    all_have_claimed = asyncio.Barrier(4)

    async def claimer() -> list[Attempt]:
        async with own_storage.work() as work:
            claimed = await work.attempts.claim_due(NOW, MINUTE, 6)
            await all_have_claimed.wait()
        return list(claimed)

    shares = await asyncio.gather(*(claimer() for _ in range(4)))
    claimed = [attempt.id for share in shares for attempt in share]
    assert max(len(share) for share in shares) <= 6
    assert sorted(claimed) == sorted(attempt.id for attempt in due)


async def test_the_longest_due_is_claimed_first_and_what_is_not_due_never(
    own_storage: PostgresStorage,
) -> None:
    due = await due_attempts(own_storage, 4)
    for never in (None, NOW + timedelta(microseconds=1)):
        await stored_attempt(own_storage, await stored_payment(own_storage), next_check_at=never)
    assert {each.id for each in await claim(own_storage, limit=2)} == {due[3].id, due[2].id}
    assert {each.id for each in await claim(own_storage)} == {due[1].id, due[0].id}
    assert await claim(own_storage) == []


async def test_a_lease_lapses_and_its_holder_is_fenced(own_storage: PostgresStorage) -> None:
    [attempt] = await due_attempts(own_storage, 1)
    [first] = await claim(own_storage)
    assert first == replace(attempt, lease_token=attempt.lease_token + 1)
    assert await claim(own_storage, MINUTE - timedelta(microseconds=1)) == []
    [second] = await claim(own_storage, MINUTE)
    assert second.lease_token == first.lease_token + 1
    for stale in (attempt, first):
        with pytest.raises(StaleWriteError):
            async with own_storage.work() as work:
                await work.attempts.save(replace(stale, outcome=AttemptOutcome.SUCCEEDED))
    assert await attempts_of(own_storage, attempt) == [second]


async def test_saving_an_attempt_releases_its_lease(own_storage: PostgresStorage) -> None:
    await due_attempts(own_storage, 1)
    [held] = await claim(own_storage)
    async with own_storage.work() as work:
        await work.attempts.save(held)
    [again] = await claim(own_storage)
    assert again.lease_token == held.lease_token + 1


async def test_a_claim_that_is_rolled_back_leaves_the_attempt_to_others(
    own_storage: PostgresStorage,
) -> None:
    [attempt] = await due_attempts(own_storage, 1)

    async def interrupted_claim() -> None:
        async with own_storage.work() as work:
            await work.attempts.claim_due(NOW, MINUTE, 1)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await interrupted_claim()
    assert [each.id for each in await claim(own_storage)] == [attempt.id]


async def test_only_what_an_earlier_run_of_the_same_process_left_in_the_air_is_released(
    own_storage: PostgresStorage,
) -> None:
    later = NOW + timedelta(hours=1)
    stories: dict[str, dict[str, object]] = {
        "interrupted": {"sender": "here"},
        "another process": {"sender": "there"},
        "this run": {"sender": "here", "created_at": NOW + timedelta(seconds=1)},
        "decided": {"sender": "here", "outcome": AttemptOutcome.LIVE},
    }
    names = {}
    for name, story in stories.items():
        payment = await stored_payment(own_storage)
        attempt = await stored_attempt(own_storage, payment, **{"next_check_at": later, **story})
        names[attempt.id] = name
    async with own_storage.work() as work:
        released = await work.attempts.release_interrupted("here", NOW + timedelta(seconds=1), NOW)
    assert released == 1
    assert [names[each.id] for each in await claim(own_storage)] == ["interrupted"]


async def test_an_attempt_that_nobody_made_cannot_be_saved(storage: PostgresStorage) -> None:
    attempt = await stored_attempt(storage, await stored_payment(storage))
    with pytest.raises(StaleWriteError):
        async with storage.work() as work:
            await work.attempts.save(replace(attempt, id=uuid4()))


async def test_hastening_makes_what_may_still_take_money_due_now_and_nothing_else(
    own_storage: PostgresStorage,
) -> None:
    later = NOW + timedelta(hours=1)
    payment, other = await stored_payment(own_storage), await stored_payment(own_storage)
    await stored_attempt(own_storage, payment, outcome=AttemptOutcome.REJECTED, next_check_at=later)
    live = await stored_attempt(own_storage, payment, number=2, next_check_at=later)
    await stored_attempt(own_storage, other, next_check_at=later)
    async with own_storage.work() as work:
        await work.attempts.hasten(payment.id, NOW)
    assert [each.id for each in await claim(own_storage)] == [live.id]


async def test_hastening_leaves_a_lease_to_who_holds_it(own_storage: PostgresStorage) -> None:
    [attempt] = await due_attempts(own_storage, 1)
    await claim(own_storage)
    async with own_storage.work() as work:
        await work.attempts.hasten(attempt.payment_id, NOW + timedelta(seconds=1))
    assert await claim(own_storage, timedelta(seconds=2)) == []


async def test_an_attempt_that_nobody_asks_about_any_more_is_not_hastened(
    own_storage: PostgresStorage,
) -> None:
    payment = await stored_payment(own_storage)
    await stored_attempt(own_storage, payment, next_check_at=None)
    async with own_storage.work() as work:
        await work.attempts.hasten(payment.id, NOW)
    assert await claim(own_storage) == []
