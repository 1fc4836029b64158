"""What becomes of money by itself, chosen by the phone's last four digits (section 13)."""

from dataclasses import dataclass, replace
from typing import Literal

NOT_APPROVED = "Customer did not approve the request"
DECLINED = "Customer declined the request"
NO_RECIPIENT = "Recipient wallet not found"
_POOR = "Insufficient funds"

Reply = Literal["normal", "server_error", "cut", "after_webhook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens so many seconds after the creation."""

    seconds: float
    outcome: Literal["successful", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The fate of a transaction: its events, its webhooks, and what the creating call gets back."""

    events: tuple[Event, ...] = ()
    webhook_copies: int = 1
    reply: Reply = "normal"


_SOON = (Event(seconds=2, outcome="successful"),)

SELECTORS = {
    "0001": Outcome(events=_SOON),
    "0002": Outcome(events=(Event(seconds=2, outcome="failed", reason=DECLINED),)),
    "0003": Outcome(events=(Event(seconds=2, outcome="failed", reason=_POOR),)),
    "0004": Outcome(),
    "0005": Outcome(events=(Event(seconds=60, outcome="successful"),)),
    "0006": Outcome(events=_SOON, webhook_copies=0),
    "0007": Outcome(events=_SOON, webhook_copies=2),
    "0008": Outcome(reply="after_webhook"),
    "0009": Outcome(events=_SOON, reply="server_error"),
    "0010": Outcome(events=_SOON, reply="cut"),
    "0011": Outcome(
        events=(
            Event(seconds=2, outcome="failed", reason=NOT_APPROVED),
            Event(seconds=32, outcome="successful"),
        )
    ),
}


def selected_outcome(phone: str | None) -> Outcome | None:
    """Return the fate that a phone number selects; None for numbers that wait for their payer."""
    return SELECTORS.get(phone[-4:]) if phone else None


def payout_outcome(phone: str, usual_seconds: float) -> Outcome:
    """Return the fate of a payout to a phone: its number's first event, else success.

    A failed payout is over: its money is back in the wallet, so that none succeeds late.
    """
    selected = selected_outcome(phone)
    if selected is None:
        return Outcome(events=(Event(seconds=usual_seconds, outcome="successful"),))
    events = tuple(
        replace(event, reason=NO_RECIPIENT if event.outcome == "failed" else None)
        for event in selected.events[:1]
    )
    return replace(selected, events=events)
