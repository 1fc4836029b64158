"""Money as the gateways write it: decimals in major units, never binary floats."""

import re
from decimal import ROUND_HALF_UP, Decimal

ZERO_DECIMAL_CURRENCIES = frozenset({"UGX", "RWF", "XAF", "XOF", "GNF", "CLP", "JPY", "KMF"})
_AMOUNT_TEXT = re.compile(r"\d{1,15}(\.\d{1,8})?")
_LARGEST_EXPONENT = 15


def parse_amount(value: object) -> Decimal | None:
    """Read an amount in major units from a JSON number or a numeric string, else None.

    Numbers must already be `int` or `Decimal` (see `json_http.read_json`); size is bounded so that
    a hostile exponent cannot cost time.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(value) if _AMOUNT_TEXT.fullmatch(value) else None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**_LARGEST_EXPONENT else None
    if (
        isinstance(value, Decimal)
        and value.is_finite()
        and abs(value.adjusted()) < _LARGEST_EXPONENT
    ):
        return value
    return None


def plain(amount: Decimal) -> str:
    """Write an amount without exponent and without trailing zeros: `20000`, `12500.5`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def grouped(amount: Decimal) -> str:
    """Write an amount for people: `25,000`, `12,500.50`."""
    return f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.2f}"


def has_too_many_decimals(amount: Decimal, currency: str) -> bool:
    """Tell whether the amount is finer than the currency's smallest unit (ISO 4217)."""
    return amount != rounded(amount, currency)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's smallest unit (ISO 4217)."""
    unit = Decimal(1) if currency in ZERO_DECIMAL_CURRENCIES else Decimal("0.01")
    return amount.quantize(unit, rounding=ROUND_HALF_UP)
