"""What requests must look like, as tables: all violations are found before anything happens."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import phonenumbers
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from kit.errors import ErrorCode, FieldViolation, ServiceError
from kit.money import Money as DomainMoney
from kit.money import MoneyError
from kit.request_scope import current_scope
from protos.common.v1.money_pb2 import Money
from services.payments.domain.errors import invalid_fields
from services.payments.mapping import CYCLES, METHODS

Rule = Callable[[Any], str | None]
"""Takes a field's value and says what is wrong with it, or None."""

MAX_RAW_BODY_BYTES = 64 * 1024
_MAX_URL_LENGTH = 2000
# Line breaks and what reorders text on a screen count as control characters too.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_EMAIL = re.compile(
    r"[^\s@\"<>(),;:\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}"
)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_OTP = re.compile(r"[0-9]{4,10}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
_NEVER_IN_A_URL = re.compile(r"[\s\\]")
_NOT_AN_ADDRESS = "must be an absolute http(s) address without credentials"
PAYMENT_OPTIONS = frozenset({"bank_transfer", "google_pay", "apple_pay", "paypal"})


@dataclass(frozen=True, slots=True)
class Field:
    """One checked field: its path in the request and its rules, tried in order."""

    path: str
    rules: tuple[Rule, ...]

    def violation(self, request: Message) -> FieldViolation | None:
        """Return the first thing that is wrong with the field."""
        value: Any = request
        for name in self.path.split("."):
            value = getattr(value, name)
        problems = (rule(value) for rule in self.rules)
        problem = next((each for each in problems if each), None)
        return FieldViolation(self.path, problem) if problem else None


def check(request: Message, *fields: Field, further: Iterable[FieldViolation] = ()) -> None:
    """Raise `InvalidRequestError` with everything that is wrong with a request.

    `further`: what is wrong with fields taken together. A field that this version does not know is
    refused too: it could change what is bought (an amount, say), and ignoring it would be a guess
    about money.
    """
    violations = [each for field in fields if (each := field.violation(request))]
    violations += further
    violations += _unknown_fields(request, "")
    if violations:
        raise invalid_fields(violations)


def _unknown_fields(message: Message, prefix: str) -> list[FieldViolation]:
    unknown = UnknownFieldSet(message)
    found = [
        FieldViolation(
            f"{prefix}#{unknown[index].field_number}",
            "is not a field of this request; amounts come from the price book, never from callers",
        )
        for index in range(len(unknown))
    ]
    for field, value in message.ListFields():
        if field.message_type is not None and isinstance(value, Message):
            found += _unknown_fields(value, f"{prefix}{field.name}.")
    return found


def required(value: str) -> str | None:
    """Refuse an empty text."""
    return None if value else "is required"


def at_most(limit: int) -> Rule:
    """Refuse a text of more than `limit` characters."""
    return lambda value: f"has more than {limit} characters" if len(value) > limit else None


def plain(value: str) -> str | None:
    """Refuse control characters."""
    return "contains control characters" if _CONTROL.search(value) else None


def matching(pattern: re.Pattern[str], description: str) -> Rule:
    """Refuse a text that is given and does not match the pattern as a whole."""
    return lambda value: None if not value or pattern.fullmatch(value) else description


def one_of(known: Any, description: str) -> Rule:
    """Refuse a value that is given and not among the known ones."""
    return lambda value: None if not value or value in known else description


def chosen(known: Any, description: str) -> Rule:
    """Refuse an enum value that is unspecified or unknown."""
    return lambda value: None if value in known else description


def phone(value: str) -> str | None:
    """Refuse a phone number that is not E.164 or that no country's plan could have."""
    if not value:
        return None
    if not _PHONE.fullmatch(value):
        return "must be E.164, for example +256772123456"
    try:
        parsed = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return "is not a phone number of any country"
    return None if phonenumbers.is_possible_number(parsed) else "has the wrong length"


def absolute_url(value: str) -> str | None:
    """Refuse an address that is given and is not an absolute http(s) one without credentials."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return _NOT_AN_ADDRESS
    # Browsers read a backslash as a slash, so that the host is another one than it seems.
    plain_host = host and "@" not in parts.netloc and not _NEVER_IN_A_URL.search(value)
    return None if parts.scheme in ("http", "https") and plain_host else _NOT_AN_ADDRESS


def in_range(stamp: Timestamp) -> str | None:
    """Refuse a time that is no time of any calendar."""
    try:
        stamp.ToDatetime()
    except ValueError:
        return "is not a time between the years 1 and 9999"
    return None


def phone_in_country(phone_number: str, country_code: str) -> str | None:
    """Say what is wrong when a valid number does not belong to the country."""
    if (
        phone(phone_number)
        or not phone_number
        or country_code not in phonenumbers.SUPPORTED_REGIONS
    ):
        return None
    calling_code = phonenumbers.parse(phone_number).country_code
    if calling_code == phonenumbers.country_code_for_region(country_code):
        return None
    return f"does not begin with the calling code of {country_code}"


def _uuid_of(what: str) -> Rule:
    """Refuse a text that is not a UUID."""

    def problem(value: str) -> str | None:
        try:
            canonical = str(UUID(value)) == value.lower()
        except ValueError:
            canonical = False
        return None if canonical else f"is not {what} id"

    return problem


def optional_uuid(what: str) -> Rule:
    """Refuse a text that is given and is not a UUID."""
    problem = _uuid_of(what)
    return lambda value: problem(value) if value else None


def each(rule: Rule) -> Rule:
    """Refuse a list in which a value breaks a rule."""
    return lambda values: next((problem for value in values if (problem := rule(value))), None)


def amount_of(message: Money) -> str | None:
    """Refuse an amount that is given and is not a positive one in a known currency."""
    if not message.ListFields():
        return None
    try:
        amount = DomainMoney(message.currency_code, message.amount_minor)
    except MoneyError:
        return "must be an amount in a known currency"
    return None if amount.minor > 0 else "must be positive"


USER_ID = Field("user_id", (required, at_most(100), plain))
PAYMENT_ID = Field("payment_id", (required, at_most(64), _uuid_of("a payment")))
REFUND_ID = Field("refund_id", (required, at_most(64), _uuid_of("a refund")))
EVENT_ID = Field("gateway_event_id", (required, at_most(64), _uuid_of("an event")))
PAGE_TOKEN = Field("page_token", (at_most(500),))
REASON = Field("reason", (required, at_most(500), plain))
AMOUNT = Field("amount", (amount_of,))
OTP = Field("otp", (required, matching(_OTP, "must be 4 to 10 digits")))
IDEMPOTENCY_KEY = Field(
    "idempotency_key",
    (required, matching(_KEY, "must be 1 to 255 printable ASCII characters without spaces")),
)
TIER = Field("tier", (required, matching(_NAME, "is not the name of a tier")))
BILLING_CYCLE = Field(
    "billing_cycle",
    (chosen(CYCLES, "must be BILLING_CYCLE_MONTHLY or BILLING_CYCLE_ANNUAL"),),
)
CURRENCY = Field("currency_code", (required, matching(_CURRENCY, "must be an ISO 4217 code")))
METHOD = Field(
    "payment_method",
    (
        chosen(
            METHODS,
            "must be PAYMENT_METHOD_CARD, PAYMENT_METHOD_MOBILE_MONEY or PAYMENT_METHOD_EXPRESS",
        ),
    ),
)
CUSTOMER = (
    Field(
        "customer.email",
        (required, at_most(100), plain, matching(_EMAIL, "must be an e-mail address")),
    ),
    Field("customer.name", (at_most(100), plain)),
    Field("customer.phone_number", (at_most(20), phone)),
    Field(
        "customer.country_code",
        (one_of(phonenumbers.SUPPORTED_REGIONS, "must be an ISO 3166-1 alpha-2 country code"),),
    ),
)
PAYER = (
    Field("phone_number", (at_most(20), phone)),
    Field(
        "country_code",
        (one_of(phonenumbers.SUPPORTED_REGIONS, "must be an ISO 3166-1 alpha-2 country code"),),
    ),
)
RETURN_URL = Field("return_url", (at_most(_MAX_URL_LENGTH), plain, absolute_url))
PAYMENT_OPTION = Field(
    "payment_option",
    (one_of(PAYMENT_OPTIONS, f"must be one of: {', '.join(sorted(PAYMENT_OPTIONS))}"),),
)
NETWORK = Field("mobile_money_network", (at_most(40), plain))


def uuid_of(value: str) -> UUID:
    """Return a checked identifier."""
    return UUID(value)


def payment_id(value: str) -> UUID:
    """Return a checked payment id."""
    return UUID(value)


def require_own(user_id: str) -> None:
    """Refuse to act for another member than the one whose token was sent.

    Raises `ServiceError` (PERMISSION_DENIED).
    """
    member = current_scope().user_id
    if member is not None and member != user_id:
        raise ServiceError(
            ErrorCode.PERMISSION_DENIED,
            "NOT_YOUR_ACCOUNT",
            "user_id must be the member of x-user-token",
        )


def require_no_member() -> None:
    """Refuse what members may not do for themselves. Raises `ServiceError` (PERMISSION_DENIED)."""
    if current_scope().user_id is not None:
        raise ServiceError(
            ErrorCode.PERMISSION_DENIED, "NOT_FOR_MEMBERS", "only staff and services may do this"
        )
