"""An attempt: one try to take a payment's money at one gateway, under a reference of its own."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money
from services.payments.domain.absence import NEVER_ABSENT, Absence
from services.payments.domain.payment import Failure


class AttemptOutcome(StrEnum):
    """What is known about an attempt."""

    SENDING = "sending"
    LIVE = "live"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNDELIVERED = "undelivered"


# While an attempt is in one of these, it may still take money, and no other may start.
UNSETTLED_OUTCOMES = frozenset(
    {AttemptOutcome.SENDING, AttemptOutcome.LIVE, AttemptOutcome.UNKNOWN}
)


class Flow(StrEnum):
    """How an attempt reaches the payer.

    HOSTED: an unguessable link that nobody can pay on before we deliver it. PROMPT: the gateway
    itself reaches the payer's phone.
    """

    HOSTED = "hosted"
    PROMPT = "prompt"


# Why an attempt that a stopped process left behind ended: it says nothing about the gateway.
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one gateway.

    `number`: 1 for the payment's first. `sent_at`: since when its request may be on the way.
    `round`: grows when the member tries again; every gateway may be tried once more then. `link`:
    the hosted page that was delivered, if any. `sender`: the process that sends it.
    `action_state`: the adapter's own, while a one-time password is awaited. `next_check_at`: when
    the worker asks the gateway next; None for never. `checks`: how often it asked. `absence`: how
    often the gateway did not know it. `lease_token`: fences a worker that lost its lease.
    """

    id: UUID
    payment_id: UUID
    number: int
    gateway: str
    reference: str
    flow: Flow
    outcome: AttemptOutcome
    amount: Money
    created_at: datetime
    sent_at: datetime
    round: int = 1
    sender: str = ""
    gateway_transaction_id: str = ""
    link: str = ""
    failure: Failure | None = None
    action_state: str = ""
    expires_at: datetime | None = None
    next_check_at: datetime | None = None
    checks: int = 0
    absence: Absence = NEVER_ABSENT
    lease_token: int = 0

    @property
    def unsettled(self) -> bool:
        """Whether it may still take money."""
        return self.outcome in UNSETTLED_OUTCOMES

    @property
    def as_sent(self) -> tuple[AttemptOutcome, datetime]:
        """What changes when it is sent, or sent on: a decision about another state is void."""
        return self.outcome, self.sent_at

    @property
    def payable(self) -> bool:
        """Whether a page was delivered on which the member can pay now."""
        return self.flow is Flow.HOSTED and self.outcome is AttemptOutcome.LIVE

    @property
    def awaits_otp(self) -> bool:
        """Whether the gateway waits for a one-time password; until then nothing can be paid."""
        return bool(self.action_state) and self.outcome is AttemptOutcome.LIVE

    @property
    def reply_lost(self) -> bool:
        """Whether its creation's reply was lost, and it was given up: the gateway may have it."""
        return self.outcome is AttemptOutcome.UNDELIVERED and self.next_check_at is not None

    @property
    def interrupted(self) -> bool:
        """Whether it was given up because our own process stopped; says nothing of the gateway."""
        return self.failure is not None and self.failure.code == INTERRUPTED

    def settled(self, outcome: AttemptOutcome, failure: Failure | None = None) -> "Attempt":
        """Return the attempt with its outcome and, if it failed, why."""
        return replace(self, outcome=outcome, failure=failure or self.failure)
