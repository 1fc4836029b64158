"""What an answer of a gateway proves about an attempt to send money back. Complete tables.

A refund that may have left is never sent again: there is nothing that would take it back.
"""

from collections.abc import Mapping
from types import MappingProxyType

from services.payments.domain.evidence import Answer
from services.payments.domain.refunds import RefundAttemptOutcome, RefundStatus

_O = RefundAttemptOutcome

# "Send this money back" was answered. What never left is sent again later.
REFUND_CREATION: Mapping[Answer, RefundAttemptOutcome] = MappingProxyType(
    {
        Answer.SUCCEEDED: _O.SUCCEEDED,
        Answer.PENDING: _O.ACCEPTED,
        Answer.REQUIRES_ACTION: _O.ACCEPTED,
        Answer.FAILED: _O.FAILED,
        Answer.NOT_FOUND: _O.UNKNOWN,
        Answer.NOT_SENT: _O.RECORDED,
        Answer.NOT_CREATED: _O.FAILED,
        Answer.UNKNOWN: _O.UNKNOWN,
    }
)

# "What became of this refund" was answered; None is no news.
REFUND_LOOK_UP: Mapping[Answer, RefundAttemptOutcome | None] = MappingProxyType(
    {
        Answer.SUCCEEDED: _O.SUCCEEDED,
        Answer.PENDING: _O.ACCEPTED,
        Answer.REQUIRES_ACTION: _O.ACCEPTED,
        Answer.FAILED: _O.FAILED,
        Answer.NOT_FOUND: None,
        Answer.NOT_SENT: None,
        Answer.NOT_CREATED: None,
        Answer.UNKNOWN: None,
    }
)

# Where a refund stands by what is known about its newest attempt.
STATUS_OF: Mapping[RefundAttemptOutcome, RefundStatus] = MappingProxyType(
    {
        _O.RECORDED: RefundStatus.PENDING,
        _O.SENDING: RefundStatus.PENDING,
        _O.ACCEPTED: RefundStatus.PROCESSING,
        _O.UNKNOWN: RefundStatus.PROCESSING,
        _O.SUCCEEDED: RefundStatus.SUCCEEDED,
        _O.FAILED: RefundStatus.FAILED,
    }
)

REFUND_RULES: Mapping[RefundAttemptOutcome, str] = MappingProxyType(
    {
        _O.RECORDED: "NOT_SENT: no byte reached the gateway; it is sent again",
        _O.SENDING: "SENDING: on record before its first byte leaves",
        _O.ACCEPTED: "ACCEPTED: the gateway has it; accepted is not done",
        _O.UNKNOWN: "UNKNOWN: it may have left; it is looked up and never sent again",
        _O.SUCCEEDED: "SUCCEEDED: the gateway says that the payer has the money",
        _O.FAILED: "FAILED: the gateway says that no money went back; staff decide",
    }
)


def outcome_after_look_up(
    before: RefundAttemptOutcome, found: RefundAttemptOutcome | None
) -> RefundAttemptOutcome:
    """Return an attempt's outcome once it was looked up.

    What succeeded stays; what failed is only moved by success.
    """
    final = before in (_O.SUCCEEDED, _O.FAILED)
    if found is None or before is _O.SUCCEEDED or (final and found is not _O.SUCCEEDED):
        return before
    return found
