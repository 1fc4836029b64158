"""The lines of the webhook log: what was sent where, and what came back."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway_sandboxes.clock import isoformat

DeliveryState = Literal["waiting", "delivered", "given_up", "dropped", "no_url"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try of a delivery: the status received or the error, and how long it took (seconds)."""

    at: datetime
    status: int | None
    error: str | None
    seconds: float

    def as_json(self) -> dict[str, object]:
        """Describe the try in the words of the control API."""
        return {
            "at": isoformat(self.at),
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook on its way: `next_try_at` is set while `state` is `waiting`, and only then.

    `own_url` is set when it does not go to the address that is configured.
    """

    id: str
    reference: str | None
    event: str
    url: str | None
    headers: dict[str, str]
    body: str
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime | None
    tries: tuple[Try, ...] = ()
    faults: tuple[str, ...] = ()
    replay_of: str | None = None
    own_url: str | None = None

    def as_json(self) -> dict[str, object]:
        """Describe the delivery in the words of the control API."""
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "created_at": isoformat(self.created_at),
            "next_try_at": isoformat(self.next_try_at) if self.next_try_at else None,
            "tries": [entry.as_json() for entry in self.tries],
        }
