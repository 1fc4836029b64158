"""What an answer of a gateway proves about an attempt. One table per moment; nothing else decides.

A fallback may start only on a fact showing that the attempt did not and can never take money.
A timeout is no such fact, and neither is "not found": the request may arrive after the look-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from services.payments.domain.attempts import UNSETTLED_OUTCOMES, AttemptOutcome, Flow


class Answer(StrEnum):
    """What came back from an adapter: an outcome that the gateway reported, or a failed call."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    NOT_FOUND = "not_found"
    NOT_SENT = "not_sent"
    NOT_CREATED = "not_created"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """What an answer proves."""

    NOT_SENT = "NOT_SENT"
    REJECTED = "REJECTED"
    UNDELIVERED = "UNDELIVERED"
    UNKNOWN = "UNKNOWN"
    LIVE = "LIVE"
    PAID = "PAID"
    EXPIRED = "EXPIRED"
    CLOSED = "CLOSED"
    ABSENT = "ABSENT"
    NO_NEWS = "NO_NEWS"


# The sentence that the audit trail and support read.
RULES: dict[Evidence, str] = {
    Evidence.NOT_SENT: "NOT_SENT: no byte reached the gateway; another attempt may start now",
    Evidence.REJECTED: "REJECTED: the gateway says that no money was and will be taken",
    Evidence.UNDELIVERED: (
        "UNDELIVERED: the link is unguessable and was never shown to anybody; another attempt may"
        " start now, and this one is still looked up"
    ),
    Evidence.UNKNOWN: "UNKNOWN: it may have taken effect; no other attempt starts without proof",
    Evidence.LIVE: "LIVE: the member can pay on it; no other attempt starts",
    Evidence.PAID: "PAID: the gateway confirms the money under our own reference",
    Evidence.EXPIRED: "EXPIRED: nobody paid in time, and nobody can any more",
    Evidence.CLOSED: "CLOSED: it is not needed any more, and the gateway acknowledged closing it",
    Evidence.ABSENT: (
        "ABSENT: the gateway did not know it three times, well apart and after the quiet time;"
        " money that still arrives goes back by itself"
    ),
    Evidence.NO_NEWS: "NO_NEWS: the gateway could not be asked or knows nothing new; ask again",
}

# Evidence on which another attempt may start without the member being asked.
ALLOWS_FALLBACK = frozenset({Evidence.NOT_SENT, Evidence.REJECTED, Evidence.UNDELIVERED})

# "Create this charge" was answered. Creation never proves a payment: it is looked up like any
# other. What a failed or contradictory creation means depends on whether anybody can act on it.
_CREATION: Mapping[Answer, Mapping[Flow, Evidence]] = {
    Answer.SUCCEEDED: {Flow.HOSTED: Evidence.LIVE, Flow.PROMPT: Evidence.LIVE},
    Answer.PENDING: {Flow.HOSTED: Evidence.LIVE, Flow.PROMPT: Evidence.LIVE},
    Answer.REQUIRES_ACTION: {Flow.HOSTED: Evidence.LIVE, Flow.PROMPT: Evidence.LIVE},
    Answer.FAILED: {Flow.HOSTED: Evidence.REJECTED, Flow.PROMPT: Evidence.REJECTED},
    Answer.NOT_FOUND: {Flow.HOSTED: Evidence.UNDELIVERED, Flow.PROMPT: Evidence.UNKNOWN},
    Answer.NOT_SENT: {Flow.HOSTED: Evidence.NOT_SENT, Flow.PROMPT: Evidence.NOT_SENT},
    Answer.NOT_CREATED: {Flow.HOSTED: Evidence.REJECTED, Flow.PROMPT: Evidence.REJECTED},
    Answer.UNKNOWN: {Flow.HOSTED: Evidence.UNDELIVERED, Flow.PROMPT: Evidence.UNKNOWN},
}

# "What became of this charge" was answered. Not being able to ask proves nothing, nor does "not
# found": the request can arrive after the look-up.
_LOOK_UP: Mapping[Answer, Evidence] = {
    Answer.SUCCEEDED: Evidence.PAID,
    Answer.PENDING: Evidence.LIVE,
    Answer.REQUIRES_ACTION: Evidence.LIVE,
    Answer.FAILED: Evidence.REJECTED,
    Answer.NOT_FOUND: Evidence.NO_NEWS,
    Answer.NOT_SENT: Evidence.NO_NEWS,
    Answer.NOT_CREATED: Evidence.NO_NEWS,
    Answer.UNKNOWN: Evidence.NO_NEWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What answers prove, one complete table per moment.

    `creation`: by answer and flow. `look_up`: by answer. A simulation replaces single entries to
    show that it catches the tables that charge twice; nothing else does.
    """

    creation: Mapping[Answer, Mapping[Flow, Evidence]]
    look_up: Mapping[Answer, Evidence]


SAFE_RULES = Rules(
    creation=MappingProxyType(
        {answer: MappingProxyType(dict(cells)) for answer, cells in _CREATION.items()}
    ),
    look_up=MappingProxyType(dict(_LOOK_UP)),
)


_OUTCOMES: dict[Evidence, AttemptOutcome] = {
    Evidence.NOT_SENT: AttemptOutcome.UNDELIVERED,
    Evidence.UNDELIVERED: AttemptOutcome.UNDELIVERED,
    Evidence.REJECTED: AttemptOutcome.REJECTED,
    Evidence.UNKNOWN: AttemptOutcome.UNKNOWN,
    Evidence.LIVE: AttemptOutcome.LIVE,
    Evidence.PAID: AttemptOutcome.SUCCEEDED,
    Evidence.EXPIRED: AttemptOutcome.EXPIRED,
    Evidence.CLOSED: AttemptOutcome.CANCELLED,
    Evidence.ABSENT: AttemptOutcome.UNDELIVERED,
}


def outcome_after(evidence: Evidence, before: AttemptOutcome) -> AttemptOutcome:
    """Return an attempt's outcome once `evidence` is known.

    A settled attempt is only ever moved by money: a late "pending" or "failed" changes nothing.
    """
    settled = before not in UNSETTLED_OUTCOMES
    if evidence is Evidence.NO_NEWS or (settled and evidence is not Evidence.PAID):
        return before
    return _OUTCOMES[evidence]
