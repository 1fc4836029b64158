"""A payment: one purchase of a membership by one member."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money
from services.payments.domain.states import PaymentStatus, require_transition


class BillingCycle(StrEnum):
    """How long the bought period is."""

    MONTHLY = "monthly"
    ANNUAL = "annual"


class PaymentMethod(StrEnum):
    """What the member pays with."""

    CARD = "card"
    MOBILE_MONEY = "mobile_money"
    EXPRESS = "express"


class ActionKind(StrEnum):
    """What the member has to do next."""

    NONE = "none"
    REDIRECT = "redirect_url"
    PHONE_PROMPT = "phone_prompt"
    OTP = "otp"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """The member's next step.

    `value`: the hosted page's address, the masked phone number, or the masked destination of a
    one-time password. `expires_at`: when the step lapses, or None when the gateway does not say.
    """

    kind: ActionKind = ActionKind.NONE
    value: str = ""
    expires_at: datetime | None = None


NO_ACTION = NextAction()


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The person who pays. Personal data: never logged.

    `phone_number`: E.164. `country_code`: ISO 3166-1 alpha-2. Both empty when not given.
    """

    email: str
    name: str = ""
    phone_number: str = ""
    country_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt took no money.

    `code`: a stable code of `domain.failures`. `message`: a sentence for the member. `at`: when.
    """

    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a member asked for, validated and priced.

    `payment_option` and `mobile_money_network` narrow the method; empty when not given.
    """

    user_id: str
    tier: str
    billing_cycle: BillingCycle
    payment_method: PaymentMethod
    amount: Money
    price_book_version: int
    customer: Customer
    return_url: str
    payment_option: str = ""
    mobile_money_network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment as it stands.

    `version` grows with every change and guards every write. `gateway` and `gateway_reference`
    are those of the newest attempt. `review_reason` is set while staff must decide. `period_start`
    and `period_end`: the time that it granted, once completed.
    """

    id: UUID
    purchase: Purchase
    previous_tier: str
    idempotency_key: str
    status: PaymentStatus
    version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    gateway: str = ""
    gateway_reference: str = ""
    gateway_transaction_id: str = ""
    next_action: NextAction = NO_ACTION
    failure: Failure | None = None
    refunded_minor: int = 0
    review_reason: str | None = None
    verification_count: int = 0
    last_verified_at: datetime | None = None
    webhook_count: int = 0
    webhook_received_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None

    @property
    def user_id(self) -> str:
        """The member who buys."""
        return self.purchase.user_id

    @property
    def amount(self) -> Money:
        """The price."""
        return self.purchase.amount

    @property
    def refunded(self) -> Money:
        """How much of the captured amount went back."""
        return Money(self.amount.currency, self.refunded_minor)

    def moved(self, status: PaymentStatus, at: datetime) -> "Payment":
        """Return the payment in another status; a dispute that is won keeps its first completion.

        Raises `IllegalTransitionError` when the table of legal moves does not allow it.
        """
        require_transition(self.status, status)
        completed_at = self.completed_at
        if status is PaymentStatus.COMPLETED and completed_at is None:
            completed_at = at
        return replace(self, status=status, completed_at=completed_at)

    def touched(self, at: datetime) -> "Payment":
        """Return the payment as its next version, changed at `at`."""
        return replace(self, version=self.version + 1, updated_at=at)


def masked_phone(number: str) -> str:
    """Return a phone number with all but its first four and last two characters hidden."""
    hidden = max(len(number) - 6, 0)
    return f"{number[:4]}{'•' * hidden}{number[-2:]}" if hidden else "•" * len(number)
