"""The price book as rows of price_book, price_book_tiers and price_book_prices."""

from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns
from db.tables import price_book, price_book_prices, price_book_tiers
from kit.money import Money
from services.payments.domain.payment import BillingCycle
from services.payments.domain.pricing import PriceBook, Tier

_newest = select(func.max(price_book.c.version)).scalar_subquery()
_current = (
    select(
        price_book_tiers,
        price_book_prices.c.billing_cycle,
        price_book_prices.c.currency,
        price_book_prices.c.amount,
    )
    .outerjoin(
        price_book_prices,
        and_(
            price_book_prices.c.version == price_book_tiers.c.version,
            price_book_prices.c.tier == price_book_tiers.c.tier,
        ),
    )
    .where(price_book_tiers.c.version == _newest)
    .order_by(price_book_tiers.c.rank)
)


class PriceRepository:
    """Implements the port `Prices`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def current(self) -> PriceBook:
        """Read the newest version. Raises `LookupError` when none was ever published."""
        rows_of: dict[str, list[Row[Any]]] = {}
        for row in await self._connection.execute(_current):
            rows_of.setdefault(row.tier, []).append(row)
        if not rows_of:
            raise LookupError("no price book is published; run `python -m db migrate`")
        version = next(iter(rows_of.values()))[0].version
        return PriceBook(version=version, tiers=[_tier(rows) for rows in rows_of.values()])


def _tier(rows: list[Row[Any]]) -> Tier:
    first = rows[0]
    prices: dict[tuple[BillingCycle, str], Money] = {
        (BillingCycle(row.billing_cycle), row.currency): from_columns(row.currency, row.amount)
        for row in rows
        if row.currency is not None
    }
    return Tier(
        name=first.tier,
        display_name=first.display_name,
        rank=first.rank,
        features=tuple(first.features),
        prices=prices,
    )
