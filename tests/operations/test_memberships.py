"""What a completed payment grants, from the request to the day it ends, and exactly once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import BillingCycle, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.apply_gateway_event import check_due_attempt
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.memberships import get_membership
from tests.operations.fakes import Call, Operation, meanwhile, reply
from tests.operations.suite import Suite, by_card

ANNUAL = BillingCycle.ANNUAL


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def pay(suite: Suite, payment: Payment) -> Payment:
    """Have the money of a payment arrive now."""
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(await suite.newest_attempt(payment.id), key=f"paid {payment.id}")
    assert await suite.handle_events() == 1
    completed = await suite.payment(payment.id)
    assert completed.status is PaymentStatus.COMPLETED
    return completed


async def buy(suite: Suite, command: CreatePaymentCommand) -> Payment:
    return await pay(suite, await suite.create(command))


PERIODS = [
    ("2027-01-31", BillingCycle.MONTHLY, "2027-02-28"),
    ("2028-01-31", BillingCycle.MONTHLY, "2028-02-29"),
    ("2026-12-15", BillingCycle.MONTHLY, "2027-01-15"),
    ("2026-05-31", BillingCycle.MONTHLY, "2026-06-30"),
    ("2028-02-29", ANNUAL, "2029-02-28"),
    ("2026-07-04", ANNUAL, "2027-07-04"),
]


@pytest.mark.parametrize(("start", "cycle", "end"), PERIODS)
async def test_a_payment_grants_its_period_from_the_day_the_money_is_verified(
    suite: Suite, start: str, cycle: BillingCycle, end: str
) -> None:
    suite.clock.move_to(day(start) - timedelta(minutes=10))
    payment = await suite.create(by_card(billing_cycle=cycle))
    suite.clock.move_to(day(start))
    await pay(suite, payment)
    membership = await suite.membership()
    assert (membership.tier, membership.billing_cycle) == ("pro", cycle)
    assert (membership.period_start, membership.period_end) == (day(start), day(end))
    assert membership.payment_id == payment.id


async def test_the_tier_ends_with_its_period(suite: Suite) -> None:
    await buy(suite, by_card())
    end = (await suite.membership()).period_end
    assert end is not None
    suite.clock.move_to(end - timedelta(microseconds=1))
    assert (await get_membership(suite.deps, "member-1")).tier == "pro"
    suite.clock.move_to(end)
    assert (await get_membership(suite.deps, "member-1")).tier == FREE_TIER


async def test_a_renewal_goes_on_where_the_paid_period_ends(suite: Suite) -> None:
    suite.clock.move_to(day("2026-04-10"))
    await buy(suite, by_card())
    suite.clock.move_to(day("2026-05-05"))
    renewal = await buy(suite, by_card(idempotency_key="key-2"))
    assert renewal.previous_tier == "pro"
    membership = await suite.membership()
    assert (membership.period_start, membership.period_end) == (
        day("2026-04-10"),
        day("2026-06-10"),
    )


async def test_buying_again_after_the_end_begins_anew(suite: Suite) -> None:
    suite.clock.move_to(day("2026-04-10"))
    await buy(suite, by_card())
    suite.clock.move_to(day("2026-05-11"))
    again = await buy(suite, by_card(idempotency_key="key-2"))
    assert again.previous_tier == FREE_TIER
    membership = await suite.membership()
    assert (membership.period_start, membership.period_end) == (
        day("2026-05-11"),
        day("2026-06-11"),
    )


async def test_a_year_of_the_same_tier_is_added_to_the_month_that_is_paid(suite: Suite) -> None:
    suite.clock.move_to(day("2026-04-10"))
    await buy(suite, by_card())
    await buy(suite, by_card(idempotency_key="key-2", billing_cycle=ANNUAL))
    membership = await suite.membership()
    assert membership.billing_cycle is ANNUAL
    assert membership.period_end == day("2027-05-10")


async def test_another_tier_begins_at_once(suite: Suite) -> None:
    suite.clock.move_to(day("2026-04-10"))
    await buy(suite, by_card())
    suite.clock.move_to(day("2026-04-20"))
    switch = await buy(suite, by_card(idempotency_key="key-2", tier="studio"))
    assert switch.previous_tier == "pro"
    membership = await suite.membership()
    assert (membership.tier, membership.period_start, membership.period_end) == (
        "studio",
        day("2026-04-20"),
        day("2026-05-20"),
    )


async def both_at_once(suite: Suite, *commands: CreatePaymentCommand) -> list[Payment]:
    """Have the money of two open payments verified at the same moment, by two workers."""
    payments = [await suite.create(command) for command in commands]
    together = asyncio.Barrier(len(payments))

    async def wait_for_each_other(_call: Call) -> None:
        async with asyncio.timeout(10):
            await together.wait()

    paid = meanwhile(wait_for_each_other, reply(Answer.SUCCEEDED))
    suite.gateways.always(Operation.LOOK_UP, paid)
    suite.clock.advance(5)
    await asyncio.gather(*(check_one(suite) for _ in payments))
    completed = [await suite.payment(payment.id) for payment in payments]
    assert {payment.status for payment in completed} == {PaymentStatus.COMPLETED}
    return completed


async def check_one(suite: Suite) -> None:
    """Do what one due attempt is due for, as a worker with room for one does."""
    async with suite.deps.storage.work() as work:
        (attempt,) = await work.attempts.claim_due(suite.clock.now(), timedelta(minutes=1), 1)
    await check_due_attempt(suite.deps, attempt)


@pytest.mark.parametrize("time", range(5))
async def test_two_payments_that_complete_at_once_both_count_once(suite: Suite, time: int) -> None:
    suite.clock.move_to(day(f"2026-04-1{time}"))
    month = by_card()
    year = by_card(idempotency_key="key-2", billing_cycle=ANNUAL)
    payments = await both_at_once(suite, month, year)
    assert (await suite.membership()).period_end == (suite.clock.now().replace(year=2027, month=5))
    for payment in payments:
        assert await suite.effects(payment.id) == ["tier_granted"]
        assert await suite.facts(payment.id) == ["payment.completed"]


async def test_of_two_tiers_that_are_paid_at_once_the_later_one_stays(suite: Suite) -> None:
    payments = await both_at_once(suite, by_card(), by_card(idempotency_key="key-2", tier="studio"))
    (last,) = await suite.witness.rows(
        "SELECT details ->> 'tier' AS tier, details ->> 'previous_tier' AS previous"
        " FROM payment_audit_log WHERE action = 'tier_granted' ORDER BY id DESC LIMIT 1"
    )
    membership = await suite.membership()
    assert membership.tier == last["tier"]
    assert {last["tier"], last["previous"]} == {"pro", "studio"}
    for payment in payments:
        assert await suite.effects(payment.id) == ["tier_granted"]
