"""What the sandbox remembers: collections, payouts, wallets, access tokens, one-time passwords."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

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

    @property
    def kind(self) -> str:
        """What Eversend calls the type of such a transaction."""
        return "collection"

    @property
    def phone(self) -> str | None:
        """The payer's phone."""
        return self.order.phone

    @property
    def asked_amount(self) -> Decimal:
        """What the merchant asked for, whatever became of it (major units)."""
        return self.order.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """What a payout would cost, good for one payout until it expires; amounts in major units.

    `source_amount` is what leaves the wallet besides `fees`, `destination_amount` what arrives.
    """

    token: str
    source_country: str
    source_currency: str
    source_amount: Decimal
    destination_country: str
    destination_currency: str
    destination_amount: Decimal
    exchange_rate: Decimal
    fees: Decimal
    amount_type: Literal["SOURCE", "DESTINATION"]
    amount: Decimal
    expires_at: datetime
    used: bool = False

    @property
    def total(self) -> Decimal:
        """What the wallet pays in all."""
        return self.source_amount + self.fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """The person whom a payout goes to; `phone` is in international notation."""

    phone: str
    first_name: str
    last_name: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Money on its way to a phone; the wallet has paid for it since it was created.

    `decided_at` is when it is decided by itself (None: never), `failure` why it then fails (None:
    it succeeds). `webhook_copies` is how many webhooks the decision sends: 0 loses it.
    """

    id: int
    transaction_id: str
    transaction_ref: str | None
    quotation: Quotation
    payee: Payee
    status: Status
    created_at: datetime
    updated_at: datetime
    balance_before: Decimal
    balance_after: Decimal
    decided_at: datetime | None
    failure: str | None
    webhook_copies: int
    reason: str | None = None

    @property
    def reference(self) -> str:
        """The merchant's own reference; the transaction's id when they gave none."""
        return self.transaction_ref or self.transaction_id

    @property
    def kind(self) -> str:
        """What Eversend calls the type of such a transaction."""
        return "payout"

    @property
    def phone(self) -> str:
        """The payee's phone."""
        return self.payee.phone

    @property
    def asked_amount(self) -> Decimal:
        """What the merchant asked for (major units)."""
        return self.quotation.amount

    @property
    def amount(self) -> Decimal:
        """What left the wallet besides the fees, in its own currency (major units)."""
        return self.quotation.source_amount

    @property
    def fees(self) -> Decimal:
        """What the payout costs on top (major units of the wallet's currency)."""
        return self.quotation.fees

    @property
    def currency(self) -> str:
        """The wallet's currency."""
        return self.quotation.source_currency


Row: TypeAlias = Transaction | Payout


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
