"""The contract of a gateway, in our words: no grpc, no protos, no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from gateway_adapters.errors import NotCreatedError
from kit.logs import get_logger
from kit.money import Money, MoneyError
from kit.redaction import redact_text

_MAX_DETAIL = 200

_log = get_logger(__name__)


class Outcome(StrEnum):
    """What a gateway says; each is `gateways.v1.Outcome` of the same name."""

    SUCCEEDED = "SUCCEEDED"
    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    FAILED = "FAILED"
    NOT_FOUND = "NOT_FOUND"


class Method(StrEnum):
    """What the payer pays with; each is `common.v1.PaymentMethod` of the same name."""

    CARD = "CARD"
    MOBILE_MONEY = "MOBILE_MONEY"
    EXPRESS = "EXPRESS"


class Flow(StrEnum):
    """How a charge reaches the payer; each is `gateways.v1.Flow` of the same name."""

    HOSTED = "HOSTED"
    PROMPT = "PROMPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing a gateway can charge.

    `countries`: ISO 3166-1 alpha-2; empty means any. `options`: what a payer may narrow the method
    to; empty means nothing can be chosen.
    """

    method: Method
    currency: str
    flow: Flow
    countries: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a gateway can do. Looking charges up is not optional."""

    capabilities: Sequence[Capability]
    can_cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """The person who pays. Never logged.

    `phone_number`: E.164 with a leading plus, or "". `country`: ISO 3166-1 alpha-2, or "".
    """

    email: str = field(repr=False)
    name: str = field(default="", repr=False)
    phone_number: str = field(default="", repr=False)
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """A charge to create. `reference`: ours, never used before. Empty text means "not given"."""

    reference: str
    amount: Money
    method: Method
    payer: Payer
    return_url: str = ""
    description: str = ""
    option: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """The payer opens a hosted page."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovePrompt:
    """The payer approves a prompt on this phone (E.164)."""

    phone_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterOtp:
    """The payer hands in a one-time password. `state`: the adapter's own; comes back with it."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a charge, or the payer's last try at it, failed.

    `code`: stable, for example "insufficient_funds". `detail`: the gateway's own words, made by
    `detail_of`.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a gateway knows about one charge; see `gateways.v1.Charge`."""

    reference: str
    gateway_transaction_id: str = ""
    amount: Money | None = None
    fee: Money | None = None
    next_action: OpenPage | ApprovePrompt | EnterOtp | None = None
    failure: Failure | None = None
    gateway_status: str = ""
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReport:
    """A gateway's answer about a charge. `charge` is None exactly with `NOT_FOUND`."""

    outcome: Outcome
    charge: Charge | None


NOT_FOUND = ChargeReport(outcome=Outcome.NOT_FOUND, charge=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeQuery:
    """Which charge to look up. At least one is not empty; when both are given they must agree."""

    reference: str
    gateway_transaction_id: str


class Gateway(Protocol):
    """One payment gateway.

    Every call raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`, and a look-up
    never `NotCreatedError`: not being able to ask proves nothing.
    """

    @property
    def name(self) -> str:
        """The gateway's name in the registry."""
        ...

    def describe(self) -> Abilities:
        """Say what this gateway can do, without calling it."""
        ...

    async def create_charge(self, order: ChargeOrder) -> ChargeReport:
        """Create a charge. Never sent twice, whatever happens."""
        ...

    async def get_charge(self, query: ChargeQuery) -> ChargeReport:
        """Ask the gateway what it knows about a charge."""
        ...

    async def cancel_charge(self, redirect_url: str) -> Outcome:
        """Close the hosted page at `redirect_url`.

        SUCCEEDED when the gateway says that it can no longer be paid, FAILED when it refuses.
        Raises `NotOfferedError` where there is no such call.
        """
        ...

    async def submit_otp(self, order: ChargeOrder, state: str, otp: str) -> ChargeReport:
        """Hand in what the payer was asked for. `state`: of the charge's `EnterOtp`.

        Raises `NotOfferedError` where there is no such step.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def require_capability(abilities: Abilities, order: ChargeOrder) -> Capability:
    """Return the capability that covers an order.

    Raises `NotCreatedError` naming what the gateway lacks.
    """
    by_method = [each for each in abilities.capabilities if each.method is order.method]
    if not by_method:
        raise NotCreatedError("method_not_supported", f"no {order.method} payments here")
    by_currency = [each for each in by_method if each.currency == order.amount.currency]
    if not by_currency:
        currency = order.amount.currency
        raise NotCreatedError("currency_not_supported", f"no {order.method} in {currency} here")
    for capability in by_currency:
        if not capability.countries or order.payer.country in ("", *capability.countries):
            return _with_option(capability, order.option)
    raise NotCreatedError("country_not_supported", "not offered in the payer's country")


def _with_option(capability: Capability, option: str) -> Capability:
    if option and option not in capability.options:
        raise NotCreatedError("payment_option_not_supported", "no such payment option here")
    return capability


def detail_of(text: str) -> str:
    """Return a gateway's words fit for a log and a support page: bounded, without personal data."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return redact_text(printable)[:_MAX_DETAIL]


def code_for(words: str, phrases: Sequence[tuple[str, str]], default: str) -> str:
    """Return the code of the first phrase that a gateway's free text contains, else `default`.

    `phrases`: pairs of a lower-case phrase and a code, the most telling first.
    """
    lowered = words.lower()
    return next((code for phrase, code in phrases if phrase in lowered), default)


def outcome_for(status: str, known: Mapping[str, Outcome], gateway: str) -> Outcome:
    """Return what a gateway's own word for a status means.

    `known`: by lower-case word. A word that is not known proves nothing: it is PENDING, with a
    warning for operators.
    """
    outcome = known.get(status.strip().lower())
    if outcome is None:
        _log.warning("gateway_status_unknown", gateway=gateway, status=status)
        return Outcome.PENDING
    return outcome


def plain_decimal(money: Money) -> str:
    """Return an amount in major units as decimal text without exponent, for example "499.00"."""
    return format(money.to_major(), "f")


def exact_money(currency: str, major: Decimal | str | int | None) -> Money | None:
    """Return an amount that a gateway wrote in major units, or None unless it is exact."""
    if major is None:
        return None
    try:
        return Money.from_major(currency, major)
    except MoneyError:
        return None
