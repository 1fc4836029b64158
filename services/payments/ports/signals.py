"""What the operations need to wake others, and what wakes them. Losing a signal loses nothing."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID


class Wakeups(Protocol):
    """Tells other processes, after a commit, that something is there. Losing one loses nothing."""

    def payment_changed(self, payment_id: UUID) -> None:
        """Wake everybody who watches a payment."""
        ...

    def event_recorded(self) -> None:
        """Wake a worker for a stored callback."""
        ...

    def attempt_due(self) -> None:
        """Wake a worker for an attempt that is due now."""
        ...


class PaymentFeed(Protocol):
    """Wakes streams when their payment changes, in whichever process it changed."""

    def changes(self, payment_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """Yield at once and then whenever the payment may have changed."""
        ...
