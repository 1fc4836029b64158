"""Refunds: money that goes back to a payer, and the attempts to send it.

A refund's outcome can be unknown like a charge's. An attempt that may have left is never sent
again: it is looked up until the gateway says what became of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from kit.money import Money
from services.payments.domain.absence import NEVER_ABSENT, Absence
from services.payments.domain.payment import Failure


class RefundStatus(StrEnum):
    """Where a refund stands.

    PENDING: recorded, or on its way to the gateway. PROCESSING: accepted by the gateway, or its
    outcome is unknown. SUCCEEDED: the payer has it. FAILED: staff must act.
    """

    PENDING = "pending"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_R = RefundStatus

# A failed refund is tried again by staff, or turns out to have succeeded after all. The database
# trigger is checked against this table by a test.
REFUND_TRANSITIONS: Mapping[RefundStatus, frozenset[RefundStatus]] = MappingProxyType(
    {
        _R.PENDING: frozenset({_R.PROCESSING, _R.SUCCEEDED, _R.FAILED}),
        _R.PROCESSING: frozenset({_R.SUCCEEDED, _R.FAILED}),
        _R.FAILED: frozenset({_R.PENDING, _R.SUCCEEDED}),
        _R.SUCCEEDED: frozenset(),
    }
)


class RefundPurpose(StrEnum):
    """Why money goes back: a person asked for it, or nobody needed it."""

    REQUESTED = "requested"
    SURPLUS = "surplus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that goes back from one capture. `requested_by`: a calling service, or "worker"."""

    id: UUID
    payment_id: UUID
    capture_id: UUID
    purpose: RefundPurpose
    amount: Money
    reason: str
    requested_by: str
    gateway: str
    status: RefundStatus
    created_at: datetime
    updated_at: datetime
    failure: Failure | None = None

    def moved(self, status: RefundStatus, at: datetime, failure: Failure | None = None) -> "Refund":
        """Return the refund in another status. Raises `ValueError` for an illegal move."""
        if status is not self.status and status not in REFUND_TRANSITIONS[self.status]:
            raise ValueError(f"a refund cannot go from {self.status} to {status}")
        return replace(self, status=status, updated_at=at, failure=failure)


class RefundAttemptOutcome(StrEnum):
    """What is known about one try to send money back.

    RECORDED: not sent; it may be. SENDING: its request may have left. ACCEPTED: the gateway has
    it, and it is not done. UNKNOWN: the gateway may have it.
    """

    RECORDED = "recorded"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAttempt:
    """One try to send a refund, under a reference of its own.

    `next_check_at`: when the worker acts on it next; None for never. `checks`: how often it did.
    `absence`: how often the gateway did not know it. `lease_token`: fences a worker that lost its
    lease.
    """

    id: UUID
    refund_id: UUID
    payment_id: UUID
    number: int
    gateway: str
    reference: str
    outcome: RefundAttemptOutcome
    created_at: datetime
    gateway_refund_id: str = ""
    failure: Failure | None = None
    sent_at: datetime | None = None
    next_check_at: datetime | None = None
    checks: int = 0
    absence: Absence = NEVER_ABSENT
    lease_token: int = 0

    @property
    def unsettled(self) -> bool:
        """Whether it may still send money."""
        return self.outcome not in (RefundAttemptOutcome.SUCCEEDED, RefundAttemptOutcome.FAILED)


_UNSENT_WAITS = (5, 15, 60, 300, 900, 3600)
_LOOK_UP_WAITS = (2, 5, 15, 30, 60, 180, 300, 600, 900, 1800, 3600)
_DAY = timedelta(days=1)
# Card refunds take up to 15 days, mobile money 5 (Flutterwave contract, A4).
_HOURLY_FOR = timedelta(days=2)
# A failed refund is still asked about: "failed" and then done has been seen with every gateway.
_FAILED_FOR = timedelta(days=10)


def next_sending(checks: int, now: datetime) -> datetime:
    """Return when to send again what never left, after `checks` tries."""
    return now + timedelta(seconds=_UNSENT_WAITS[min(checks, len(_UNSENT_WAITS) - 1)])


def next_look_up(attempt: RefundAttempt, now: datetime) -> datetime | None:
    """Return when to ask about an attempt again; None when its story is over."""
    if attempt.outcome is RefundAttemptOutcome.SUCCEEDED or attempt.sent_at is None:
        return None
    age = now - attempt.sent_at
    if attempt.outcome is RefundAttemptOutcome.FAILED:
        return now + _DAY if age < _FAILED_FOR else None
    if attempt.checks < len(_LOOK_UP_WAITS):
        return now + timedelta(seconds=_LOOK_UP_WAITS[attempt.checks])
    return now + (timedelta(hours=1) if age < _HOURLY_FOR else _DAY)
