"""What the sandbox remembers: hosted links (checkouts) and payment attempts (transactions)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

CheckoutState = Literal["open", "paid", "failed", "cancelled", "disabled", "expired"]
StepName = Literal["pin", "avs", "otp", "3ds", "mobile_otp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The payer, as the merchant described them; the e-mail is already rewritten (A13)."""

    id: int
    name: str
    phone_number: str | None
    email: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The part of a card that a transaction shows; the number itself is never kept."""

    first_6digits: str
    last_4digits: str
    network: str
    expiry: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a payer stands between choosing a method and the outcome.

    `card` is the entered card's position among the test cards. `transaction_id` is None while
    Flutterwave would not have created a transaction yet.
    """

    name: StepName
    option: str
    card: int | None = None
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a merchant asked for in `POST /v3/payments`; amounts in major units."""

    tx_ref: str
    amount: Decimal
    currency: str
    redirect_url: str | None
    options: tuple[str, ...]
    customer_email: str
    customer_name: str
    customer_phone: str | None
    title: str
    description: str
    meta: Any
    session_minutes: int
    max_attempts: int
    link_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A hosted link. The session starts when the payer first opens it and ends for good once."""

    token: str
    order: Order
    customer: Customer
    created_at: datetime
    state: CheckoutState = "open"
    session_ends_at: datetime | None = None
    failed_attempts: int = 0
    step: Step | None = None
    late_payment_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One attempt of a payer, with an id of its own (A3.4). `status` is pending until decided."""

    id: int
    token: str
    tx_ref: str
    flw_ref: str
    option: str
    amount: Decimal
    currency: str
    charged_amount: Decimal
    app_fee: Decimal
    amount_settled: Decimal | None
    processor_response: str
    auth_model: str
    ip: str
    device_fingerprint: str
    narration: str
    status: Literal["pending", "successful", "failed"]
    created_at: datetime
    customer: Customer
    meta: Any
    card: Card | None = None
    phone: str | None = None
