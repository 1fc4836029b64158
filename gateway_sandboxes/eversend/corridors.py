"""Where money comes from and goes to: countries, limits, fees, rates and wallets (section 7.8)."""

from dataclasses import dataclass
from decimal import Context, Decimal

from gateway_sandboxes.amounts import rounded

# ISO 3166 country to ISO 4217 currency.
CURRENCY_OF = {
    "UG": "UGX",
    "KE": "KES",
    "GH": "GHS",
    "RW": "RWF",
    "CM": "XAF",
    "CI": "XOF",
    "TZ": "TZS",
}

# Ghana alone needs a redirectUrl (section 5.3).
COUNTRY_WITH_REDIRECT = "GH"

# The ratio of the documented sample: 300 on 20,000 UGX (section 5.1).
_FEE_PERCENT = Decimal("1.5")

# The ratio of the documented sample: 500 on 10,000 UGX (section 7.1).
_PAYOUT_FEE_PERCENT = Decimal(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The smallest and largest collection, and the most an account may hold (major units)."""

    smallest: Decimal
    largest: Decimal

    @property
    def account(self) -> Decimal:
        """The most an account may hold; ten collections, as in the documented sample."""
        return self.largest * 10


def _limits(smallest: int, largest: int) -> Limits:
    return Limits(smallest=Decimal(smallest), largest=Decimal(largest))


# UGX is documented, XAF's minimum reported (section 7.8); the rest is ours.
LIMITS = {
    "UGX": _limits(500, 4_000_000),
    "KES": _limits(10, 250_000),
    "GHS": _limits(1, 15_000),
    "RWF": _limits(100, 2_000_000),
    "XAF": _limits(500, 1_500_000),
    "XOF": _limits(500, 1_500_000),
    "TZS": _limits(500, 3_000_000),
}

# Wallets of a fresh sandbox: name and balance in major units.
OPENING_WALLETS = {
    "UGX": ("Ugandan Shilling", Decimal(1_250_000)),
    "KES": ("Kenyan Shilling", Decimal("84210.5")),
    "GHS": ("Ghanaian Cedi", Decimal(3_400)),
    "RWF": ("Rwandan Franc", Decimal(610_000)),
    "XAF": ("Central African Franc", Decimal(480_000)),
    "XOF": ("West African Franc", Decimal(520_000)),
    "TZS": ("Tanzanian Shilling", Decimal(1_900_000)),
    "NGN": ("Nigerian Naira", Decimal(275_000)),
    "USD": ("US Dollar", Decimal("912.37")),
}
MAIN_WALLET = "UGX"

# What one US dollar buys; ours.
_PER_DOLLAR = {
    "UGX": Decimal(3665),
    "KES": Decimal("129.2"),
    "GHS": Decimal("12.4"),
    "RWF": Decimal(1440),
    "XAF": Decimal(601),
    "XOF": Decimal(601),
    "TZS": Decimal(2630),
    "NGN": Decimal("1530.25"),
    "USD": Decimal(1),
}
_RATE_DIGITS = Context(prec=6)


def fee(amount: Decimal, currency: str) -> Decimal:
    """Return the charge for a collection in major units."""
    return rounded(amount * _FEE_PERCENT / 100, currency)


def payout_fee(amount: Decimal, currency: str) -> Decimal:
    """Return the charge for a payout in major units of the wallet's currency."""
    return rounded(amount * _PAYOUT_FEE_PERCENT / 100, currency)


def exchange_rate(source: str, destination: str) -> Decimal:
    """Return what one unit of the source currency buys of the destination's."""
    return _RATE_DIGITS.divide(_PER_DOLLAR[destination], _PER_DOLLAR[source])


def home_of(currency: str) -> str:
    """Return the first country that a wallet's currency belongs to."""
    homes = (country for country, its in CURRENCY_OF.items() if its == currency)
    return next(homes, currency[:2])
