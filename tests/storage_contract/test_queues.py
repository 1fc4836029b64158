"""The three queues of due rows: leases, fencing tokens, shares, and rows that others hold."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.payments.domain.errors import StaleWriteError
from services.payments.domain.events import Delivery, EventStatus, Handling
from services.payments.ports import EVERYTHING, Share, Storage, Work
from tests.database.rows import stored_attempt, stored_payment
from tests.storage_contract.giving_up import given_up
from tests.unit.factories import NOW, make_capture, make_refund, make_refund_attempt

LEASE = timedelta(minutes=1)
Item = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue: how a due row gets in, is claimed, and is stored once it was handled."""

    add: Callable[[Storage, str, datetime], Coroutine[Any, Any, UUID]]
    claim: Callable[[Work, datetime, int, Share], Coroutine[Any, Any, Sequence[Item]]]
    finish: Callable[[Work, Item], Coroutine[Any, Any, None]]

    async def claimed(
        self, storage: Storage, at: datetime = NOW, limit: int = 9, share: Share = EVERYTHING
    ) -> list[UUID]:
        """Claim due rows and return their identifiers."""
        async with storage.work() as work:
            return [item.id for item in await self.claim(work, at, limit, share)]


async def _attempt(storage: Storage, gateway: str, due: datetime) -> UUID:
    payment = await stored_payment(storage)
    return (await stored_attempt(storage, payment, gateway=gateway, next_check_at=due)).id


async def _refund_attempt(storage: Storage, gateway: str, due: datetime) -> UUID:
    payment = await stored_payment(storage)
    attempt = await stored_attempt(storage, payment, next_check_at=None)
    capture = make_capture(
        id=uuid4(),
        payment_id=payment.id,
        attempt_id=attempt.id,
        gateway_transaction_id=uuid4().hex,
    )
    refund = make_refund(id=uuid4(), payment_id=payment.id, capture_id=capture.id)
    due_attempt = make_refund_attempt(
        id=uuid4(),
        payment_id=payment.id,
        refund_id=refund.id,
        gateway=gateway,
        reference=uuid4().hex,
        next_check_at=due,
    )
    async with storage.work() as work:
        assert await work.captures.add(capture)
        await work.refunds.add(refund)
        await work.refund_attempts.add(due_attempt)
    return due_attempt.id


async def _event(storage: Storage, gateway: str, due: datetime) -> UUID:
    event_id = uuid4()
    delivery = Delivery(
        gateway=gateway,
        event_key=event_id.hex,
        event_type="charge.completed",
        reference="cp0001",
        gateway_transaction_id="",
        raw_body=b"{}",
        headers={},
        received_at=due,
    )
    async with storage.work() as work:
        assert await work.events.add(event_id, delivery, "request-1") == (event_id, True)
    return event_id


async def _mark(work: Work, event: Item) -> None:
    await work.events.mark(event, Handling(status=EventStatus.PROCESSED), NOW)


QUEUES = {
    "attempts": Queue(
        add=_attempt,
        claim=lambda work, at, limit, share: work.attempts.claim_due(at, LEASE, limit, share),
        finish=lambda work, item: work.attempts.save(replace(item, next_check_at=None)),
    ),
    "refund attempts": Queue(
        add=_refund_attempt,
        claim=lambda work, at, limit, share: work.refund_attempts.claim_due(
            at, LEASE, limit, share
        ),
        finish=lambda work, item: work.refund_attempts.save(replace(item, next_check_at=None)),
    ),
    "events": Queue(
        add=_event,
        claim=lambda work, at, limit, share: work.events.claim_due(at, LEASE, limit, share),
        finish=_mark,
    ),
}


@pytest.fixture(params=list(QUEUES))
def queue(request: pytest.FixtureRequest) -> Queue:
    return QUEUES[request.param]


async def test_what_is_due_is_claimed_and_the_rest_waits(storage: Storage, queue: Queue) -> None:
    due = await queue.add(storage, "eversend", NOW)
    await queue.add(storage, "eversend", NOW + timedelta(seconds=1))
    assert await queue.claimed(storage) == [due]


async def test_a_claimed_row_is_nobody_elses_until_its_lease_is_over(
    storage: Storage, queue: Queue
) -> None:
    row = await queue.add(storage, "eversend", NOW)
    assert await queue.claimed(storage) == [row]
    assert await queue.claimed(storage, NOW + LEASE - timedelta(microseconds=1)) == []
    assert await queue.claimed(storage, NOW + LEASE) == [row]


async def test_a_claim_that_is_rolled_back_claims_nothing(storage: Storage, queue: Queue) -> None:
    row = await queue.add(storage, "eversend", NOW)

    async def claim(work: Work) -> None:
        assert await queue.claim(work, NOW, 9, EVERYTHING)

    await given_up(storage, claim)
    assert await queue.claimed(storage) == [row]


async def test_those_that_wait_longest_come_first_and_no_more_than_wanted(
    storage: Storage, queue: Queue
) -> None:
    rows = {
        minutes: await queue.add(storage, "eversend", NOW - timedelta(minutes=minutes))
        for minutes in (1, 3, 2)
    }
    assert set(await queue.claimed(storage, limit=2)) == {rows[3], rows[2]}
    assert await queue.claimed(storage, limit=2) == [rows[1]]


async def test_a_share_is_one_gateways_or_everybody_elses(storage: Storage, queue: Queue) -> None:
    ours = await queue.add(storage, "eversend", NOW)
    theirs = await queue.add(storage, "flutterwave", NOW)
    left = await queue.add(storage, "forgotten", NOW)
    known = ("eversend", "flutterwave")
    assert await queue.claimed(storage, share=Share(only="eversend")) == [ours]
    assert await queue.claimed(storage, share=Share(never=known)) == [left]
    assert await queue.claimed(storage) == [theirs]


async def test_rows_that_somebody_is_claiming_are_skipped(storage: Storage, queue: Queue) -> None:
    first = await queue.add(storage, "eversend", NOW - timedelta(minutes=1))
    second = await queue.add(storage, "eversend", NOW)
    async with storage.work() as work:
        assert [item.id for item in await queue.claim(work, NOW, 1, EVERYTHING)] == [first]
        assert await queue.claimed(storage) == [second]


async def test_who_lost_the_lease_cannot_write(storage: Storage, queue: Queue) -> None:
    await queue.add(storage, "eversend", NOW)
    async with storage.work() as work:
        (stale,) = await queue.claim(work, NOW, 9, EVERYTHING)
    async with storage.work() as work:
        (fresh,) = await queue.claim(work, NOW + LEASE, 9, EVERYTHING)
    assert fresh.lease_token > stale.lease_token
    with pytest.raises(StaleWriteError):
        async with storage.work() as work:
            await queue.finish(work, stale)
    async with storage.work() as work:
        await queue.finish(work, fresh)
    assert await queue.claimed(storage, NOW + 9 * LEASE) == []


async def test_what_was_stored_is_claimed_again_when_it_is_due_again(storage: Storage) -> None:
    payment = await stored_payment(storage)
    attempt = await stored_attempt(storage, payment, next_check_at=NOW)
    async with storage.work() as work:
        (claimed,) = await work.attempts.claim_due(NOW, LEASE, 9)
        await work.attempts.save(claimed)
    assert await QUEUES["attempts"].claimed(storage) == [attempt.id]
