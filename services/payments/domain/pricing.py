"""Tiers and prices: the price book, and what an upgrade costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kit.errors import FieldViolation
from kit.money import Money
from services.payments.domain.errors import invalid_fields
from services.payments.domain.membership import period_end
from services.payments.domain.payment import BillingCycle

_BASIS_POINTS = 10_000
_MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One tier.

    `prices`: per billing cycle and currency; empty for the free tier, which cannot be bought.
    """

    name: str
    display_name: str
    rank: int
    features: Sequence[str]
    prices: Mapping[tuple[BillingCycle, str], Money] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """The tiers and prices of one version. A version never changes; a new price is a new one."""

    version: int
    tiers: Sequence[Tier]

    @property
    def currencies(self) -> list[str]:
        """Every currency in which something can be bought, in alphabetical order."""
        return sorted({currency for tier in self.tiers for _, currency in tier.prices})

    def tier(self, name: str) -> Tier | None:
        """Return a tier by its name."""
        return next((tier for tier in self.tiers if tier.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What an upgrade costs.

    `savings`: how much less the year costs than twelve months; zero for a month.
    `savings_basis_points`: the same in hundredths of a percent of twelve monthly prices, rounded
    down. `credit`: for the unused part of the current period.
    """

    price: Money
    savings: Money
    savings_basis_points: int
    credit: Money
    renews_at: datetime

    @property
    def due(self) -> Money:
        """What the member pays now."""
        return self.price - self.credit


def offered(book: PriceBook, tier_name: str, cycle: BillingCycle, currency: str) -> Tier:
    """Return the tier that is sold under a name, for a cycle and in a currency.

    Raises `InvalidRequestError` with everything that is not on offer.
    """
    tier = book.tier(tier_name)
    violations = []
    if tier is None or not tier.prices:
        sold = ", ".join(each.name for each in book.tiers if each.prices)
        violations.append(FieldViolation("tier", f"must be one of: {sold}"))
    if currency not in book.currencies:
        priced = ", ".join(book.currencies)
        violations.append(FieldViolation("currency_code", f"must be one of: {priced}"))
    if not violations and tier and (cycle, currency) not in tier.prices:
        violations.append(FieldViolation("billing_cycle", "has no price in this currency"))
    if violations or tier is None:
        raise invalid_fields(violations)
    return tier


def quote(tier: Tier, cycle: BillingCycle, currency: str, at: datetime) -> Quote:
    """Price an upgrade that begins at `at`. The tier must have a price in the currency."""
    price = tier.prices[cycle, currency]
    nothing = Money(currency, 0)
    savings, basis_points = nothing, 0
    monthly = tier.prices.get((BillingCycle.MONTHLY, currency))
    if cycle is BillingCycle.ANNUAL and monthly is not None:
        savings = monthly * _MONTHS_A_YEAR - price
        basis_points = savings.minor * _BASIS_POINTS // (monthly.minor * _MONTHS_A_YEAR)
    return Quote(
        price=price,
        savings=savings,
        savings_basis_points=basis_points,
        credit=nothing,
        renews_at=period_end(at, cycle),
    )
