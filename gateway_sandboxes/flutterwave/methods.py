"""The ways to pay by currency, what each looks like on the wire, and what it costs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from gateway_sandboxes.amounts import rounded

Kind = Literal["card", "mobile_money", "bank_transfer", "one_button"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One payment option: how a payer goes through it and how its transactions read (A3.7, A14)."""

    option: str
    label: str
    kind: Kind
    payment_type: str
    auth_model: str
    event_type: str | None


def _mobile_money(country: str, option: str, code: str) -> Method:
    return Method(
        option=option,
        label=f"Mobile money {country}",
        kind="mobile_money",
        payment_type=f"mobilemoney{code}",
        auth_model="MOBILEMONEY",
        event_type=f"MOBILEMONEY{code.upper()}_TRANSACTION",
    )


def _one_button(label: str, option: str, auth_model: str, event_type: str | None = None) -> Method:
    return Method(
        option=option,
        label=label,
        kind="one_button",
        payment_type=option,
        auth_model=auth_model,
        event_type=event_type,
    )


_METHODS = (
    Method(
        option="card",
        label="Card",
        kind="card",
        payment_type="card",
        auth_model="NOAUTH",
        event_type="CARD_TRANSACTION",
    ),
    _mobile_money("Ghana", "mobilemoneyghana", "gh"),
    _mobile_money("Uganda", "mobilemoneyuganda", "ug"),
    _mobile_money("Rwanda", "mobilemoneyrwanda", "rw"),
    _mobile_money("Zambia", "mobilemoneyzambia", "zm"),
    _mobile_money("Tanzania", "mobilemoneytanzania", "tz"),
    _mobile_money("Malawi", "mobilemoneymalawi", "mw"),
    _mobile_money("Francophone Africa", "mobilemoneyfranco", "sn"),
    Method(
        option="mpesa",
        label="M-Pesa",
        kind="mobile_money",
        payment_type="mpesa",
        auth_model="LIPA_MPESA",
        event_type="MPESA_TRANSACTION",
    ),
    Method(
        option="banktransfer",
        label="Bank transfer",
        kind="bank_transfer",
        payment_type="bank_transfer",
        auth_model="AUTH",
        event_type="BANK_TRANSFER_TRANSACTION",
    ),
    _one_button("Apple Pay", "applepay", "APPLEPAY"),
    _one_button("Google Pay", "googlepay", "GOOGLEPAY_NOAUTH"),
    _one_button("Bank account", "account", "AUTH", "ACCOUNT_TRANSACTION"),
    _one_button("Internet banking", "internetbanking", "INTERNET_BANKING", "ACCOUNT_TRANSACTION"),
    _one_button("USSD", "ussd", "USSD", "USSD_TRANSACTION"),
    _one_button("eNaira", "enaira", "ENAIRA"),
    _one_button("OPay", "opay", "AUTH"),
    _one_button("NQR", "nqr", "AUTH"),
    _one_button("1Voucher", "1voucher", "AUTH"),
    _one_button("Fawry Pay", "fawrypay", "AUTH"),
)
METHODS = {method.option: method for method in _METHODS}

_ALIASES = {"qr": "nqr", "ghanamobilemoney": "mobilemoneyghana"}

# Contract A3.2; currencies without a row of their own there can be paid by card.
_OPTIONS = {
    "NGN": (
        "card",
        "banktransfer",
        "ussd",
        "account",
        "internetbanking",
        "nqr",
        "applepay",
        "googlepay",
        "enaira",
        "opay",
    ),
    "USD": ("card", "account", "googlepay", "applepay"),
    "EUR": ("card", "account", "googlepay", "applepay"),
    "GBP": ("card", "account", "googlepay", "applepay"),
    "GHS": ("card", "mobilemoneyghana"),
    "KES": ("card", "mpesa"),
    "UGX": ("card", "mobilemoneyuganda"),
    "RWF": ("card", "mobilemoneyrwanda"),
    "TZS": ("card", "mobilemoneytanzania"),
    "ZMW": ("card", "mobilemoneyzambia"),
    "MWK": ("card", "mobilemoneymalawi"),
    "XAF": ("card", "mobilemoneyfranco"),
    "XOF": ("card", "mobilemoneyfranco"),
    "ZAR": ("card", "account", "1voucher", "googlepay", "applepay"),
    "EGP": ("card", "fawrypay"),
    **dict.fromkeys(("CAD", "CLP", "COP", "GNF", "MAD", "SLL", "STD"), ("card",)),
}
CURRENCIES = frozenset(_OPTIONS)

# Percent; contract A2's sample ratios. Other currencies: an assumption of ours.
_FEE_PERCENT = {
    "NGN": Decimal("1.4"),
    "UGX": Decimal(3),
    "KES": Decimal("2.9"),
    "XAF": Decimal("2.5"),
    "XOF": Decimal("2.5"),
    "GHS": Decimal("2.5"),
}
_OTHER_FEE_PERCENT = Decimal("3.8")


def usable_options(currency: str, wanted: str | None) -> tuple[str, ...]:
    """Return the options a payer sees, in the merchant's order.

    `wanted` is the request's comma-separated list; inapplicable ones are hidden silently (A3.2),
    and when nothing is left everything the currency allows is shown.
    """
    possible = _OPTIONS[currency]
    names = [name.strip().lower() for name in (wanted or "").split(",")]
    chosen = [name for name in (_ALIASES.get(n, n) for n in names) if name in possible]
    return tuple(dict.fromkeys(chosen)) or possible


def fee(amount: Decimal, currency: str) -> Decimal:
    """Return Flutterwave's fee in major units."""
    percent = _FEE_PERCENT.get(currency, _OTHER_FEE_PERCENT)
    return rounded(amount * percent / 100, currency)
