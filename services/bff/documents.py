"""The JSON that the BFF reads and writes, as types: validation and the OpenAPI document follow."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Cycle = Literal["monthly", "annual"]
Method = Literal["card", "mobile_money", "express"]
Option = Literal["bank_transfer", "google_pay", "apple_pay", "paypal"]
PaymentStatusName = Literal[
    "pending",
    "processing",
    "completed",
    "failed",
    "cancelled",
    "expired",
    "partially_refunded",
    "refunded",
    "disputed",
    "charged_back",
]
MembershipStatusName = Literal["active", "past_due", "cancelled", "expired"]
ActionKind = Literal["none", "redirect", "phone_prompt", "otp"]

TierName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,39}$", examples=["pro"])]
Currency = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code.", examples=["UGX"])
]
Phone = Annotated[
    str,
    Meta(pattern=r"^\+[1-9][0-9]{7,14}$", description="E.164.", examples=["+256772123456"]),
]
Country = Annotated[
    str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2.", examples=["UG"])
]
Time = Annotated[
    str, Meta(description="RFC 3339, in UTC.", extra_json_schema={"format": "date-time"})
]


class _Body(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a page sends. A field that we do not know is refused: it could be meant as an amount."""


class QuoteBody(_Body, kw_only=True, frozen=True):
    """What to price. Without a currency, the default one."""

    tier: TierName
    billing_cycle: Cycle
    currency_code: Currency | UnsetType = UNSET


class CustomerBody(_Body, kw_only=True, frozen=True):
    """Who pays. A phone number and a country are required for mobile money."""

    email: Annotated[str, Meta(min_length=3, max_length=100)]
    name: Annotated[str, Meta(max_length=100)] = ""
    phone_number: Phone | UnsetType = UNSET
    country_code: Country | UnsetType = UNSET


class PaymentBody(_Body, kw_only=True, frozen=True):
    """What to buy and how to pay for it. The price comes from the price book."""

    tier: TierName
    billing_cycle: Cycle
    payment_method: Method
    customer: CustomerBody
    currency_code: Currency | UnsetType = UNSET
    return_url: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    payment_option: Option | UnsetType = UNSET
    mobile_money_network: Annotated[str, Meta(max_length=40)] | UnsetType = UNSET


class OtpBody(_Body, kw_only=True, frozen=True):
    """The one-time password that the member received."""

    otp: Annotated[str, Meta(pattern="^[0-9]{4,10}$")]


class RetryBody(_Body, kw_only=True, frozen=True):
    """How to try again; what is left out stays as it was."""

    payment_method: Method | UnsetType = UNSET
    payment_option: Option | UnsetType = UNSET
    mobile_money_network: Annotated[str, Meta(max_length=40)] | UnsetType = UNSET
    phone_number: Phone | UnsetType = UNSET
    country_code: Country | UnsetType = UNSET


class _Answer(msgspec.Struct, kw_only=True, frozen=True):
    """What a page gets."""


class MoneyDocument(_Answer, kw_only=True, frozen=True):
    """An exact amount, twice: `amount` is decimal text, `amount_minor` counts minor units."""

    currency_code: Currency
    amount: Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["25000"])]
    amount_minor: int


class PriceDocument(_Answer, kw_only=True, frozen=True):
    """The price of one period."""

    billing_cycle: Cycle
    amount: MoneyDocument


class SavingsDocument(_Answer, kw_only=True, frozen=True):
    """What a year saves against twelve months; 1667 basis points are 16.67 %."""

    amount: MoneyDocument
    basis_points: int


class TierDocument(_Answer, kw_only=True, frozen=True):
    """One tier of the price book."""

    tier: str
    display_name: str
    features: list[str]
    prices: list[PriceDocument]
    annual_savings: SavingsDocument | None


class TiersDocument(_Answer, kw_only=True, frozen=True):
    """The price book in one currency."""

    currency: Currency
    currencies: list[Currency]
    price_book_version: int
    tiers: list[TierDocument]


class QuoteDocument(_Answer, kw_only=True, frozen=True):
    """What an upgrade costs now. Nothing is reserved."""

    tier: str
    billing_cycle: Cycle
    price: MoneyDocument
    annual_savings: MoneyDocument
    annual_savings_basis_points: int
    proration_credit: MoneyDocument
    amount_due: MoneyDocument
    next_renewal_time: Time | None


class ActionDocument(_Answer, kw_only=True, frozen=True):
    """What the member does next; further fields are there where the kind has them."""

    kind: ActionKind
    redirect_url: str | UnsetType = UNSET
    masked_phone_number: str | UnsetType = UNSET
    masked_destination: str | UnsetType = UNSET
    expire_time: Time | UnsetType = UNSET


class FailureDocument(_Answer, kw_only=True, frozen=True):
    """Why the newest attempt failed: a stable code, and a sentence for the member."""

    code: str
    message: str
    fail_time: Time | None


class PaymentDocument(_Answer, kw_only=True, frozen=True):
    """One purchase of a membership. `version` grows with every change."""

    payment_id: str
    tier: str
    previous_tier: str
    billing_cycle: Cycle | None
    amount: MoneyDocument
    refunded_amount: MoneyDocument
    payment_method: Method | None
    status: PaymentStatusName
    status_message: str
    held_for_review: bool
    next_action: ActionDocument
    failure: FailureDocument | None
    version: int
    create_time: Time | None
    update_time: Time | None
    complete_time: Time | None


class PaymentsDocument(_Answer, kw_only=True, frozen=True):
    """One page of payments, newest first. `next_page_token` is empty on the last one."""

    payments: list[PaymentDocument]
    next_page_token: str


class MembershipDocument(_Answer, kw_only=True, frozen=True):
    """What the member has. The free tier has no period."""

    tier: str
    status: MembershipStatusName
    billing_cycle: Cycle | None
    current_period_start_time: Time | None
    current_period_end_time: Time | None


class ViolationDocument(_Answer, kw_only=True, frozen=True):
    """One thing that is wrong with a request."""

    field: str
    description: str


class ProblemDocument(_Answer, kw_only=True, frozen=True):
    """What went wrong (RFC 9457). `reason` is for programs, `detail` for the member."""

    type: str
    title: str
    status: int
    request_id: str
    detail: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    violations: list[ViolationDocument] | UnsetType = UNSET
    payment_id: str | UnsetType = UNSET
