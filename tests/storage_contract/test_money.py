"""Captures, refunds and the journal: recorded once, balanced, and never going back twice."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kit.money import Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.ledger import EntryKind, JournalEntry, Line
from services.payments.domain.payment import Failure
from services.payments.domain.refunds import (
    REFUND_TRANSITIONS,
    Refund,
    RefundAttemptOutcome,
    RefundStatus,
)
from services.payments.ports import After, Storage
from tests.database.rows import stored_attempt, stored_payment
from tests.storage_contract.conftest import Store
from tests.unit.factories import NOW, PRICE, make_capture, make_refund, make_refund_attempt

NOTHING = Money("UGX", 0)
PATHS: dict[RefundStatus, tuple[RefundStatus, ...]] = {
    RefundStatus.PENDING: (),
    RefundStatus.PROCESSING: (RefundStatus.PROCESSING,),
    RefundStatus.SUCCEEDED: (RefundStatus.SUCCEEDED,),
    RefundStatus.FAILED: (RefundStatus.FAILED,),
}


async def captured(storage: Storage, **changes: Any) -> Capture:
    """Store a capture of a payment of its own, unless `changes` name one."""
    if "payment_id" not in changes:
        changes["payment_id"] = (payment := await stored_payment(storage)).id
        changes["attempt_id"] = (await stored_attempt(storage, payment)).id
    made = {"id": uuid4(), "gateway_transaction_id": uuid4().hex, **changes}
    capture = make_capture(**made)
    async with storage.work() as work:
        assert await work.captures.add(capture)
    return capture


async def beside(storage: Storage, first: Capture, **changes: Any) -> Capture:
    """Store another capture of the same attempt."""
    same = {"payment_id": first.payment_id, "attempt_id": first.attempt_id}
    return await captured(storage, **same, **changes)


def refund_of(capture: Capture, **changes: Any) -> Refund:
    made = {"id": uuid4(), "payment_id": capture.payment_id, "capture_id": capture.id}
    return make_refund(**made, **changes)


async def refunded(storage: Storage, refund: Refund) -> Refund:
    async with storage.work() as work:
        await work.refunds.add(refund)
    return refund


async def saved(storage: Storage, refund: Refund) -> None:
    async with storage.work() as work:
        await work.refunds.save(refund)


async def test_a_transaction_of_a_gateway_is_captured_once(storage: Storage) -> None:
    first = await captured(storage, fee=Money("UGX", 700))
    again = replace(first, id=uuid4(), use=CaptureUse.SURPLUS, excess=first.amount)
    async with storage.work() as work:
        assert not await work.captures.add(again)
        found = await work.captures.by_transaction_id("eversend", first.gateway_transaction_id)
        assert found == first
        assert await work.captures.by_transaction_id("flutterwave", "tx-none") is None
        elsewhere = replace(again, gateway="flutterwave")
        assert await work.captures.add(elsewhere)
        assert set(await work.captures.of_payment(first.payment_id)) == {first, elsewhere}


async def test_one_capture_buys_a_payment(store: Store) -> None:
    first = await captured(store.storage)
    with pytest.raises(store.refused):
        await beside(store.storage, first)
    await beside(store.storage, first, use=CaptureUse.SURPLUS, excess=PRICE)


async def test_held_money_is_corrected_and_decided_once(store: Store) -> None:
    held = await captured(store.storage, use=CaptureUse.HELD, held_because="underpaid")
    decided = replace(held, amount=PRICE * 2, fee=PRICE, use=CaptureUse.KEPT, held_because="")
    async with store.storage.work() as work:
        assert list(await work.captures.held(None, 9)) == [held]
        assert await work.captures.count_held() == 1
        await work.captures.save(replace(decided, captured_at=NOW + timedelta(days=1)))
    async with store.storage.work() as work:
        assert await work.captures.of_payment(held.payment_id) == [decided]
        assert await work.captures.count_held() == 0
    for wrong in (
        replace(decided, use=CaptureUse.SURPLUS, excess=decided.amount),
        replace(decided, amount=PRICE),
    ):
        with pytest.raises(store.refused):
            async with store.storage.work() as work:
                await work.captures.save(wrong)


async def test_held_money_is_listed_oldest_first(storage: Storage) -> None:
    held = [
        await captured(
            storage,
            use=CaptureUse.HELD,
            held_because="underpaid",
            captured_at=NOW - timedelta(minutes=minutes),
        )
        for minutes in (1, 3, 2)
    ]
    in_order = sorted(held, key=lambda capture: capture.captured_at)
    async with storage.work() as work:
        (first,) = await work.captures.held(None, 1)
        rest = await work.captures.held(After(first.captured_at, first.id), 9)
    assert [first, *rest] == in_order


async def test_no_more_goes_back_than_was_captured(store: Store) -> None:
    capture = await captured(store.storage)
    half = Money("UGX", PRICE.minor // 2)
    await refunded(store.storage, refund_of(capture, amount=half))
    with pytest.raises(store.refused):
        await refunded(store.storage, refund_of(capture, amount=half + Money("UGX", 1)))
    await refunded(store.storage, refund_of(capture, amount=PRICE - half))


async def test_no_more_goes_back_when_many_ask_at_once(store: Store) -> None:
    capture = await captured(store.storage)
    third = Money("UGX", PRICE.minor // 3)
    wanted = [refunded(store.storage, refund_of(capture, amount=third)) for _ in range(8)]
    ends = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(isinstance(end, Refund) for end in ends) == 3
    assert all(isinstance(end, Refund | store.refused) for end in ends)


async def test_a_failed_refund_counts_no_more_and_comes_back_only_if_it_fits(store: Store) -> None:
    capture = await captured(store.storage)
    failed = await refunded(store.storage, refund_of(capture))
    why = Failure(code="refund_failed", message="It failed.", at=NOW)
    async with store.storage.work() as work:
        await work.refunds.save(replace(failed, status=RefundStatus.FAILED, failure=why))
    await refunded(store.storage, refund_of(capture))
    with pytest.raises(store.refused):
        async with store.storage.work() as work:
            await work.refunds.save(failed)
    async with store.storage.work() as work:
        assert [each.id for each in await work.refunds.failed(None, 9)] == [failed.id]
        assert await work.refunds.count_failed() == 1


async def test_held_money_goes_nowhere(store: Store) -> None:
    held = await captured(store.storage, use=CaptureUse.HELD, held_because="underpaid")
    with pytest.raises(store.refused):
        await refunded(store.storage, refund_of(held))


@pytest.mark.parametrize("old", list(RefundStatus))
async def test_only_legal_moves_of_a_refund_are_stored(store: Store, old: RefundStatus) -> None:
    for new in RefundStatus:
        refund = await refunded(store.storage, refund_of(await captured(store.storage)))
        for status in PATHS[old]:
            await saved(store.storage, replace(refund, status=status))
        moved = replace(refund, status=new, updated_at=NOW + timedelta(seconds=1))
        if new is not old and new not in REFUND_TRANSITIONS[old]:
            with pytest.raises(store.refused):
                await saved(store.storage, moved)
            continue
        await saved(store.storage, moved)
        async with store.storage.work() as work:
            assert await work.refunds.get(refund.id) == moved
            assert await work.refunds.of_payment(refund.payment_id) == [moved]


async def test_a_refund_has_one_attempt_that_may_send_money(store: Store) -> None:
    refund = await refunded(store.storage, refund_of(await captured(store.storage)))

    async def attempt(number: int, outcome: RefundAttemptOutcome) -> None:
        made = make_refund_attempt(
            id=uuid4(),
            refund_id=refund.id,
            payment_id=refund.payment_id,
            number=number,
            reference=uuid4().hex,
            outcome=outcome,
            sent_at=NOW,
        )
        async with store.storage.work() as work:
            await work.refund_attempts.add(made)

    await attempt(1, RefundAttemptOutcome.FAILED)
    await attempt(2, RefundAttemptOutcome.UNKNOWN)
    with pytest.raises(store.refused):
        await attempt(3, RefundAttemptOutcome.RECORDED)
    await attempt(4, RefundAttemptOutcome.SUCCEEDED)
    async with store.storage.work() as work:
        found = await work.refund_attempts.of_refund(refund.id)
    assert [each.number for each in found] == [1, 2, 4]


async def test_the_attempts_of_a_refund_are_found_and_hurried(storage: Storage) -> None:
    refund = await refunded(storage, refund_of(await captured(storage)))
    later = NOW + timedelta(hours=1)
    attempt = make_refund_attempt(
        refund_id=refund.id, payment_id=refund.payment_id, next_check_at=later
    )
    async with storage.work() as work:
        await work.refund_attempts.add(attempt)
        assert await work.refund_attempts.by_reference("eversend", attempt.reference) == attempt
        await work.refund_attempts.hasten(refund.id, NOW)
        assert await work.refund_attempts.of_refund(refund.id) == [
            replace(attempt, next_check_at=NOW)
        ]


@dataclass(frozen=True, slots=True)
class Entries:
    """Makes entries that move an amount from revenue to the clearing account."""

    payment_id: UUID

    def entry(self, source: str, debit: int, credit: int) -> JournalEntry:
        lines = (
            Line(account="clearing:eversend", amount=Money("UGX", debit)),
            Line(account="revenue:memberships", amount=Money("UGX", -credit)),
        )
        return JournalEntry(
            id=uuid4(),
            kind=EntryKind.CAPTURE,
            source=source,
            summary="eversend took it",
            at=NOW,
            lines=lines,
            payment_id=self.payment_id,
        )


async def test_an_entry_is_made_once_for_one_source(storage: Storage) -> None:
    entries = Entries((await stored_payment(storage)).id)
    first, again = entries.entry("capture:1", 500, 500), entries.entry("capture:1", 700, 700)
    for entry in (first, again):
        async with storage.work() as work:
            await work.ledger.post([entry])
    async with storage.work() as work:
        assert await work.ledger.of_payment(entries.payment_id) == [first]
        assert await work.ledger.balances("clearing:eversend") == [Money("UGX", 500)]
        assert await work.ledger.balances("revenue:memberships") == [Money("UGX", -500)]
        assert await work.ledger.balances("asset:bank") == []


async def test_an_entry_that_does_not_balance_is_never_stored(store: Store) -> None:
    entries = Entries((await stored_payment(store.storage)).id)
    with pytest.raises(store.refused):
        async with store.storage.work() as work:
            await work.ledger.post([entries.entry("capture:1", 500, 499)])
    async with store.storage.work() as work:
        assert await work.ledger.of_payment(entries.payment_id) == []
