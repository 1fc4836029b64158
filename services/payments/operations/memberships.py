"""Tiers, quotes and what members have."""

from services.payments.domain.errors import invalid
from services.payments.domain.membership import Membership
from services.payments.domain.payment import BillingCycle
from services.payments.domain.pricing import PriceBook, Quote, offered, quote
from services.payments.operations.dependencies import Dependencies


async def list_tiers(deps: Dependencies, currency: str) -> PriceBook:
    """Read the price book. Raises `InvalidRequestError` when nothing is priced in `currency`."""
    async with deps.storage.work() as work:
        book = await work.prices.current()
    if currency not in book.currencies:
        raise invalid("currency_code", f"must be one of: {', '.join(book.currencies)}")
    return book


async def quote_upgrade(
    deps: Dependencies, tier_name: str, cycle: BillingCycle, currency: str
) -> Quote:
    """Say what a tier costs now. Raises `InvalidRequestError` when it is not sold like that."""
    async with deps.storage.work() as work:
        book = await work.prices.current()
    tier = offered(book, tier_name, cycle, currency)
    return quote(tier, cycle, currency, deps.clock.now())


async def get_membership(deps: Dependencies, user_id: str) -> Membership:
    """Read what a member has now; after the paid period, the free tier."""
    async with deps.storage.work() as work:
        membership = await work.memberships.get(user_id)
    return membership.current(deps.clock.now())
