"""What the sandbox remembers: transactions, wallets, access tokens and one-time passwords."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Status = Literal["pending", "successful", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A collection as the merchant asked for it; the amount is in major units.

    `phone` is None for a card, which has a page instead of a phone.
    """

    transaction_ref: str | None
    phone: str | None
    country: str
    currency: str
    amount: Decimal
    customer: Any
    redirect_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Something that will happen to a transaction by itself at a time."""

    at: datetime
    outcome: Literal["successful", "failed", "second_success"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A collection. `prompt_expires_at` is None when no payer is asked.

    `webhook_copies` is how many webhooks a decision sends: 0 loses it.
    """

    id: int
    transaction_id: str
    order: Order
    amount: Decimal
    currency: str
    status: Status
    created_at: datetime
    updated_at: datetime
    prompt_expires_at: datetime | None
    plan: tuple[Planned, ...]
    webhook_copies: int
    reason: str | None = None
    fees: Decimal | None = None
    balance_before: Decimal | None = None
    balance_after: Decimal | None = None

    @property
    def reference(self) -> str:
        """The merchant's own reference; the transaction's id when they gave none."""
        return self.order.transaction_ref or self.transaction_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """A balance in major units."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A bearer token."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimePassword:
    """A password sent to a phone; good for one collection."""

    pin_id: str
    phone: str
    expires_at: datetime
    used: bool = False
