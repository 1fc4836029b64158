"""The price book: what may be published, and that a published version never changes."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.price_book import SEED, PriceBookError, publish
from db.repositories.prices import PriceRepository
from kit.money import Money
from services.payments.domain.payment import BillingCycle
from tests.database.conftest import opened
from tests.databases import Database
from tests.unit.factories import NOW

MONTHLY, ANNUAL = BillingCycle.MONTHLY, BillingCycle.ANNUAL
PUBLISHED = SEED.read_text(encoding="utf-8")
SOUND = """
version = 2

[[tiers]]
tier = "gold"
display_name = "Gold"
rank = 1
features = ["Everything"]

[tiers.monthly]
UGX = "10000"
KES = "500.50"
KWD = "1.005"

[tiers.annual]
UGX = "100000"
KES = "5005.00"
KWD = "10.050"
"""
BAD = {
    "more decimals than the currency has": ('UGX = "10000"', 'UGX = "10000.5"'),
    "more decimals than the currency has, by a zero": ('KES = "500.50"', 'KES = "500.505"'),
    "a number that is no text": ('UGX = "10000"', "UGX = 10000"),
    "a number with a point": ('KES = "500.50"', "KES = 500.50"),
    "an exponent": ('UGX = "10000"', 'UGX = "1e4"'),
    "no number": ('UGX = "10000"', 'UGX = "ten"'),
    "a negative price": ('UGX = "10000"', 'UGX = "-10000"'),
    "nothing to pay": ('UGX = "100000"', 'UGX = "0"'),
    "a year that costs twelve months": ('UGX = "100000"', 'UGX = "120000"'),
    "a year that costs more": ('UGX = "100000"', 'UGX = "120001"'),
    "no annual price": ('UGX = "100000"\n', ""),
    "no monthly price": ('KES = "500.50"\n', ""),
    "a currency that nobody knows": ('UGX = "10000"', 'XXX = "10000"'),
    "no version": ("version = 2", ""),
    "a version that is no number": ("version = 2", 'version = "2"'),
    "no rank": ("rank = 1\n", ""),
    "a field that nobody knows": ("rank = 1\n", "rank = 1\nprice = 1\n"),
    "no TOML": ("[[tiers]]", "[[tiers"),
}


@pytest.fixture
async def connection(shared_database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a transaction of the owner, which is rolled back."""
    async with opened(shared_database.owner_url) as engine, engine.connect() as opened_connection:
        yield opened_connection


async def versions(connection: AsyncConnection) -> list[int]:
    rows = await connection.execute(text("SELECT version FROM price_book ORDER BY version"))
    return [row.version for row in rows]


async def test_publishing_a_version_again_changes_nothing(connection: AsyncConnection) -> None:
    assert await publish(connection, PUBLISHED, NOW) is False
    assert await publish(connection, f"# a comment\n{PUBLISHED}\n", NOW) is False
    assert await versions(connection) == [1]


async def test_a_published_version_never_changes(connection: AsyncConnection) -> None:
    changed = PUBLISHED.replace('UGX = "35000"', 'UGX = "35001"')
    assert changed != PUBLISHED
    with pytest.raises(PriceBookError, match="version 1 was published with other prices"):
        await publish(connection, changed, NOW)


async def test_a_new_version_is_the_current_one_and_the_old_one_stays(
    connection: AsyncConnection,
) -> None:
    assert await publish(connection, SOUND, NOW) is True
    assert await versions(connection) == [1, 2]
    book = await PriceRepository(connection).current()
    [gold] = book.tiers
    assert (book.version, gold.display_name, list(gold.features)) == (2, "Gold", ["Everything"])
    assert gold.prices == {
        (MONTHLY, "UGX"): Money("UGX", 10_000),
        (ANNUAL, "UGX"): Money("UGX", 100_000),
        (MONTHLY, "KES"): Money("KES", 50_050),
        (ANNUAL, "KES"): Money("KES", 500_500),
        (MONTHLY, "KWD"): Money("KWD", 1_005),
        (ANNUAL, "KWD"): Money("KWD", 10_050),
    }


@pytest.mark.parametrize("what", list(BAD))
async def test_a_book_that_is_not_sound_is_refused(connection: AsyncConnection, what: str) -> None:
    old, new = BAD[what]
    assert SOUND.count(old) == 1
    with pytest.raises(PriceBookError):
        await publish(connection, SOUND.replace(old, new), NOW)


async def test_every_tier_but_the_free_one_has_both_prices_in_every_currency(
    connection: AsyncConnection,
) -> None:
    book = await PriceRepository(connection).current()
    assert [tier.name for tier in book.tiers] == ["free", "starter", "pro", "studio"]
    free, *paid = book.tiers
    assert not free.prices
    assert {"UGX", "KES", "NGN", "GHS", "TZS", "RWF", "ZMW"} <= set(book.currencies)
    for tier in paid:
        assert tier.prices.keys() == {
            (cycle, currency) for cycle in BillingCycle for currency in book.currencies
        }


async def test_every_year_is_cheaper_than_twelve_months(connection: AsyncConnection) -> None:
    book = await PriceRepository(connection).current()
    compared = 0
    for tier in book.tiers:
        for currency in {currency for _, currency in tier.prices}:
            year, month = tier.prices[ANNUAL, currency], tier.prices[MONTHLY, currency]
            assert 0 < month.minor < year.minor < 12 * month.minor
            compared += 1
    assert compared == 30


async def test_without_a_price_book_nothing_can_be_sold(connection: AsyncConnection) -> None:
    await connection.execute(text("TRUNCATE price_book CASCADE"))
    with pytest.raises(LookupError, match="no price book is published"):
        await PriceRepository(connection).current()
