"""Makes breaks out of the rows that they are about."""

from datetime import datetime

from services.payments.domain.reconciliation import (
    Booked,
    BookedCapture,
    BookedRefund,
    Break,
    BreakKind,
    Subject,
    Transaction,
)


def differs(kind: BreakKind, theirs: Transaction, ours: Booked, why: str) -> Break:
    """Return the break of two rows about one thing. `why`: what differs, by how much."""
    recorded = ours.captured_at if isinstance(ours, BookedCapture) else None
    return Break(
        kind=kind,
        subject=theirs.subject,
        transaction_id=theirs.transaction_id,
        reference=ours.reference,
        payment_id=ours.payment_id,
        summary=why,
        at=_first(theirs.at, recorded),
        theirs=theirs,
        ours=ours,
    )


def only_there(kind: BreakKind, theirs: Transaction, why: str) -> Break:
    """Return the break of a row that is about nothing of ours."""
    return Break(
        kind=kind,
        subject=theirs.subject,
        transaction_id=theirs.transaction_id,
        reference=theirs.reference,
        summary=why,
        at=_first(theirs.at),
        theirs=theirs,
    )


def only_here(ours: BookedCapture | BookedRefund, at: datetime, why: str) -> Break:
    """Return the break of money in our books that the gateway does not list. `at`: by our clock."""
    subject = Subject.CHARGE if isinstance(ours, BookedCapture) else Subject.REFUND
    return Break(
        kind=BreakKind.MISSING_THERE,
        subject=subject,
        transaction_id=ours.transaction_id or ours.reference,
        reference=ours.reference,
        payment_id=ours.payment_id,
        summary=why,
        at=at,
        ours=ours,
    )


def _first(*moments: datetime | None) -> datetime:
    known = next((at for at in moments if at is not None), None)
    if known is None:
        raise ValueError("a row that neither side dates is no difference")
    return known
