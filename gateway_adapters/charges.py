"""Charges in our words: what is ordered, what is asked, what a gateway says."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kit.money import Money


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
    """A gateway's answer about a charge. `charge` is None exactly with `NOT_FOUND`.

    `further_transaction_ids`: other transactions under the same reference that took money too, as
    far as the gateway was asked about them.
    """

    outcome: Outcome
    charge: Charge | None
    further_transaction_ids: tuple[str, ...] = ()


NOT_FOUND = ChargeReport(outcome=Outcome.NOT_FOUND, charge=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeQuery:
    """Which charge to look up. At least one is not empty; when both are given they must agree."""

    reference: str
    gateway_transaction_id: str
