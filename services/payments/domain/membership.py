"""What a member has, and what a completed payment grants."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.payments.domain.payment import BillingCycle, Payment

FREE_TIER = "free"
_MONTHS = {BillingCycle.MONTHLY: 1, BillingCycle.ANNUAL: 12}
# In the last days of a period the member may buy the next one.
RENEWAL_WINDOW = timedelta(days=7)


class MembershipStatus(StrEnum):
    """Where a membership stands."""

    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a member has: a tier and the period it is paid for.

    The free tier has no billing cycle and no period. `payment_id` is the payment that granted it.
    """

    user_id: str
    tier: str = FREE_TIER
    status: MembershipStatus = MembershipStatus.ACTIVE
    billing_cycle: BillingCycle | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    payment_id: UUID | None = None

    def covers(self, tier: str, cycle: BillingCycle, at: datetime) -> bool:
        """Whether buying `tier` for `cycle` at `at` would pay for what the member already has."""
        return (
            self.tier == tier
            and self.billing_cycle is cycle
            and self.period_end is not None
            and self.period_end > at + RENEWAL_WINDOW
        )

    def current(self, at: datetime) -> "Membership":
        """Return the membership as it is at `at`: after its period, the free tier."""
        if self.period_end is not None and self.period_end <= at:
            return Membership(user_id=self.user_id)
        return self


def granted(held: Membership, payment: Payment, at: datetime) -> Membership:
    """Return what the member has once `payment` is verified at `at`.

    The same tier goes on from the end of the period that is already paid; another one begins now.
    """
    purchase = payment.purchase
    extends = held.tier == purchase.tier and held.period_end is not None and held.period_end > at
    start = at
    begins = held.period_end if extends and held.period_end else at
    if extends and held.period_start:
        start = held.period_start
    return Membership(
        user_id=payment.user_id,
        tier=purchase.tier,
        billing_cycle=purchase.billing_cycle,
        period_start=start,
        period_end=period_end(begins, purchase.billing_cycle),
        payment_id=payment.id,
    )


def period_end(start: datetime, cycle: BillingCycle) -> datetime:
    """Return the end of a period: the same day of a later month, or that month's last day."""
    months = start.month - 1 + _MONTHS[cycle]
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return start.replace(year=year, month=month, day=day)


def revoked(held: Membership, kept: Sequence[Payment], at: datetime) -> Membership:
    """Return what the member has once a payment was fully returned.

    `kept`: the member's payments whose money is kept. The newest whose time is not over decides:
    what it granted stays, also the time that was bought before it, and nothing beyond it does.
    """
    granting = [each for each in kept if each.period_end is not None and each.period_end > at]
    newest = max(granting, key=lambda each: each.completed_at or each.created_at, default=None)
    if newest is None:
        return Membership(user_id=held.user_id)
    if newest.id == held.payment_id:
        return held
    begun = newest.period_start is not None and newest.period_start <= at
    return Membership(
        user_id=held.user_id,
        tier=newest.purchase.tier,
        billing_cycle=newest.purchase.billing_cycle,
        period_start=newest.period_start if begun else held.period_start,
        period_end=newest.period_end,
        payment_id=newest.id,
    )
