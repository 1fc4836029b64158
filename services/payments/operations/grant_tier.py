"""Grants what verified money bought, and takes it back when the money goes back."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditKind
from services.payments.domain.evidence import RULES, Evidence
from services.payments.domain.membership import Membership, granted, revoked
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import Note, Ruling, bought_elsewhere
from services.payments.domain.states import KEPT_STATUSES, OPEN_STATUSES, PaymentStatus
from services.payments.ports import PaymentFilter, Work

# Far more than a member has open, or has paid for that is not over.
_MOST_OF_A_MEMBER = 50


async def membership_for(work: Work, attempt: Attempt) -> Membership | None:
    """Lock what the member has whose payment an attempt is for; always before the payment."""
    payment = await work.payments.get(attempt.payment_id)
    return await work.memberships.lock(payment.user_id) if payment else None


async def is_bought_elsewhere(
    work: Work, payment: Payment, attempt: Attempt, held: Membership, now: datetime
) -> bool:
    """Whether the member has what an attempt would buy, or has chosen something newer since.

    `held`: the membership as it is at `now`. It remembers one tier and cycle only, so purchases
    that began after the attempt count too: money of an older choice does not undo a newer one.
    """
    purchase = payment.purchase
    if held.covers(purchase.tier, purchase.billing_cycle, now):
        return True
    return await work.payments.bought_after(payment.user_id, attempt.created_at, payment.id)


async def grant_tier(
    work: Work, ruling: Ruling, before: Payment, held: Membership, now: datetime
) -> Ruling:
    """Grant the tier, unless the member meanwhile bought the same thing with another payment.

    `held`: the locked membership. Returns the ruling with the period that was granted, or the money
    as surplus. The member's other open ways to pay are looked at soon.
    """
    held = held.current(now)
    if ruling.taken is not None and await is_bought_elsewhere(
        work, before, ruling.attempt, held, now
    ):
        return bought_elsewhere(before, ruling.attempt, ruling.taken.amount, now)
    membership = granted(held, ruling.payment, now)
    await work.memberships.save(membership, now)
    await _hasten_others(work, before, now)
    extended = held.period_end if membership.period_start != now else None
    payment = replace(
        ruling.payment, period_start=extended or now, period_end=membership.period_end
    )
    note = Note(
        kind=AuditKind.EFFECT,
        action="tier_granted",
        reason=f"{membership.tier} until {membership.period_end:%Y-%m-%d}",
        rule=RULES[Evidence.PAID],
        details={"tier": membership.tier, "previous_tier": held.tier},
    )
    return replace(ruling, payment=payment, notes=(*ruling.notes, note))


async def _hasten_others(work: Work, payment: Payment, now: datetime) -> None:
    """Have the member's other open ways to pay closed soon, where there is nothing left to buy."""
    await work.attempts.hasten(payment.id, now)
    for other in await _of_member(work, payment.user_id, OPEN_STATUSES):
        if other.id != payment.id:
            await work.attempts.hasten(other.id, now)


async def _of_member(
    work: Work, user_id: str, statuses: Iterable[PaymentStatus]
) -> Sequence[Payment]:
    """Read a member's newest payments in any of the statuses."""
    found: list[Payment] = []
    for status in statuses:
        wanted = PaymentFilter(user_id=user_id, status=status)
        found += await work.payments.page(wanted, _MOST_OF_A_MEMBER)
    return found


async def revoke_tier(
    work: Work, payment: Payment, held: Membership, now: datetime
) -> tuple[Note, ...]:
    """End the time that a payment granted, once all of its money went back."""
    kept = await _of_member(work, payment.user_id, KEPT_STATUSES)
    left = revoked(held, kept, now)
    if left == held:
        return ()
    await work.memberships.save(left, now)
    rule = "REFUNDED: what was paid for and returned is not kept"
    reason = f"{held.tier} ends: {payment.amount} was returned"
    note = Note(kind=AuditKind.EFFECT, action="tier_revoked", reason=reason, rule=rule)
    return (note,)
