"""Prices, savings and quotes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kit.errors import InvalidRequestError
from kit.money import Money
from services.payments.domain.payment import BillingCycle
from services.payments.domain.pricing import PriceBook, Tier, offered, quote
from tests.unit.factories import NOW

MONTHLY, ANNUAL = BillingCycle.MONTHLY, BillingCycle.ANNUAL


def tier(name: str = "pro", /, **prices: tuple[str, str]) -> Tier:
    """Return a tier; `prices`: monthly and annual price in major units by currency."""
    book = {
        (cycle, currency): Money.from_major(currency, price)
        for currency, both in prices.items()
        for cycle, price in zip((MONTHLY, ANNUAL), both, strict=True)
    }
    return Tier(name=name, display_name=name.title(), rank=1, features=(), prices=book)


@pytest.mark.parametrize(
    ("currency", "monthly", "annual", "savings", "basis_points"),
    [
        ("UGX", "35000", "350000", "70000", 1666),
        ("KES", "1250.00", "12500.00", "2500.00", 1666),
        ("USD", "9.99", "99.90", "19.98", 1666),
        ("USD", "0.01", "0.11", "0.01", 833),
        ("USD", "10.00", "60.00", "60.00", 5000),
        ("KWD", "1.001", "12.011", "0.001", 0),
        ("UGX", "35000", "419999", "1", 0),
    ],
)
def test_the_savings_of_a_year_are_exact_and_the_percentage_is_rounded_down(
    currency: str, monthly: str, annual: str, savings: str, basis_points: int
) -> None:
    priced = tier(**{currency: (monthly, annual)})
    quoted = quote(priced, ANNUAL, currency, NOW)
    assert quoted.price == Money.from_major(currency, annual)
    assert quoted.savings == Money.from_major(currency, savings)
    assert quoted.savings_basis_points == basis_points


def test_a_month_saves_nothing_and_is_due_in_full() -> None:
    quoted = quote(tier(UGX=("35000", "350000")), MONTHLY, "UGX", NOW)
    assert (quoted.savings, quoted.savings_basis_points) == (Money("UGX", 0), 0)
    assert quoted.due == Money("UGX", 35_000)


def test_a_year_without_a_monthly_price_saves_nothing() -> None:
    yearly = {(ANNUAL, "UGX"): Money("UGX", 350_000)}
    quoted = quote(replace(tier(), prices=yearly), ANNUAL, "UGX", NOW)
    assert (quoted.savings.minor, quoted.savings_basis_points) == (0, 0)


def test_what_is_due_is_the_price_less_the_credit() -> None:
    quoted = quote(tier(KES=("1250.00", "12500.00")), ANNUAL, "KES", NOW)
    assert quoted.due == quoted.price
    assert replace(quoted, credit=Money("KES", 100)).due == Money("KES", 1_249_900)


@pytest.mark.parametrize(
    ("cycle", "renews"),
    [(MONTHLY, datetime(2028, 2, 29, tzinfo=UTC)), (ANNUAL, datetime(2029, 1, 31, tzinfo=UTC))],
)
def test_a_quote_says_when_the_period_would_renew(cycle: BillingCycle, renews: datetime) -> None:
    start = datetime(2028, 1, 31, tzinfo=UTC)
    assert quote(tier(UGX=("1", "10")), cycle, "UGX", start).renews_at == renews


BOOK = PriceBook(
    version=1,
    tiers=[tier("free"), tier("gold", UGX=("100", "900")), tier("jade", KES=("1.00", "9.00"))],
)


def test_what_is_on_offer_is_found() -> None:
    assert offered(BOOK, "jade", ANNUAL, "KES") is BOOK.tiers[2]


@pytest.mark.parametrize(
    ("name", "currency", "refused"),
    [
        ("gold", "KES", {"billing_cycle": "has no price in this currency"}),
        ("free", "UGX", {"tier": "must be one of: gold, jade"}),
        ("gold", "USD", {"currency_code": "must be one of: KES, UGX"}),
        (
            "tin",
            "USD",
            {
                "tier": "must be one of: gold, jade",
                "currency_code": "must be one of: KES, UGX",
            },
        ),
    ],
)
def test_everything_that_is_not_on_offer_is_refused_with_what_is(
    name: str, currency: str, refused: dict[str, str]
) -> None:
    with pytest.raises(InvalidRequestError) as error:
        offered(BOOK, name, MONTHLY, currency)
    assert {each.field: each.description for each in error.value.violations} == refused


def test_a_price_book_knows_its_tiers_and_currencies() -> None:
    assert BOOK.currencies == ["KES", "UGX"]
    assert BOOK.tier("gold") is BOOK.tiers[1]
    assert BOOK.tier("tin") is None
