"""Callbacks are stored once and counted, keys are used once, history only grows."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.events import Delivery, EventStatus, GatewayEvent, Handling
from services.payments.domain.membership import Membership
from services.payments.domain.payment import BillingCycle
from services.payments.ports import (
    After,
    EventFilter,
    IdempotencyRecord,
    IdempotencyScope,
    Storage,
)
from tests.database.rows import stored_payment
from tests.unit.factories import NOW

SCOPE = IdempotencyScope(caller="bff", user_id="amina", method="CreatePayment", key="key-1")
DELIVERY = Delivery(
    gateway="eversend",
    event_key="event-1",
    event_type="charge.completed",
    reference="cp0001",
    gateway_transaction_id="tx-1",
    raw_body=b"{}",
    headers={"content-type": "application/json"},
    received_at=NOW,
)


def record(**changes: object) -> IdempotencyRecord:
    made = IdempotencyRecord(
        scope=SCOPE,
        fingerprint=b"\0" * 32,
        owner=UUID(int=1),
        lease_until=NOW,
        payment_id=UUID(int=2),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def add(storage: Storage, delivery: Delivery = DELIVERY) -> tuple[UUID, bool]:
    async with storage.work() as work:
        return await work.events.add(uuid4(), delivery, "request-1")


async def handled(storage: Storage, handling: Handling) -> GatewayEvent:
    """Claim the one event that is due and store how far it was handled."""
    async with storage.work() as work:
        (event,) = await work.events.claim_due(NOW, timedelta(minutes=1), 9)
        await work.events.mark(event, handling, NOW)
    return event


async def due_events(storage: Storage) -> list[UUID]:
    async with storage.work() as work:
        return [each.id for each in await work.events.claim_due(NOW, timedelta(minutes=1), 9)]


async def test_the_same_callback_is_stored_once(storage: Storage) -> None:
    stored, new = await add(storage)
    assert (new, await add(storage)) == (True, (stored, False))
    elsewhere = replace(DELIVERY, gateway="flutterwave")
    assert (await add(storage, elsewhere))[1]


async def test_a_handled_callback_that_comes_again_is_not_handled_again(storage: Storage) -> None:
    await add(storage)
    await handled(storage, Handling(status=EventStatus.PROCESSED))
    await add(storage)
    assert await due_events(storage) == []


async def test_a_callback_that_brought_nothing_final_is_handled_again_when_it_comes_again(
    storage: Storage,
) -> None:
    stored, _ = await add(storage)
    await handled(storage, Handling(status=EventStatus.PROCESSED, note="not final"))
    assert await due_events(storage) == []
    await add(storage)
    assert await due_events(storage) == [stored]


async def test_a_callback_shows_how_far_it_was_handled(storage: Storage) -> None:
    payment = await stored_payment(storage)
    stored, _ = await add(storage)
    again_at = NOW + timedelta(hours=1)
    handling = Handling(
        status=EventStatus.RECEIVED,
        payment_id=payment.id,
        next_try_at=again_at,
        note="the gateway did not answer",
    )
    claimed = await handled(storage, handling)
    async with storage.work() as work:
        event = await work.events.lock(stored)
        missing = await work.events.lock(uuid4())
    assert event is not None
    assert missing is None
    assert (event.tries, event.payment_id, event.next_try_at) == (1, payment.id, again_at)
    assert (event.note, event.status) == (handling.note, handling.status)
    assert (claimed.tries, event.lease_token) == (0, claimed.lease_token)


async def test_the_inbox_has_what_matches_nothing_oldest_first(storage: Storage) -> None:
    for number in (2, 1, 3):
        at = NOW - timedelta(minutes=number)
        await add(storage, replace(DELIVERY, event_key=f"event-{number}", received_at=at))
        await handled(storage, Handling(status=EventStatus.UNATTRIBUTED))
    await add(storage)
    async with storage.work() as work:
        first, *rest = await work.events.unattributed(None, 9)
        after = After(first.received_at, first.id)
        assert list(await work.events.unattributed(after, 9)) == rest
        assert await work.events.count_unattributed() == 3
    assert [each.event_key for each in (first, *rest)] == ["event-3", "event-2", "event-1"]


async def test_callbacks_are_listed_newest_first_and_made_due_again(storage: Storage) -> None:
    keys = {}
    for number in (1, 2, 3):
        at = NOW - timedelta(minutes=number)
        changed = replace(DELIVERY, event_key=f"event-{number}", received_at=at)
        keys[number], _ = await add(storage, changed)
        await handled(storage, Handling(status=EventStatus.PROCESSED))
    wanted = EventFilter(received_from=NOW - timedelta(minutes=2))
    async with storage.work() as work:
        assert [each.id for each in await work.events.page(wanted, 9)] == [keys[1], keys[2]]
        assert await work.events.count(wanted) == 2
        assert await work.events.count(EventFilter(ids=(keys[3],), status="processed")) == 1
        assert await work.events.handle_again(wanted, NOW) == 2
    assert set(await due_events(storage)) == {keys[1], keys[2]}


async def test_a_key_is_used_once_and_keeps_its_first_answer(storage: Storage) -> None:
    async with storage.work() as work:
        assert await work.keys.get(SCOPE) is None
        assert await work.keys.add(record(), NOW)
        assert not await work.keys.add(record(owner=UUID(int=9)), NOW)
        assert await work.keys.get(SCOPE) == record()
    for answer in (b"first", b"second"):
        async with storage.work() as work:
            await work.keys.finish(SCOPE, UUID(int=3), answer)
    async with storage.work() as work:
        assert await work.keys.get(SCOPE) == record(payment_id=UUID(int=3), response=b"first")


async def test_a_key_that_is_forgotten_can_be_used_again(storage: Storage) -> None:
    async with storage.work() as work:
        assert await work.keys.add(record(), NOW)
    async with storage.work() as work:
        await work.keys.forget(SCOPE)
        assert await work.keys.add(record(owner=UUID(int=9)), NOW)


async def test_keys_differ_by_caller_member_and_method(storage: Storage) -> None:
    async with storage.work() as work:
        for changes in ({}, {"caller": "platform"}, {"user_id": "b"}, {"method": "CancelPayment"}):
            assert await work.keys.add(record(scope=replace(SCOPE, **changes)), NOW)


async def test_history_comes_in_the_order_in_which_it_was_written(storage: Storage) -> None:
    payment = await stored_payment(storage)
    entries = [
        AuditEntry(
            payment_id=payment.id,
            kind=AuditKind.MOVE,
            actor="worker",
            action=f"action-{number}",
            reason="because",
            request_id="request-1",
            at=NOW,
            details={"number": str(number)},
        )
        for number in range(3)
    ]
    for part in (entries[:2], entries[2:], []):
        async with storage.work() as work:
            await work.audit.append(part)
    async with storage.work() as work:
        assert await work.audit.of_payment(payment.id) == entries
        assert await work.audit.of_payment(uuid4()) == []


async def test_a_member_who_never_paid_has_the_free_tier(storage: Storage) -> None:
    async with storage.work() as work:
        assert await work.memberships.get("nobody") == Membership(user_id="nobody")


async def test_a_membership_is_stored_whole_and_replaced(storage: Storage) -> None:
    payment = await stored_payment(storage)
    pro = Membership(
        user_id="amina",
        tier="pro",
        billing_cycle=BillingCycle.MONTHLY,
        period_start=NOW,
        period_end=NOW + timedelta(days=30),
        payment_id=payment.id,
    )
    for membership in (pro, Membership(user_id="amina")):
        async with storage.work() as work:
            await work.memberships.save(membership, NOW)
            assert await work.memberships.get("amina") == membership


async def test_the_newest_price_book_is_there_and_has_a_free_tier(storage: Storage) -> None:
    async with storage.work() as work:
        book = await work.prices.current()
    assert book.version >= 1
    assert book.tier("free") is not None


async def test_facts_are_stored_with_the_change_that_they_tell_of(storage: Storage) -> None:
    payment = await stored_payment(storage)
    async with storage.work() as work:
        await work.outbox.add("payment.completed", payment, NOW)
