"""`POST /v3/payments` and `POST /v3/payments/link/disable` (contract A3.1)."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import has_too_many_decimals, parse_amount
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.methods import CURRENCIES, usable_options
from gateway_sandboxes.flutterwave.records import Order
from gateway_sandboxes.flutterwave.replies import INACTIVE_LINK, RefusedError, success
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.subjects import subject_of_link
from gateway_sandboxes.json_http import read_object
from gateway_sandboxes.settings import Switchable

HOSTED_PATH = "/v3/hosted/pay"

_LONGEST_TEXT = 100
_LONGEST_SESSION_MINUTES = 1440
_MOST_ATTEMPTS = 100
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class PaymentsApi:
    """The endpoints that create and disable hosted links."""

    def __init__(
        self,
        ledger: Ledger,
        behaviour: Switchable[Behaviour],
        public_url: str,
        merchant_name: str,
    ) -> None:
        self._ledger = ledger
        self._behaviour = behaviour
        self._hosted_url = f"{public_url}{HOSTED_PATH}"
        self._merchant_name = merchant_name

    async def create(self, request: Request) -> Response:
        """Create a hosted link; there is no transaction yet."""
        order = self._read_order(await read_object(request))
        if self._behaviour.current.duplicate_tx_ref == "reject" and self._ledger.checkouts(
            order.tx_ref
        ):
            raise RefusedError("tx_ref has already been used")
        checkout = self._ledger.open_checkout(order)
        return success("Hosted Link", {"link": f"{self._hosted_url}/{checkout.token}"})

    async def disable(self, request: Request) -> Response:
        """Disable a hosted link that is still open."""
        link = _text(await read_object(request), "link", required=True)
        checkout = self._ledger.checkout(_token(link or ""))
        if checkout is None or checkout.state != "open":
            raise RefusedError(INACTIVE_LINK)
        self._ledger.close(checkout, "disabled")
        return success("Payment link has been disabled successfully", None)

    async def describe_creation(self, request: Request) -> Subject:
        """Say what a creation is about, as far as its body can be read."""
        payload = await read_object(request)
        customer = payload.get("customer")
        customer = customer if isinstance(customer, dict) else {}
        phone = customer.get("phonenumber") or customer.get("phone_number")
        tx_ref = payload.get("tx_ref")
        return Subject(
            operation="create",
            reference=tx_ref if isinstance(tx_ref, str) else None,
            phone=None if phone is None else str(phone),
            amount=parse_amount(payload.get("amount")),
        )

    async def describe_disabling(self, request: Request) -> Subject:
        """Say which payment a link belongs to."""
        link = (await read_object(request)).get("link")
        checkout = self._ledger.checkout(_token(str(link)))
        if checkout is None:
            return Subject(operation="cancel")
        return subject_of_link(checkout, "cancel")

    def _read_order(self, payload: dict[str, Any]) -> Order:
        tx_ref = _text(payload, "tx_ref", required=True)
        currency = _text(payload, "currency") or "NGN"
        if currency not in CURRENCIES:
            raise RefusedError("currency is not supported")
        customer = _section(payload, "customer")
        if customer is None:
            raise RefusedError("customer is required")
        custom = _section(payload, "customizations") or {}
        limits = {
            **payload,
            **(_section(payload, "configuration") or {}),
            **(_section(payload, "configurations") or {}),
        }
        return Order(
            tx_ref=tx_ref or "",
            amount=self._amount(payload, currency),
            currency=currency,
            redirect_url=_redirect_url(payload),
            options=usable_options(currency, _text(payload, "payment_options")),
            customer_email=_email(customer),
            customer_name=_text(customer, "name") or "Anonymous customer",
            customer_phone=_phone(customer),
            title=_text(custom, "title") or self._merchant_name,
            description=_text(custom, "description") or "",
            meta=payload.get("meta"),
            session_minutes=_limit(limits, "session_duration", 30, _LONGEST_SESSION_MINUTES),
            max_attempts=_limit(limits, "max_retry_attempt", 5, _MOST_ATTEMPTS),
            link_expires_at=_moment(payload, "link_expiration"),
        )

    def _amount(self, payload: dict[str, Any], currency: str) -> Decimal:
        if payload.get("amount") in (None, ""):
            raise RefusedError("amount is required")
        amount = parse_amount(payload["amount"])
        if amount is None or amount <= 0:
            raise RefusedError("amount must be a number greater than 0")
        strict = self._behaviour.current.fractions_of_whole_currencies == "reject"
        if strict and has_too_many_decimals(amount, currency):
            raise RefusedError(f"amount has too many decimals for {currency}")
        return amount


def _token(link: str) -> str:
    return urlsplit(link).path.rpartition("/")[2]


def _text(payload: dict[str, Any], name: str, *, required: bool = False) -> str | None:
    value = payload.get(name)
    if value in (None, ""):
        if required:
            raise RefusedError(f"{name} is required")
        return None
    if not isinstance(value, str):
        raise RefusedError(f"{name} must be a string")
    if name in ("tx_ref", "email") and len(value) > _LONGEST_TEXT:
        raise RefusedError(f"{name} must not be longer than {_LONGEST_TEXT} characters")
    return value


def _section(payload: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, dict):
        raise RefusedError(f"{name} must be an object")
    return value


def _email(customer: dict[str, Any]) -> str:
    email = _text(customer, "email", required=True) or ""
    if not _EMAIL.fullmatch(email):
        raise RefusedError("email is not a valid e-mail address")
    return email


def _phone(customer: dict[str, Any]) -> str | None:
    """Read the phone number under the guide's spelling or the plug-ins' (A3.1)."""
    phone = customer.get("phonenumber") or customer.get("phone_number")
    return None if phone is None else str(phone)


def _redirect_url(payload: dict[str, Any]) -> str | None:
    url = _text(payload, "redirect_url")
    if url is not None and (
        urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc
    ):
        raise RefusedError("redirect_url must be an absolute URL")
    return url


def _limit(limits: dict[str, Any], name: str, default: int, largest: int) -> int:
    value = limits.get(name)
    if value is None:
        return default
    number = parse_amount(value)
    if number is None or number != int(number) or not 1 <= number <= largest:
        raise RefusedError(f"{name} must be a whole number between 1 and {largest}")
    return int(number)


def _moment(payload: dict[str, Any], name: str) -> datetime | None:
    text = _text(payload, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise RefusedError(f"{name} must be an ISO 8601 date") from problem
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
