"""Writes history: every note gets its payment, its actor, its request id and its time."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from kit.logs import get_logger
from kit.request_scope import current_scope
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.ruling import Note
from services.payments.ports import Work

_log = get_logger(__name__)

_ALERTING = frozenset({"held_for_review", "surplus_found", "refund_failed", "refund_doubled"})


async def write(
    work: Work, payment_id: UUID, notes: Iterable[Note], at: datetime, actor: str | None = None
) -> None:
    """Append notes to a payment's history; `actor` is the served request's caller unless given."""
    scope = current_scope()
    await work.audit.append(
        [
            AuditEntry(
                payment_id=payment_id,
                kind=note.kind,
                actor=actor or scope.caller,
                action=note.action,
                reason=note.reason,
                rule=note.rule,
                from_status=note.from_status,
                to_status=note.to_status,
                request_id=scope.request_id,
                at=at,
                details=note.details,
            )
            for note in notes
        ]
    )


def alert(payment_id: UUID, notes: Iterable[Note]) -> None:
    """Raise what an operator must see: money held, not asked for, or that did not go back."""
    for note in notes:
        if note.action in _ALERTING:
            _log.error(note.action, payment_id=str(payment_id), reason=note.reason, alert=True)


def request_note(action: str, reason: str, **details: str) -> Note:
    """Return the note that somebody asked for something."""
    return Note(kind=AuditKind.REQUEST, action=action, reason=reason, details=details)
