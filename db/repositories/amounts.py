"""Money between the domain's minor units and the database's exact decimals in major units."""

from decimal import Decimal

from kit.money import Money


def to_column(money: Money) -> Decimal:
    """Return the amount as stored: major units with the currency's number of decimals."""
    return money.to_major()


def from_columns(currency: str, amount: Decimal) -> Money:
    """Return the stored amount. Raises `MoneyError` when somebody stored too many decimals."""
    return Money.from_major(currency, amount)
