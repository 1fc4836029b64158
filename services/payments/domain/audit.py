"""The append-only history: who did what to a payment, from which state to which, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.payments.domain.states import PaymentStatus


class AuditKind(StrEnum):
    """What kind of thing happened."""

    REQUEST = "request"
    ATTEMPT = "attempt"
    EVENT = "event"
    CHECK = "check"
    MOVE = "move"
    EFFECT = "effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of history.

    `actor`: a calling service, "worker", or a gateway's name. `rule`: what decided, in a sentence;
    empty where nothing was decided. `details`: references, codes and figures; no personal data.
    """

    payment_id: UUID
    kind: AuditKind
    actor: str
    action: str
    reason: str
    request_id: str
    at: datetime
    rule: str = ""
    from_status: PaymentStatus | None = None
    to_status: PaymentStatus | None = None
    details: Mapping[str, str] = field(default_factory=dict)
