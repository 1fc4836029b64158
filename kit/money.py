"""Exact money: integer minor units with an ISO 4217 currency. No float ever passes here."""

import re
from dataclasses import dataclass
from decimal import Decimal

# ISO 4217 minor-unit exponents of every currency that a price or a gateway may name. Gateways have
# their own scale on the wire; theirs belongs to their adapter, not here.
EXPONENTS: dict[str, int] = {
    "BHD": 3, "CAD": 2, "CDF": 2, "CLP": 0, "COP": 2, "EGP": 2, "ETB": 2, "EUR": 2, "GBP": 2,
    "GHS": 2, "GNF": 0, "JOD": 3, "JPY": 0, "KES": 2, "KMF": 0, "KWD": 3, "MAD": 2, "MWK": 2,
    "MZN": 2, "NGN": 2, "OMR": 3, "RWF": 0, "SLE": 2, "STN": 2, "TND": 3, "TZS": 2, "UGX": 0,
    "USD": 2, "XAF": 0, "XOF": 0, "ZAR": 2, "ZMW": 2,
}  # fmt: skip

# Larger than any price and small enough for a signed 64-bit integer.
MAX_MINOR = 10**15

_LONGEST_TEXT = 64
_LARGEST_ADJUSTED_EXPONENT = 18
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)


class MoneyError(ValueError):
    """An amount that cannot be represented exactly, or mixes currencies."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount.

    `currency`: ISO 4217 code of `EXPONENTS`. `minor`: count of minor units, at most `MAX_MINOR` in
    size. Raises `MoneyError` on anything else.
    """

    currency: str
    minor: int

    def __post_init__(self) -> None:
        """Refuse unknown currencies and amounts out of range."""
        exponent_of(self.currency)
        if type(self.minor) is not int or abs(self.minor) > MAX_MINOR:
            raise MoneyError("an amount must be a whole number of minor units within range")

    @classmethod
    def from_major(cls, currency: str, major: Decimal | str | int) -> "Money":
        """Make money from an amount in major units, for example `("KES", "499.00")`.

        Raises `MoneyError` when the amount is not a plain, bounded decimal or has more decimals
        than the currency: nothing is ever rounded.
        """
        exponent = exponent_of(currency)
        scaled = parse_decimal(major).scaleb(exponent)
        if scaled != scaled.to_integral_value():
            raise MoneyError(f"{currency} has {exponent} decimals; the amount would be rounded")
        return cls(currency, int(scaled))

    def to_major(self) -> Decimal:
        """Return the amount in major units with exactly the currency's number of decimals."""
        return Decimal(self.minor).scaleb(-exponent_of(self.currency))

    def __add__(self, other: "Money") -> "Money":
        """Add an amount of the same currency."""
        return Money(self._same(other), self.minor + other.minor)

    def __sub__(self, other: "Money") -> "Money":
        """Subtract an amount of the same currency."""
        return Money(self._same(other), self.minor - other.minor)

    def __mul__(self, factor: int) -> "Money":
        """Multiply by a whole number."""
        return Money(self.currency, self.minor * factor)

    def __str__(self) -> str:
        """Return the amount as people read it, for example "KES 499.00"."""
        return f"{self.currency} {self.to_major():,}"

    def _same(self, other: "Money") -> str:
        if self.currency != other.currency:
            raise MoneyError(f"cannot combine {self.currency} with {other.currency}")
        return self.currency


def exponent_of(currency: str) -> int:
    """Return how many decimals a currency has. Raises `MoneyError` for an unknown code."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise MoneyError("unknown currency code") from None


def parse_decimal(value: Decimal | str | int) -> Decimal:
    """Turn an untrusted amount into a Decimal, having bounded it first.

    Accepts plain notation with at most 18 digits before and 9 after the point. Exponents, NaN and
    infinity are refused before any arithmetic: `int(Decimal("1e999999"))` takes a minute of CPU.
    Raises `MoneyError`.
    """
    text = _plain_text(value)
    if text is None or not _PLAIN_DECIMAL.fullmatch(text):
        raise MoneyError("not a plain decimal amount")
    return Decimal(text)


def _plain_text(value: object) -> str | None:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) <= MAX_MINOR else None
    # Anything else, a float above all, is no amount whatever its type hint promised.
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    return format(value, "f") if abs(value.adjusted()) <= _LARGEST_ADJUSTED_EXPONENT else None
