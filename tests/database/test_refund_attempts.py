"""Attempts to send money back as rows: one unsettled per refund, leased, and fenced."""

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from db.unit_of_work import PostgresStorage
from services.payments.domain.absence import Absence
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import Failure
from services.payments.domain.refunds import Refund, RefundAttempt, RefundAttemptOutcome
from services.payments.ports import Share
from tests.database.rows import new_capture, stored_refund, stored_refund_attempt
from tests.unit.factories import NOW

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
FAILED = Failure(code="refund_failed", message="It failed.", at=NOW)
UNSETTLED = ["recorded", "sending", "accepted", "unknown"]
SETTLED = ["succeeded", "failed"]


async def new_refund(storage: PostgresStorage, gateway: str = "eversend") -> Refund:
    return await stored_refund(storage, await new_capture(storage), gateway=gateway)


async def attempts_of(storage: PostgresStorage, refund_id: UUID) -> Sequence[RefundAttempt]:
    async with storage.work() as work:
        return await work.refund_attempts.of_refund(refund_id)


async def claim(
    storage: PostgresStorage,
    after: timedelta = timedelta(0),
    limit: int = 100,
    share: Share | None = None,
) -> Sequence[RefundAttempt]:
    """Claim what is due some time after now, for a minute."""
    async with storage.work() as work:
        return await work.refund_attempts.claim_due(NOW + after, MINUTE, limit, share or Share())


async def due(storage: PostgresStorage, count: int) -> list[RefundAttempt]:
    return [
        await stored_refund_attempt(
            storage, await new_refund(storage), next_check_at=NOW - timedelta(seconds=number)
        )
        for number in range(count)
    ]


def sent(outcome: str) -> dict[str, Any]:
    """Return what an attempt with this outcome has besides."""
    moment = None if outcome == "recorded" else NOW
    return {"outcome": RefundAttemptOutcome(outcome), "sent_at": moment}


async def test_every_field_of_an_attempt_is_stored(storage: PostgresStorage) -> None:
    refund = await new_refund(storage, "flutterwave")
    new = await stored_refund_attempt(
        storage, refund, number=2, created_at=NOW + TICK, next_check_at=None
    )
    assert await attempts_of(storage, refund.id) == [new]
    changed = replace(
        new,
        outcome=RefundAttemptOutcome.FAILED,
        gateway_refund_id="rf-1",
        failure=FAILED,
        sent_at=NOW + 2 * TICK,
        next_check_at=NOW + 3 * TICK,
        checks=4,
        absence=Absence(count=2, last_at=NOW + 4 * TICK),
    )
    async with storage.work() as work:
        await work.refund_attempts.save(changed)
    assert await attempts_of(storage, refund.id) == [changed]
    unchanged = {
        each.name
        for each in fields(RefundAttempt)
        if getattr(changed, each.name) == getattr(new, each.name)
    }
    assert unchanged == {
        "id", "refund_id", "payment_id", "number", "gateway", "reference", "created_at",
        "lease_token",
    }  # fmt: skip


async def test_an_attempt_is_found_by_our_reference_at_its_gateway(
    storage: PostgresStorage,
) -> None:
    attempt = await stored_refund_attempt(storage, await new_refund(storage))
    async with storage.work() as work:
        find = work.refund_attempts.by_reference
        assert await find("eversend", attempt.reference) == attempt
        assert await find("flutterwave", attempt.reference) is None
        assert await find("eversend", attempt.reference.upper()) is None


async def test_attempts_of_a_refund_come_oldest_first(storage: PostgresStorage) -> None:
    refund = await new_refund(storage)
    for number in (3, 1, 2):
        await stored_refund_attempt(storage, refund, number=number, **sent("failed"))
    assert [each.number for each in await attempts_of(storage, refund.id)] == [1, 2, 3]


@pytest.mark.parametrize(("first", "second"), list(product(UNSETTLED, UNSETTLED)))
async def test_one_attempt_of_a_refund_may_be_able_to_send_money(
    storage: PostgresStorage, first: str, second: str
) -> None:
    refund = await new_refund(storage)
    one = await stored_refund_attempt(storage, refund, **sent(first))
    with pytest.raises(IntegrityError, match="refund_attempts_one_unsettled"):
        await stored_refund_attempt(storage, refund, number=2, **sent(second))
    assert await attempts_of(storage, refund.id) == [one]


@pytest.mark.parametrize("settled", SETTLED)
async def test_the_next_attempt_may_begin_when_the_one_before_is_over(
    storage: PostgresStorage, settled: str
) -> None:
    refund = await new_refund(storage)
    await stored_refund_attempt(storage, refund, **sent(settled))
    await stored_refund_attempt(storage, refund, number=2, **sent(settled))
    await stored_refund_attempt(storage, refund, number=3)
    assert len(await attempts_of(storage, refund.id)) == 3


@pytest.mark.parametrize("same", ["reference", "number"])
async def test_a_reference_and_a_number_are_used_once(storage: PostgresStorage, same: str) -> None:
    refund = await new_refund(storage)
    one = await stored_refund_attempt(storage, refund, **sent("failed"))
    again = {"number": 2, **sent("failed"), same: getattr(one, same)}
    with pytest.raises(IntegrityError, match=same):
        await stored_refund_attempt(storage, refund, **again)


@pytest.mark.parametrize("outcome", ["sending", "accepted", "unknown", "succeeded"])
async def test_what_may_have_left_has_the_time_at_which_it_left(
    storage: PostgresStorage, outcome: str
) -> None:
    refund = await new_refund(storage)
    with pytest.raises(IntegrityError, match="check"):
        await stored_refund_attempt(
            storage, refund, outcome=RefundAttemptOutcome(outcome), sent_at=None
        )


async def test_the_database_knows_exactly_the_outcomes_of_the_code(
    storage: PostgresStorage, owner: asyncpg.Connection
) -> None:
    for outcome in RefundAttemptOutcome:
        await stored_refund_attempt(storage, await new_refund(storage), **sent(outcome))
    attempt = await stored_refund_attempt(storage, await new_refund(storage), **sent("sending"))
    with pytest.raises(asyncpg.CheckViolationError, match="outcome"):
        await owner.execute("UPDATE refund_attempts SET outcome = 'lost' WHERE id = $1", attempt.id)


async def test_claimers_at_the_same_time_never_get_the_same_attempt(
    own_storage: PostgresStorage,
) -> None:
    attempts = await due(own_storage, 12)
    all_have_claimed = asyncio.Barrier(4)

    async def claimer() -> list[RefundAttempt]:
        async with own_storage.work() as work:
            claimed = await work.refund_attempts.claim_due(NOW, MINUTE, 4)
            await all_have_claimed.wait()
        return list(claimed)

    shares = await asyncio.gather(*(claimer() for _ in range(4)))
    claimed = [attempt.id for share in shares for attempt in share]
    assert max(len(share) for share in shares) <= 4
    assert sorted(claimed) == sorted(attempt.id for attempt in attempts)


async def test_the_longest_due_is_claimed_first_and_what_is_not_due_never(
    own_storage: PostgresStorage,
) -> None:
    attempts = await due(own_storage, 3)
    for never in (None, NOW + TICK):
        refund = await new_refund(own_storage)
        await stored_refund_attempt(own_storage, refund, next_check_at=never)
    assert [each.id for each in await claim(own_storage, limit=1)] == [attempts[2].id]
    assert {each.id for each in await claim(own_storage)} == {each.id for each in attempts[:2]}
    assert await claim(own_storage) == []


async def test_only_attempts_of_the_share_are_claimed(own_storage: PostgresStorage) -> None:
    refunds = [await new_refund(own_storage, name) for name in ("eversend", "flutterwave", "old")]
    ids = [(await stored_refund_attempt(own_storage, refund)).id for refund in refunds]
    never = ("eversend", "flutterwave")
    shares = (Share(only="eversend"), Share(only="flutterwave"), Share(never=never))
    claimed = [await claim(own_storage, share=share) for share in shares]
    assert [[each.id for each in claims] for claims in claimed] == [[each] for each in ids]


async def test_a_lease_lapses_and_its_holder_is_fenced(own_storage: PostgresStorage) -> None:
    [attempt] = await due(own_storage, 1)
    [first] = await claim(own_storage)
    assert first == replace(attempt, lease_token=1)
    assert await claim(own_storage, MINUTE - TICK) == []
    [second] = await claim(own_storage, MINUTE)
    for stale in (attempt, first):
        with pytest.raises(StaleWriteError):
            async with own_storage.work() as work:
                await work.refund_attempts.save(replace(stale, **sent("succeeded")))
    assert await attempts_of(own_storage, attempt.refund_id) == [second]


async def test_saving_an_attempt_releases_its_lease(own_storage: PostgresStorage) -> None:
    await due(own_storage, 1)
    [held] = await claim(own_storage)
    async with own_storage.work() as work:
        await work.refund_attempts.save(held)
    [again] = await claim(own_storage)
    assert again.lease_token == held.lease_token + 1


async def test_hastening_makes_the_checks_of_a_refund_due_now_and_ends_no_lease(
    own_storage: PostgresStorage,
) -> None:
    later = NOW + timedelta(hours=1)
    refund, over, other = [await new_refund(own_storage) for _ in range(3)]
    attempt = await stored_refund_attempt(own_storage, refund, next_check_at=later)
    await stored_refund_attempt(own_storage, over, next_check_at=None)
    await stored_refund_attempt(own_storage, other, next_check_at=later)
    async with own_storage.work() as work:
        await work.refund_attempts.hasten(refund.id, NOW)
        await work.refund_attempts.hasten(over.id, NOW)
    assert [each.id for each in await claim(own_storage)] == [attempt.id]
    async with own_storage.work() as work:
        await work.refund_attempts.hasten(refund.id, NOW)
    assert await claim(own_storage) == []


async def test_an_attempt_that_nobody_made_cannot_be_saved(storage: PostgresStorage) -> None:
    attempt = await stored_refund_attempt(storage, await new_refund(storage))
    with pytest.raises(StaleWriteError):
        async with storage.work() as work:
            await work.refund_attempts.save(replace(attempt, id=uuid4()))
