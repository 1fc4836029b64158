"""Checks what a request says, collecting everything that is wrong with it."""

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_adapters.charges import Payer
from kit.errors import FieldViolation, InvalidRequestError
from kit.money import Money, MoneyError
from protos.common.v1 import customer_pb2, money_pb2

_REFERENCE = re.compile(r"[A-Za-z0-9]{8,40}", re.ASCII)
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MAX_TEXT = 100
_MAX_URL = 2000
_YEARS = range(1970, 3000)


class Checks:
    """Collects everything that is wrong with one request."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def require(self, holds: object, field: str, description: str) -> None:
        """Note a violation unless something holds."""
        if not holds:
            self.violations.append(FieldViolation(field, description))

    def finish(self) -> None:
        """Raise `InvalidRequestError` when anything was wrong."""
        if self.violations:
            raise InvalidRequestError(self.violations)

    def reference(self, value: str, field: str, *, required: bool = True) -> None:
        """Check a reference of ours."""
        holds = _REFERENCE.fullmatch(value) or (not value and not required)
        self.require(holds, field, "8 to 40 ASCII letters and digits")

    def identifier(self, value: str, field: str, *, required: bool = False) -> None:
        """Check an identifier that somebody else made."""
        holds = _IDENTIFIER.fullmatch(value) or (not value and not required)
        self.require(holds, field, "at most 128 printable ASCII characters without spaces")

    def text(self, value: str, field: str) -> None:
        """Check a short free text."""
        self.require(len(value) <= _MAX_TEXT, field, f"at most {_MAX_TEXT} characters")

    def url(self, value: str, field: str) -> None:
        """Check an address."""
        self.require(_is_url(value), field, "an absolute http(s) URL, or empty")

    def amount(self, message: money_pb2.Money, field: str) -> Money | None:
        """Read an amount; None is a violation."""
        amount = _read_money(message)
        self.require(amount, field, "a positive amount in a known currency")
        return amount

    def time(self, stamp: Timestamp | None, field: str) -> datetime | None:
        """Read a time; None is a violation."""
        at = _read_time(stamp) if stamp else None
        self.require(at, field, "a time between the years 1970 and 2999")
        return at

    def customer(self, customer: customer_pb2.Customer, *, reachable: bool) -> Payer:
        """Read a payer. `reachable`: whether phone and country must be given."""
        phone, country = customer.phone_number, customer.country_code
        self.require(
            _EMAIL.fullmatch(customer.email) and len(customer.email) <= _MAX_TEXT,
            "customer.email",
            f"an e-mail address of at most {_MAX_TEXT} characters",
        )
        self.text(customer.name, "customer.name")
        self.require(
            _PHONE.fullmatch(phone) or (not phone and not reachable),
            "customer.phone_number",
            "E.164 with a leading plus; required for mobile money",
        )
        self.require(
            _COUNTRY.fullmatch(country) or (not country and not reachable),
            "customer.country_code",
            "ISO 3166-1 alpha-2 in upper case; required for mobile money",
        )
        return Payer(email=customer.email, name=customer.name, phone_number=phone, country=country)


def _is_url(text: str) -> bool:
    if not text:
        return True
    if len(text) > _MAX_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _read_money(message: money_pb2.Money) -> Money | None:
    try:
        money = Money(message.currency_code, message.amount_minor)
    except MoneyError:
        return None
    return money if money.minor > 0 else None


def _read_time(stamp: Timestamp) -> datetime | None:
    try:
        at = stamp.ToDatetime(tzinfo=UTC)
    except ValueError:
        return None
    return at if at.year in _YEARS else None
