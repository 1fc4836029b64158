"""Payments and their history as rows: nothing is lost, nothing is overwritten, pages are exact."""

import asyncio
from dataclasses import fields, replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.unit_of_work import PostgresStorage
from kit.money import Money
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Customer,
    Failure,
    NextAction,
    Payment,
    PaymentMethod,
    Purchase,
)
from services.payments.domain.states import PaymentStatus
from services.payments.ports import PaymentFilter
from tests.database.rows import PATHS, move, stored_payment, unstored_payment
from tests.database.waiting import somebody_waits_for_a_lock
from tests.unit.factories import NOW, make_payment, make_purchase

PURCHASE = Purchase(
    user_id="member with every field",
    tier="studio",
    billing_cycle=BillingCycle.ANNUAL,
    payment_method=PaymentMethod.EXPRESS,
    amount=Money("KES", 3_250_050),
    price_book_version=7,
    customer=Customer(
        email="amina@example.com",
        name="Amina “Ñ” \U0001f4b8 O'Kello",
        phone_number="+254712345678",
        country_code="KE",
    ),
    return_url="https://creators.example/return?a=1&b=%20",
    payment_option="paypal",
    mobile_money_network="MTN",
)


async def read(storage: PostgresStorage, payment_id: UUID) -> Payment:
    async with storage.work() as work:
        payment = await work.payments.get(payment_id)
    assert payment is not None
    return payment


async def test_every_field_of_a_payment_is_stored(storage: PostgresStorage) -> None:
    new = unstored_payment(purchase=PURCHASE, previous_tier="starter", idempotency_key="k-9")
    changed = replace(
        new,
        status=PaymentStatus.PROCESSING,
        version=2,
        updated_at=NOW + timedelta(microseconds=1),
        completed_at=NOW + timedelta(microseconds=2),
        gateway="flutterwave",
        gateway_reference="cp0001",
        gateway_transaction_id="tx-1",
        next_action=NextAction(
            kind=ActionKind.REDIRECT, value="https://pay.example/1", expires_at=NOW
        ),
        failure=Failure(code="declined", message="Déclined.", at=NOW),
        refunded_minor=50,
        review_reason="underpaid",
        verification_count=3,
        last_verified_at=NOW + timedelta(microseconds=3),
        webhook_count=4,
        webhook_received_at=NOW + timedelta(microseconds=4),
        period_start=NOW + timedelta(microseconds=5),
        period_end=NOW + timedelta(days=31),
    )
    async with storage.work() as work:
        assert await work.payments.add(new)
    assert await read(storage, new.id) == new
    async with storage.work() as work:
        await work.payments.save(changed, new)
    assert await read(storage, new.id) == changed
    unchanged = {
        each.name
        for each in fields(Payment)
        if getattr(changed, each.name) == getattr(new, each.name)
    }
    assert unchanged == {"id", "purchase", "previous_tier", "idempotency_key", "created_at"}
    empty = make_purchase()
    assert not [
        each.name
        for each in fields(Purchase)
        if getattr(PURCHASE, each.name) == getattr(empty, each.name)
    ]


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        (Money("UGX", 35_000), "35000"),
        (Money("KES", 125_050), "1250.50"),
        (Money("KWD", 1_005), "1.005"),
        (Money("USD", 1), "0.01"),
        (Money("XAF", 10**15 - 1), "999999999999999"),
    ],
    ids=str,
)
async def test_amounts_are_stored_exactly_in_major_units(
    owner: asyncpg.Connection, storage: PostgresStorage, amount: Money, stored: str
) -> None:
    purchase = make_purchase(user_id=f"pays {amount}", amount=amount)
    payment = await stored_payment(storage, purchase=purchase)
    column = "SELECT amount::text FROM creators_membership WHERE id = $1"
    assert await owner.fetchval(column, payment.id) == stored
    assert (await read(storage, payment.id)).amount == amount


async def test_a_payment_that_nobody_made_is_missing(storage: PostgresStorage) -> None:
    async with storage.work() as work:
        assert await work.payments.get(uuid4()) is None
        with pytest.raises(LookupError):
            await work.payments.lock(uuid4())


@pytest.mark.parametrize(
    "previous",
    [{"version": 1}, {"version": 3}, {"status": PaymentStatus.PROCESSING}],
    ids=["older version", "newer version", "other status"],
)
async def test_a_write_from_a_stale_reading_is_refused(
    storage: PostgresStorage, previous: dict[str, object]
) -> None:
    payment = await stored_payment(storage, version=2)
    stale = replace(payment, **previous)  # type: ignore[arg-type]  # one field of several types
    with pytest.raises(StaleWriteError):
        async with storage.work() as work:
            await work.payments.save(replace(payment, version=9, gateway="other"), stale)
    assert await read(storage, payment.id) == payment


async def test_of_two_writers_with_the_same_reading_one_is_refused(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)

    async def write(gateway: str) -> None:
        async with storage.work() as work:
            await work.payments.save(replace(payment.touched(NOW), gateway=gateway), payment)

    async with storage.work() as work:
        await work.payments.save(replace(payment.touched(NOW), gateway="first"), payment)
        second = asyncio.create_task(write("second"))
        await somebody_waits_for_a_lock(owner)
    with pytest.raises(StaleWriteError):
        await second
    assert (await read(storage, payment.id)).gateway == "first"


async def test_who_locks_a_payment_reads_what_the_holder_before_left(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)

    async def locked_version() -> int:
        async with storage.work() as work:
            return (await work.payments.lock(payment.id)).version

    async with storage.work() as work:
        held = await work.payments.lock(payment.id)
        waiting = asyncio.create_task(locked_version())
        await somebody_waits_for_a_lock(owner)
        await work.payments.save(held.touched(NOW), held)
    assert await waiting == 2


@pytest.mark.parametrize("rolled_back", [False, True])
async def test_two_tabs_at_once_make_one_open_payment(
    owner: asyncpg.Connection, storage: PostgresStorage, *, rolled_back: bool
) -> None:
    first = unstored_payment()
    second = make_payment(id=uuid4(), purchase=first.purchase)

    async def add_second() -> bool:
        async with storage.work() as work:
            return await work.payments.add(second)

    async def add_first() -> asyncio.Task[bool]:
        async with storage.work() as work:
            assert await work.payments.add(first)
            waiting = asyncio.create_task(add_second())
            await somebody_waits_for_a_lock(owner)
            if rolled_back:
                raise InterruptedError(waiting)
        return waiting

    try:
        waiting = await add_first()
    except InterruptedError as error:
        waiting = error.args[0]
    assert await waiting is rolled_back
    async with storage.work() as work:
        found = await work.payments.open_for(first.user_id, "pro", "monthly")
    assert found == (second if rolled_back else first)


@pytest.mark.parametrize("status", list(PATHS))
async def test_an_open_payment_is_found_and_no_other(
    owner: asyncpg.Connection, storage: PostgresStorage, status: str
) -> None:
    payment = await stored_payment(storage)
    for step in PATHS[status]:
        await move(owner, payment.id, step)
    async with storage.work() as work:
        found = await work.payments.open_for(payment.user_id, "pro", "monthly")
        assert await work.payments.open_for(payment.user_id, "pro", "annual") is None
        assert await work.payments.open_for(payment.user_id, "studio", "monthly") is None
    assert (found is not None) is (status in ("pending", "processing"))


async def test_pages_are_exact_when_many_payments_have_one_time(storage: PostgresStorage) -> None:
    tiers = [f"tier-{number}" for number in range(7)]
    payments = [
        await stored_payment(
            storage,
            purchase=make_purchase(user_id="lists", tier=tier),
            created_at=NOW - timedelta(days=number // 5),
        )
        for number, tier in enumerate(tiers)
    ]
    wanted, seen = PaymentFilter(user_id="lists"), list[Payment]()
    while True:
        async with storage.work() as work:
            page = await work.payments.page(wanted, 2)
        if not page:
            break
        assert len(page) <= 2
        seen += page
        wanted = replace(wanted, before=(page[-1].created_at, page[-1].id))
    newest_first = sorted(payments, key=lambda each: (each.created_at, each.id), reverse=True)
    assert seen == newest_first


async def test_a_list_has_what_its_filters_say(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    members = ["filters-1", "filters-2"]
    first, second = [
        await stored_payment(
            storage,
            purchase=make_purchase(user_id=member),
            gateway=gateway,
            created_at=NOW + timedelta(days=number),
        )
        for number, (member, gateway) in enumerate(
            zip(members, ("one gateway", "another gateway"), strict=True), start=1000
        )
    ]
    await move(owner, second.id, "expired")

    async def listed(**filters: object) -> list[UUID]:
        wanted = PaymentFilter(**filters)  # type: ignore[arg-type]  # one field of several types
        async with storage.work() as work:
            page = await work.payments.page(wanted, 10)
        return [payment.id for payment in page]

    recent = {"created_from": first.created_at}
    assert await listed(**recent) == [second.id, first.id]
    assert await listed(created_from=first.created_at + timedelta(microseconds=1)) == [second.id]
    assert await listed(**recent, created_before=second.created_at) == [first.id]
    assert await listed(user_id="filters-1") == [first.id]
    assert await listed(gateway="another gateway") == [second.id]
    assert await listed(**recent, status=PaymentStatus.EXPIRED) == [second.id]
    assert await listed(**recent, status=PaymentStatus.COMPLETED) == []


async def test_history_is_read_as_it_was_written_in_its_order(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    full = AuditEntry(
        payment_id=payment.id,
        kind=AuditKind.MOVE,
        actor="worker",
        action="payment_completed",
        reason="eversend took UGX 35,000",
        request_id="r-1",
        at=NOW,
        rule="PAID: …",
        from_status=PaymentStatus.PROCESSING,
        to_status=PaymentStatus.COMPLETED,
        details={"reference": "cp0001", "amount": "UGX 35,000"},
    )
    plain = replace(full, kind=AuditKind.CHECK, from_status=None, to_status=None, details={})
    async with storage.work() as work:
        await work.audit.append([full, plain])
        await work.audit.append([])
        await work.audit.append([full])
    async with storage.work() as work:
        assert await work.audit.of_payment(payment.id) == [full, plain, full]
        assert await work.audit.of_payment(uuid4()) == []
