"""What an answer of a gateway proves about an attempt. One table per moment; nothing else decides.

A fallback may start only on a fact showing that the attempt did not and can never take money.
A timeout is no such fact, and neither is "not found": the request may arrive after the look-up.
"""

from enum import StrEnum

from services.payments.domain.attempts import AttemptOutcome, Flow


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
    Evidence.EXPIRED: "EXPIRED: nobody paid in time, and the gateway acknowledged closing the link",
    Evidence.NO_NEWS: "NO_NEWS: the gateway could not be asked or knows nothing new; ask again",
}

# Evidence on which another attempt may start without the member being asked.
ALLOWS_FALLBACK = frozenset({Evidence.NOT_SENT, Evidence.REJECTED, Evidence.UNDELIVERED})

# What a failed or contradictory creation means depends on whether anybody can act on it.
_LOST_CREATION = {Flow.HOSTED: Evidence.UNDELIVERED, Flow.PROMPT: Evidence.UNKNOWN}

_CREATION: dict[Answer, Evidence] = {
    # Creation never proves a payment: it is looked up like any other.
    Answer.SUCCEEDED: Evidence.LIVE,
    Answer.PENDING: Evidence.LIVE,
    Answer.REQUIRES_ACTION: Evidence.LIVE,
    Answer.FAILED: Evidence.REJECTED,
    Answer.NOT_SENT: Evidence.NOT_SENT,
    Answer.NOT_CREATED: Evidence.REJECTED,
}

_LOOK_UP: dict[Answer, Evidence] = {
    Answer.SUCCEEDED: Evidence.PAID,
    Answer.PENDING: Evidence.LIVE,
    Answer.REQUIRES_ACTION: Evidence.LIVE,
    Answer.FAILED: Evidence.REJECTED,
}


def evidence_of_creation(answer: Answer, flow: Flow) -> Evidence:
    """Return what the answer to "create this charge" proves."""
    return _CREATION.get(answer, _LOST_CREATION[flow])


def evidence_of_look_up(answer: Answer) -> Evidence:
    """Return what the answer to "what became of this charge" proves.

    A failed look-up and "not found" prove nothing: both are NO_NEWS.
    """
    return _LOOK_UP.get(answer, Evidence.NO_NEWS)


_OUTCOMES: dict[Evidence, AttemptOutcome] = {
    Evidence.NOT_SENT: AttemptOutcome.UNDELIVERED,
    Evidence.UNDELIVERED: AttemptOutcome.UNDELIVERED,
    Evidence.REJECTED: AttemptOutcome.REJECTED,
    Evidence.UNKNOWN: AttemptOutcome.UNKNOWN,
    Evidence.LIVE: AttemptOutcome.LIVE,
    Evidence.PAID: AttemptOutcome.SUCCEEDED,
    Evidence.EXPIRED: AttemptOutcome.EXPIRED,
}


def outcome_after(evidence: Evidence, before: AttemptOutcome) -> AttemptOutcome:
    """Return an attempt's outcome once `evidence` is known.

    A settled attempt is only ever moved by money: a late "pending" or "failed" changes nothing.
    """
    settled = before not in (AttemptOutcome.SENDING, AttemptOutcome.LIVE, AttemptOutcome.UNKNOWN)
    if evidence is Evidence.NO_NEWS or (settled and evidence is not Evidence.PAID):
        return before
    return _OUTCOMES[evidence]
