"""The states of a payment and the one table of legal moves between them.

The database trigger and docs/payment-states.md are checked against this table by tests.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    CHARGED_BACK = "charged_back"


_S = PaymentStatus

TRANSITIONS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.PROCESSING, _S.FAILED, _S.CANCELLED, _S.EXPIRED}),
        _S.PROCESSING: frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.EXPIRED}),
        # A retry makes a new attempt; a late verified success completes.
        _S.FAILED: frozenset({_S.PROCESSING, _S.COMPLETED}),
        _S.EXPIRED: frozenset({_S.PROCESSING, _S.COMPLETED}),
        # Money that still arrives after a cancellation is surplus and goes back.
        _S.CANCELLED: frozenset(),
        _S.COMPLETED: frozenset({_S.PARTIALLY_REFUNDED, _S.REFUNDED, _S.DISPUTED}),
        _S.PARTIALLY_REFUNDED: frozenset({_S.REFUNDED, _S.DISPUTED}),
        _S.REFUNDED: frozenset(),
        _S.DISPUTED: frozenset({_S.COMPLETED, _S.PARTIALLY_REFUNDED, _S.CHARGED_BACK, _S.REFUNDED}),
        _S.CHARGED_BACK: frozenset(),
    }
)

# A member has at most one payment in these per tier and billing cycle.
OPEN_STATUSES = frozenset({_S.PENDING, _S.PROCESSING})

# The money of a payment in one of these is kept, all or part of it.
KEPT_STATUSES = frozenset({_S.COMPLETED, _S.PARTIALLY_REFUNDED, _S.DISPUTED})

# Nothing more happens by itself: a stream of the payment ends here.
RESTING_STATUSES = frozenset(PaymentStatus) - OPEN_STATUSES - {_S.DISPUTED}


class IllegalTransitionError(Exception):
    """A move that the table does not allow: a defect of ours, never an answer to a caller."""


def require_transition(old: PaymentStatus, new: PaymentStatus) -> None:
    """Raise `IllegalTransitionError` unless the table allows the move from `old` to `new`."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransitionError(f"{old} -> {new}")
