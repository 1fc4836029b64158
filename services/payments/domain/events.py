"""Gateway events: verified, stored callbacks. Each is a hint to ask the gateway, never a fact."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class EventStatus(StrEnum):
    """How far a stored callback has been handled.

    UNATTRIBUTED: it matches no payment of ours; it is kept, retried and alerted about.
    """

    RECEIVED = "received"
    PROCESSED = "processed"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery, as the receiver hands it over.

    `event_key`: what makes two deliveries the same. `reference` and `gateway_transaction_id` are
    the body's, empty when it has none. `raw_body`: the bytes that were verified.
    """

    gateway: str
    event_key: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    raw_body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """One stored callback.

    `tries`: how often handling was tried. `note`: why it is not done, for operators.
    `next_try_at`: when it is handled next; None when it is done. `duplicates`: how often the same
    delivery came again. `lease_token`: fences a worker that lost its lease.
    """

    id: UUID
    gateway: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    request_id: str
    received_at: datetime
    tries: int
    lease_token: int
    event_key: str = ""
    status: EventStatus = EventStatus.RECEIVED
    note: str = ""
    payment_id: UUID | None = None
    next_try_at: datetime | None = None
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How far an event was handled.

    `next_try_at`: when to try again; None when it is done. `note`: why it is not, for operators.
    """

    status: EventStatus
    payment_id: UUID | None = None
    next_try_at: datetime | None = None
    note: str = ""


_RETRY_SECONDS = (1, 2, 5, 15, 60, 300, 900, 3600)
# Attempts are on record before their reference leaves, so an event that matches none after three
# days is somebody else's. It stays in the inbox, for people.
_MOST_UNATTRIBUTED_TRIES = 72


def next_try(tries: int, now: datetime) -> datetime:
    """Return when to handle an event again after `tries` tries: soon at first, then hourly."""
    return now + timedelta(seconds=_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])


def next_attribution(tries: int, now: datetime) -> datetime | None:
    """Return when to look again for the payment of an unattributed event, or None to leave it."""
    return next_try(tries, now) if tries < _MOST_UNATTRIBUTED_TRIES else None
