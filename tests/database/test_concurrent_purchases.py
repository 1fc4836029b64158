"""A member who buys the same thing twice at once pays once, whichever way the two runs overlap."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from db.signals import Announcer
from db.unit_of_work import PostgresStorage
from kit.clock import SystemClock
from kit.errors import ServiceError
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.membership import granted
from services.payments.domain.payment import Payment, PaymentMethod
from services.payments.domain.states import PaymentStatus
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from tests.database.rows import move, stored_attempt, stored_payment
from tests.database.waiting import somebody_waits_for_a_lock
from tests.databases import Database
from tests.unit.described_gateways import DescribedGateways, offer
from tests.unit.factories import make_dependencies


@pytest.fixture
def deps(storage: PostgresStorage, shared_database: Database) -> Dependencies:
    gateways = DescribedGateways(
        capabilities={"eversend": [offer(PaymentMethod.MOBILE_MONEY, "UGX", "UG")]}
    )
    return make_dependencies(storage, Announcer(shared_database.app_url, SystemClock()), gateways)


def the_same_again(payment: Payment) -> CreatePaymentCommand:
    """Return the request of a second tab: the same purchase under another key."""
    purchase = payment.purchase
    return CreatePaymentCommand(
        user_id=payment.user_id,
        tier=purchase.tier,
        billing_cycle=purchase.billing_cycle,
        payment_method=purchase.payment_method,
        currency=purchase.amount.currency,
        customer=purchase.customer,
        return_url=purchase.return_url,
        idempotency_key="the second tab",
    )


async def test_a_purchase_that_completes_meanwhile_is_not_bought_again(
    deps: Dependencies, owner: asyncpg.Connection
) -> None:
    payment = await stored_payment(deps.storage)
    await move(owner, payment.id, "processing")
    await stored_attempt(deps.storage, payment, outcome=AttemptOutcome.LIVE)
    async with deps.storage.work() as work:
        held = await work.memberships.lock(payment.user_id)
        before = await work.payments.lock(payment.id)
        now = deps.clock.now()
        await work.memberships.save(granted(held, before, now), now)
        completed = before.moved(PaymentStatus.COMPLETED, now).touched(now)
        await work.payments.save(completed, before)
        second_tab = asyncio.create_task(create_payment(deps, the_same_again(payment)))
        await somebody_waits_for_a_lock(owner)
    with pytest.raises(ServiceError) as refused:
        await second_tab
    assert refused.value.reason == "TIER_ALREADY_ACTIVE"
    count = "SELECT count(*) FROM creators_membership WHERE user_id = $1"
    assert await owner.fetchval(count, payment.user_id) == 1


async def test_a_second_tab_gets_the_payment_that_is_open_already(
    deps: Dependencies, owner: asyncpg.Connection
) -> None:
    payment = await stored_payment(deps.storage)
    await move(owner, payment.id, "processing")
    again = await create_payment(deps, the_same_again(payment))
    assert again.id == payment.id
    assert await create_payment(deps, the_same_again(payment)) == again


async def test_a_second_tab_that_pays_in_another_way_is_sent_to_the_open_payment(
    deps: Dependencies, owner: asyncpg.Connection
) -> None:
    payment = await stored_payment(deps.storage)
    await move(owner, payment.id, "processing")
    by_another_phone = replace(payment.purchase.customer, phone_number="+256772654321")
    with pytest.raises(ServiceError) as refused:
        await create_payment(deps, replace(the_same_again(payment), customer=by_another_phone))
    assert refused.value.reason == "PAYMENT_ALREADY_OPEN"
    assert refused.value.metadata == {"payment_id": str(payment.id)}
