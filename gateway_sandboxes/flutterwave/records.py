"""What the sandbox remembers: hosted links (checkouts), attempts (transactions), what follows."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

CheckoutState = Literal["open", "paid", "failed", "cancelled", "disabled", "expired"]
StepName = Literal["pin", "avs", "otp", "3ds", "mobile_otp"]
RefundStatus = Literal[
    "completed", "completed-momo", "completed-mpgs", "completed-bank-transfer", "failed"
]
ChargebackStatus = Literal["initiated", "accepted", "declined", "won", "lost"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money on its way back. `completed` means that it was accepted, not that it arrived (A4).

    `ends_as` is the status that it takes at `ends_at`. `settlement_id` is None until a settlement
    has deducted it.
    """

    id: int
    transaction_id: int
    tx_ref: str
    flw_ref: str
    amount: Decimal
    currency: str
    comments: str | None
    callback_url: str | None
    created_at: datetime
    updated_at: datetime
    ends_at: datetime
    ends_as: RefundStatus
    status: RefundStatus = "completed"
    settlement_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargebackStep:
    """One line of a chargeback's history."""

    at: datetime
    initiator: str
    action: ChargebackStatus
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    """Money that a payer's bank demands back; unanswered at `due_at` it is lost (A10)."""

    id: int
    transaction_id: int
    tx_ref: str
    flw_ref: str
    amount: Decimal
    currency: str
    comment: str
    created_at: datetime
    due_at: datetime
    status: ChargebackStatus
    history: tuple[ChargebackStep, ...]
    settlement_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One payout to the merchant in one currency, and what it is made of (A11)."""

    id: int
    currency: str
    transaction_ids: tuple[int, ...]
    refund_ids: tuple[int, ...]
    chargeback_ids: tuple[int, ...]
    gross_amount: Decimal
    app_fee: Decimal
    refund: Decimal
    chargeback: Decimal
    net_amount: Decimal
    created_at: datetime
