"""Reads the bodies of payouts and their quotations (sections 7.1, 7.2 and 13)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from gateway_sandboxes.amounts import has_too_many_decimals, parse_amount, plain
from gateway_sandboxes.eversend.corridors import CURRENCY_OF, LIMITS, OPENING_WALLETS
from gateway_sandboxes.eversend.order_reader import (
    read_phone,
    read_reference,
    read_text,
    reject_unknown,
)
from gateway_sandboxes.eversend.records import Payee
from gateway_sandboxes.eversend.replies import RefusedError

_QUOTATION_FIELDS = (
    "sourceWallet",
    "amount",
    "amountType",
    "type",
    "destinationCountry",
    "destinationCurrency",
)
_PAYOUT_FIELDS = ("token", "phoneNumber", "firstName", "lastName", "country", "transactionRef")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotationOrder:
    """What a merchant wants quoted; the amount is in major units of the side that it names."""

    source_currency: str
    destination_country: str
    destination_currency: str
    amount_type: Literal["SOURCE", "DESTINATION"]
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder:
    """A payout as the merchant asked for it."""

    token: str
    payee: Payee
    transaction_ref: str | None


def read_quotation_order(payload: dict[str, Any]) -> QuotationOrder:
    """Read the body of `POST /payouts/quotation`, for mobile money."""
    reject_unknown(payload, _QUOTATION_FIELDS)
    source = read_text(payload, "sourceWallet")
    if source not in OPENING_WALLETS:
        raise RefusedError("Wallet not found", 404)
    amount_type = payload.get("amountType", "SOURCE")
    if amount_type not in ("SOURCE", "DESTINATION"):
        raise RefusedError('"amountType" must be one of [SOURCE, DESTINATION]')
    country = read_text(payload, "destinationCountry")
    currency = read_text(payload, "destinationCurrency")
    if read_text(payload, "type") != "momo" or country not in CURRENCY_OF:
        raise RefusedError(f"Payouts of this type to {country} are not supported at the moment")
    if CURRENCY_OF[country] != currency:
        raise RefusedError(f"currency {currency} does not match country {country}")
    return QuotationOrder(
        source_currency=source,
        destination_country=country,
        destination_currency=currency,
        amount_type=amount_type,
        amount=_read_amount(payload, source if amount_type == "SOURCE" else currency),
    )


def read_payout_order(payload: dict[str, Any]) -> PayoutOrder:
    """Read the body of `POST /payouts`, for mobile money."""
    reject_unknown(payload, _PAYOUT_FIELDS)
    return PayoutOrder(
        token=read_text(payload, "token"),
        payee=Payee(
            phone=read_phone(payload, "phoneNumber"),
            first_name=read_text(payload, "firstName"),
            last_name=read_text(payload, "lastName"),
            country=read_text(payload, "country"),
        ),
        transaction_ref=read_reference(payload),
    )


def _read_amount(payload: dict[str, Any], currency: str) -> Decimal:
    """Read an amount that the currency can express and one payout may carry."""
    value = payload.get("amount")
    if value is None:
        raise RefusedError('"amount" is required')
    amount = None if isinstance(value, str) else parse_amount(value)
    if amount is None:
        raise RefusedError('"amount" must be a number')
    if amount <= 0 or has_too_many_decimals(amount, currency):
        raise RefusedError('"amount" must be a positive number that the currency can express')
    if currency in LIMITS and amount > LIMITS[currency].largest:
        raise RefusedError(f"amount must be at most {plain(LIMITS[currency].largest)}")
    return amount
