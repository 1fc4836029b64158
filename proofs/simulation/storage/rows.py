"""Rows that hold more than their domain object: leases, duplicates, handling."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.payments.domain.attempts import Attempt
from services.payments.domain.events import Delivery, EventStatus, GatewayEvent
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import RefundAttempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt and its lease."""

    attempt: Attempt
    lease_until: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When a worker may claim it; None for never."""
        return _claimable(self.attempt.next_check_at, self.lease_until)

    @property
    def gateway(self) -> str:
        """Whose share it is."""
        return self.attempt.gateway

    def leased(self, until: datetime) -> "AttemptRow":
        """Return the row with the next lease."""
        attempt = replace(self.attempt, lease_token=self.attempt.lease_token + 1)
        return AttemptRow(attempt=attempt, lease_until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAttemptRow:
    """An attempt to send a refund, and its lease."""

    attempt: RefundAttempt
    lease_until: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When a worker may claim it; None for never."""
        return _claimable(self.attempt.next_check_at, self.lease_until)

    @property
    def gateway(self) -> str:
        """Whose share it is."""
        return self.attempt.gateway

    def leased(self, until: datetime) -> "RefundAttemptRow":
        """Return the row with the next lease."""
        attempt = replace(self.attempt, lease_token=self.attempt.lease_token + 1)
        return RefundAttemptRow(attempt=attempt, lease_until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A stored callback: its delivery, its lease, and how far it was handled."""

    id: UUID
    delivery: Delivery
    request_id: str
    next_try_at: datetime | None
    status: EventStatus = EventStatus.RECEIVED
    payment_id: UUID | None = None
    note: str = ""
    tries: int = 0
    duplicates: int = 0
    lease_token: int = 0
    lease_until: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When a worker may claim it; None for never."""
        return _claimable(self.next_try_at, self.lease_until)

    @property
    def gateway(self) -> str:
        """Whose share it is."""
        return self.delivery.gateway

    @property
    def event(self) -> GatewayEvent:
        """The event as a worker sees it."""
        return GatewayEvent(
            id=self.id,
            gateway=self.delivery.gateway,
            event_key=self.delivery.event_key,
            event_type=self.delivery.event_type,
            reference=self.delivery.reference,
            gateway_transaction_id=self.delivery.gateway_transaction_id,
            request_id=self.request_id,
            received_at=self.delivery.received_at,
            tries=self.tries,
            lease_token=self.lease_token,
            status=self.status,
            note=self.note,
            payment_id=self.payment_id,
            next_try_at=self.next_try_at,
            duplicates=self.duplicates,
        )

    def leased(self, until: datetime) -> "EventRow":
        """Return the row with the next lease."""
        return replace(self, lease_token=self.lease_token + 1, lease_until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of the outbox."""

    topic: str
    payment: Payment
    at: datetime


def _claimable(due_at: datetime | None, lease_until: datetime | None) -> datetime | None:
    if due_at is None or lease_until is None:
        return due_at
    return max(due_at, lease_until)
