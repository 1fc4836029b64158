"""Reads the price book's seed file and publishes it as a new version."""

import hashlib
import tomllib
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import price_book, price_book_prices, price_book_tiers
from kit.money import Money, MoneyError

SEED = Path(__file__).parent / "seed" / "price_book.toml"
_MONTHS_A_YEAR = 12


class PriceBookError(Exception):
    """The seed file cannot be published; the message says what to change."""


class SeedTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier of the seed file; prices are decimal text in major units by currency."""

    tier: str
    display_name: str
    rank: int
    features: list[str]
    monthly: dict[str, str] = {}
    annual: dict[str, str] = {}

    def prices(self) -> list[tuple[str, Money]]:
        """Return every price as (billing cycle, amount).

        Raises `PriceBookError` when an amount is not exact in its currency, when a currency has
        only one of the two cycles, or when a year does not cost less than twelve months.
        """
        if self.monthly.keys() != self.annual.keys():
            raise PriceBookError(f"{self.tier}: every currency needs a monthly and an annual price")
        try:
            months = [Money.from_major(*price) for price in self.monthly.items()]
            years = [Money.from_major(code, self.annual[code]) for code in self.monthly]
        except MoneyError as error:
            raise PriceBookError(f"{self.tier}: {error}") from error
        for month, year in zip(months, years, strict=True):
            if not 0 < year.minor < (month * _MONTHS_A_YEAR).minor:
                raise PriceBookError(
                    f"{self.tier} in {month.currency}: a year must cost less than twelve months"
                )
        return [("monthly", price) for price in months] + [("annual", price) for price in years]


class Seed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seed file."""

    version: int
    tiers: list[SeedTier]


def read_seed(text: str) -> Seed:
    """Parse and check the seed file's text. Raises `PriceBookError`."""
    try:
        return msgspec.convert(tomllib.loads(text), Seed)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PriceBookError(f"the price book is malformed: {error}") from error


async def publish(connection: AsyncConnection, text: str, at: datetime) -> bool:
    """Publish the seed file's version; False when exactly this version is published already.

    Raises `PriceBookError` when the version is published with other content: a published version
    never changes, because payments refer to it.
    """
    seed = read_seed(text)
    digest = hashlib.sha256(msgspec.json.encode(seed, order="deterministic")).digest()
    published = select(price_book.c.content_sha256).where(price_book.c.version == seed.version)
    known = (await connection.execute(published)).scalar_one_or_none()
    if known == digest:
        return False
    if known is not None:
        raise PriceBookError(f"version {seed.version} was published with other prices; raise it")
    await connection.execute(
        insert(price_book).values(version=seed.version, content_sha256=digest, published_at=at)
    )
    for tier in seed.tiers:
        await _publish_tier(connection, seed.version, tier)
    return True


async def _publish_tier(connection: AsyncConnection, version: int, tier: SeedTier) -> None:
    await connection.execute(
        insert(price_book_tiers).values(
            version=version,
            tier=tier.tier,
            display_name=tier.display_name,
            rank=tier.rank,
            features=tier.features,
        )
    )
    prices = [
        {
            "version": version,
            "tier": tier.tier,
            "billing_cycle": cycle,
            "currency": price.currency,
            "amount": price.to_major(),
        }
        for cycle, price in tier.prices()
    ]
    if prices:
        await connection.execute(insert(price_book_prices).values(prices))
