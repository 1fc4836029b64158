"""Reads request bodies as strictly as Eversend's validator does (sections 5.3 and 13)."""

import re
from collections.abc import Collection as Names
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from gateway_sandboxes.amounts import parse_amount, plain
from gateway_sandboxes.eversend.corridors import COUNTRY_WITH_REDIRECT, CURRENCY_OF, LIMITS
from gateway_sandboxes.eversend.records import Order
from gateway_sandboxes.eversend.replies import RefusedError
from gateway_sandboxes.eversend.settings import Behaviour
from gateway_sandboxes.json_http import InvalidJsonError, parse_json, read_object
from gateway_sandboxes.pages import read_form

_CARD_FIELDS = ("amount", "country", "currency", "transactionRef", "customer", "redirectUrl")
_FORM = "application/x-www-form-urlencoded"
_PHONE = re.compile(r"\+[1-9]\d{7,14}")
_LONGEST_REFERENCE = 100
_LARGEST_INT32 = 2**31 - 1


async def read_payload(request: Request) -> dict[str, Any]:
    """Read a body as a flat object: JSON, or a form as the official Python client posts it.

    A form knows only text, so there a numeric amount is taken for the number it spells.
    """
    if not request.headers.get("content-type", "").startswith(_FORM):
        return await read_object(request)
    payload: dict[str, Any] = dict(await read_form(request))
    if (amount := parse_amount(payload.get("amount"))) is not None:
        payload["amount"] = amount
    return payload


def read_momo_order(payload: dict[str, Any], behaviour: Behaviour) -> Order:
    """Read the body of `POST /collections/momo`, all but its one-time password."""
    # The official Node client spells the field so, for Ghana alone.
    if "redirect_url" in payload:
        payload = {**payload, "redirectUrl": payload["redirect_url"]}
        del payload["redirect_url"]
    reject_unknown(payload, (*_CARD_FIELDS, "phone", "otp"))
    phone = read_phone(payload)
    return _read_order(payload, behaviour, phone)


def read_card_order(payload: dict[str, Any], behaviour: Behaviour) -> Order:
    """Read the body of the assumed `POST /collections/card` (section 9)."""
    reject_unknown(payload, _CARD_FIELDS)
    read_text(payload, "redirectUrl")
    return _read_order(payload, behaviour, None)


def reject_unknown(payload: dict[str, Any], known: Names[str]) -> None:
    """Refuse a body with a key that is not listed."""
    if unknown := sorted(payload.keys() - set(known)):
        raise RefusedError(f'"{unknown[0]}" is not allowed')


def read_phone(payload: dict[str, Any], name: str = "phone") -> str:
    """Read a phone number in international notation."""
    phone = read_text(payload, name)
    if not _PHONE.fullmatch(phone):
        raise RefusedError("phone number must be a valid international format")
    return phone


def read_text(payload: dict[str, Any], name: str) -> str:
    """Read a string that must be there."""
    value = payload.get(name)
    if value is None:
        raise RefusedError(f'"{name}" is required')
    if not isinstance(value, str):
        raise RefusedError(f'"{name}" must be a string')
    if not value:
        raise RefusedError(f'"{name}" is not allowed to be empty')
    return value


def read_amount(payload: dict[str, Any], currency: str) -> Decimal:
    """Read an amount: a whole number of major units (int32) within the currency's limits."""
    value = payload.get("amount")
    if value is None:
        raise RefusedError('"amount" is required')
    amount = None if isinstance(value, str) else parse_amount(value)
    if amount is None:
        raise RefusedError('"amount" must be a number')
    if amount != amount.to_integral_value() or abs(amount) > _LARGEST_INT32:
        raise RefusedError('"amount" must be an integer')
    limits = LIMITS[currency]
    if not limits.smallest <= amount <= limits.largest:
        raise RefusedError(
            f"amount must be between {plain(limits.smallest)} and {plain(limits.largest)}"
        )
    return amount


def _read_order(payload: dict[str, Any], behaviour: Behaviour, phone: str | None) -> Order:
    country, currency = read_text(payload, "country"), read_text(payload, "currency")
    if country not in CURRENCY_OF:
        raise RefusedError(f"Collections from {country} are not supported at the moment")
    if CURRENCY_OF[country] != currency:
        raise RefusedError(f"currency {currency} does not match country {country}")
    amount = read_amount(payload, currency)
    redirect_url = read_text(payload, "redirectUrl") if "redirectUrl" in payload else None
    if country == COUNTRY_WITH_REDIRECT and redirect_url is None:
        raise RefusedError('"redirectUrl" is required')
    return Order(
        transaction_ref=read_reference(payload),
        phone=phone,
        country=country,
        currency=currency,
        amount=amount,
        customer=_customer(payload.get("customer"), behaviour),
        redirect_url=redirect_url,
    )


def read_reference(payload: dict[str, Any]) -> str | None:
    """Read the merchant's own reference, if there is one."""
    if "transactionRef" not in payload:
        return None
    reference = read_text(payload, "transactionRef")
    if len(reference) > _LONGEST_REFERENCE:
        raise RefusedError(f'"transactionRef" must be at most {_LONGEST_REFERENCE} characters')
    return reference


def _customer(customer: object, behaviour: Behaviour) -> object:
    """Read the customer: a JSON-encoded string, which replies show as the object it encodes."""
    if customer is None:
        return None
    if not isinstance(customer, str):
        if behaviour.customer_type == "string":
            raise RefusedError('"customer" must be a string')
        return customer
    try:
        return parse_json(customer)
    except InvalidJsonError:
        return customer
