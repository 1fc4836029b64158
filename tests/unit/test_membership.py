"""What a completed payment grants, from when and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.membership import (
    RENEWAL_WINDOW,
    Membership,
    MembershipStatus,
    granted,
    period_end,
    revoked,
)
from services.payments.domain.payment import BillingCycle, Payment
from tests.unit.factories import NOW, make_payment, make_purchase

MONTHLY, ANNUAL = BillingCycle.MONTHLY, BillingCycle.ANNUAL
FREE = Membership(user_id="member-1")
PRO = Membership(
    user_id="member-1",
    tier="pro",
    billing_cycle=MONTHLY,
    period_start=NOW,
    period_end=NOW + timedelta(days=31),
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(hour=23, minute=59, second=59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "cycle", "end"),
    [
        ("2026-01-15", MONTHLY, "2026-02-15"),
        ("2026-12-15", MONTHLY, "2027-01-15"),
        ("2026-12-31", MONTHLY, "2027-01-31"),
        ("2026-01-31", MONTHLY, "2026-02-28"),
        ("2028-01-31", MONTHLY, "2028-02-29"),
        ("2026-03-31", MONTHLY, "2026-04-30"),
        ("2026-02-28", MONTHLY, "2026-03-28"),
        ("2026-06-15", ANNUAL, "2027-06-15"),
        ("2028-02-29", ANNUAL, "2029-02-28"),
        ("2027-02-28", ANNUAL, "2028-02-28"),
    ],
)
def test_a_period_ends_on_the_same_day_or_the_last_one_of_its_month(
    start: str, cycle: BillingCycle, end: str
) -> None:
    assert period_end(day(start), cycle) == day(end)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_month_has_28_to_31_days_and_a_year_365_or_366(start: datetime) -> None:
    assert 28 <= (period_end(start, MONTHLY) - start).days <= 31
    assert 365 <= (period_end(start, ANNUAL) - start).days <= 366


def test_a_first_purchase_begins_now() -> None:
    payment = make_payment()
    assert granted(FREE, payment, NOW) == Membership(
        user_id="member-1",
        tier="pro",
        status=MembershipStatus.ACTIVE,
        billing_cycle=MONTHLY,
        period_start=NOW,
        period_end=period_end(NOW, MONTHLY),
        payment_id=payment.id,
    )


def test_the_same_tier_goes_on_from_the_end_of_what_is_paid() -> None:
    later = NOW + timedelta(days=28)
    renewed = granted(PRO, make_payment(), later)
    assert PRO.period_end is not None
    assert renewed.period_start == PRO.period_start
    assert renewed.period_end == period_end(PRO.period_end, MONTHLY)


def test_the_same_tier_with_another_cycle_goes_on_too() -> None:
    annual = make_payment(purchase=make_purchase(billing_cycle=ANNUAL))
    assert PRO.period_end is not None
    extended = granted(PRO, annual, NOW)
    assert extended.billing_cycle is ANNUAL
    assert extended.period_end == period_end(PRO.period_end, ANNUAL)


@pytest.mark.parametrize(
    ("tier", "at"),
    [("studio", NOW + timedelta(days=3)), ("pro", NOW + timedelta(days=31))],
    ids=["another tier", "the same tier after its end"],
)
def test_another_tier_and_a_lapsed_one_begin_now(tier: str, at: datetime) -> None:
    begun = granted(PRO, make_payment(purchase=make_purchase(tier=tier)), at)
    assert (begun.tier, begun.period_start) == (tier, at)
    assert begun.period_end == period_end(at, MONTHLY)


def test_what_is_paid_for_is_covered_until_the_renewal_window_opens() -> None:
    assert PRO.period_end is not None
    opens = PRO.period_end - RENEWAL_WINDOW
    assert timedelta(days=7) == RENEWAL_WINDOW
    assert PRO.covers("pro", MONTHLY, opens - timedelta(microseconds=1))
    assert not PRO.covers("pro", MONTHLY, opens)


def test_only_the_same_tier_and_cycle_are_covered() -> None:
    assert PRO.covers("pro", MONTHLY, NOW)
    assert not PRO.covers("studio", MONTHLY, NOW)
    assert not PRO.covers("pro", ANNUAL, NOW)
    assert not FREE.covers("free", MONTHLY, NOW)


def test_after_its_period_a_member_has_the_free_tier() -> None:
    assert PRO.period_end is not None
    assert PRO.current(PRO.period_end - timedelta(microseconds=1)) == PRO
    assert PRO.current(PRO.period_end) == FREE
    assert FREE.current(NOW) == FREE
    assert replace(FREE, user_id="other").current(NOW).user_id == "other"


def completed(held: Membership, at: datetime, **changes: Any) -> tuple[Payment, Membership]:
    """Return a payment that was completed at a time, and what the member has from then on."""
    payment = make_payment(completed_at=at, **changes)
    after = granted(held, payment, at)
    start = held.period_end if after.period_start != at else at
    return replace(payment, period_start=start, period_end=after.period_end), after


def test_a_returned_first_purchase_leaves_the_free_tier() -> None:
    _, held = completed(FREE, NOW)
    assert revoked(held, [], NOW + timedelta(days=3)) == FREE


def test_a_returned_extension_ends_where_it_began_and_keeps_what_was_paid_before() -> None:
    first, held = completed(FREE, NOW)
    _, extended = completed(held, NOW + timedelta(days=28), id=UUID(int=2))
    left = revoked(extended, [first], NOW + timedelta(days=29))
    assert left == held


def test_an_extension_that_has_begun_ends_with_its_money() -> None:
    first, held = completed(FREE, NOW)
    _, extended = completed(held, NOW + timedelta(days=28), id=UUID(int=2))
    assert revoked(extended, [first], NOW + timedelta(days=40)) == FREE


def test_an_extension_that_has_not_begun_stays_when_the_one_on_top_of_it_is_returned() -> None:
    first, held = completed(FREE, NOW)
    second, extended = completed(held, NOW + timedelta(days=28), id=UUID(int=2))
    _, longest = completed(extended, NOW + timedelta(days=28), id=UUID(int=3))
    left = revoked(longest, [first, second], NOW + timedelta(days=29))
    assert left == extended


def test_returning_an_earlier_purchase_takes_nothing_of_what_a_later_one_granted() -> None:
    _, held = completed(FREE, NOW)
    second, extended = completed(held, NOW + timedelta(days=28), id=UUID(int=2))
    assert revoked(extended, [second], NOW + timedelta(days=29)) == extended


def test_returning_a_purchase_takes_nothing_of_another_tier_bought_since() -> None:
    _, held = completed(FREE, NOW)
    studio = make_purchase(tier="studio")
    second, other = completed(held, NOW + timedelta(days=3), id=UUID(int=2), purchase=studio)
    assert revoked(other, [second], NOW + timedelta(days=4)) == other


def test_returning_a_purchase_gives_the_time_back_that_was_paid_for_before_it() -> None:
    first, held = completed(FREE, NOW)
    studio = make_purchase(tier="studio")
    _, other = completed(held, NOW + timedelta(days=3), id=UUID(int=2), purchase=studio)
    assert revoked(other, [first], NOW + timedelta(days=4)) == held


def test_a_payment_that_granted_no_time_takes_none() -> None:
    first, held = completed(FREE, NOW)
    assert revoked(held, [first, make_payment(id=UUID(int=2))], NOW) == held


def test_returning_everything_in_any_order_leaves_the_free_tier() -> None:
    first, held = completed(FREE, NOW)
    second, extended = completed(held, NOW + timedelta(days=28), id=UUID(int=2))
    at = NOW + timedelta(days=29)
    for kept in ([first], [second]):
        left = revoked(extended, kept, at)
        assert revoked(left, kept, at) == left
        assert revoked(left, [], at) == FREE
