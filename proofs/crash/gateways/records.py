"""What a gateway keeps: charges with the transactions that took money, and refunds."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kit.money import Money
from services.payments.domain.attempts import Flow

PAGE_LIFETIME = timedelta(hours=1)
PROMPT_LIFETIME = timedelta(minutes=10)
REFUND_TAKES = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a gateway and its payers behave in a story.

    `refuses`: it creates nothing. `asks_otp`: a prompt needs a one-time password first.
    `underpaid`: payers pay one unit less. `paid_twice`: pages are paid in two tabs.
    `failing_refunds`: so many of the first refunds are accepted and then fail.
    """

    refuses: bool = False
    asks_otp: bool = False
    underpaid: bool = False
    paid_twice: bool = False
    failing_refunds: int = 0


class Stage(StrEnum):
    """Where a charge stands. PAYABLE: somebody who sees it can pay."""

    AWAITS_OTP = "awaits_otp"
    PAYABLE = "payable"
    PAID = "paid"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Money that was taken under a charge."""

    id: str
    amount: Money


@dataclass(slots=True, kw_only=True)
class Charge:
    """One charge. `payer`: their e-mail address. `shown`: whether anybody ever saw its page.

    `failure_code`: why the payer's last try failed.
    """

    gateway: str
    reference: str
    payer: str
    amount: Money
    flow: Flow
    stage: Stage
    expires_at: datetime
    shown: bool = False
    failure_code: str = ""
    transactions: list[Transaction] = field(default_factory=list)

    @property
    def link(self) -> str:
        """The address of its page."""
        return f"https://{self.gateway}.example/pay/{self.reference}"

    @property
    def can_be_paid(self) -> bool:
        """Whether its payer can pay now: a prompt comes by itself, a page must be shown."""
        reachable = self.flow is Flow.PROMPT or self.shown
        return self.stage is Stage.PAYABLE and reachable


@dataclass(slots=True, kw_only=True)
class SentRefund:
    """Money that a gateway sends back. `done_at`: when it arrives. `fails`: then it does not."""

    gateway: str
    reference: str
    amount: Money
    done_at: datetime
    fails: bool
    arrived: bool = False
    failed: bool = False
