"""What the operations need of the store of captured, refunded and entered money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kit.money import Money
from services.payments.domain.captures import Capture
from services.payments.domain.ledger import JournalEntry
from services.payments.domain.refunds import Refund, RefundAttempt
from services.payments.ports.sharing import EVERYTHING, Share


@dataclass(frozen=True, slots=True)
class After:
    """A keyset: what comes after this time and identifier, oldest first."""

    at: datetime
    id: UUID


class Captures(Protocol):
    """The money that gateways took, once per transaction of a gateway."""

    async def add(self, capture: Capture) -> bool:
        """Store a capture; False when the gateway's transaction is on record already."""
        ...

    async def of_payment(self, payment_id: UUID) -> Sequence[Capture]:
        """Read a payment's captures, oldest first."""
        ...

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Capture | None:
        """Find the capture of a gateway's transaction."""
        ...

    async def save(self, capture: Capture) -> None:
        """Store what a capture counts for from now on; only held money changes its amount."""
        ...

    async def held(self, after: After | None, limit: int) -> Sequence[Capture]:
        """Read captures that wait for a decision, oldest first."""
        ...

    async def count_held(self) -> int:
        """Count the captures that wait for a decision."""
        ...


class Refunds(Protocol):
    """The stored refunds. Whoever changes one holds its payment's lock."""

    async def add(self, refund: Refund) -> None:
        """Store a new refund. The store refuses more than was captured."""
        ...

    async def get(self, refund_id: UUID) -> Refund | None:
        """Read a refund."""
        ...

    async def save(self, refund: Refund) -> None:
        """Store where a refund stands."""
        ...

    async def of_payment(self, payment_id: UUID) -> Sequence[Refund]:
        """Read a payment's refunds, oldest first."""
        ...

    async def failed(self, after: After | None, limit: int) -> Sequence[Refund]:
        """Read refunds that failed, oldest first."""
        ...

    async def count_failed(self) -> int:
        """Count the refunds that failed."""
        ...


class RefundAttempts(Protocol):
    """The stored attempts to send refunds."""

    async def add(self, attempt: RefundAttempt) -> None:
        """Store a new attempt, before the first byte of it leaves."""
        ...

    async def of_refund(self, refund_id: UUID) -> Sequence[RefundAttempt]:
        """Read a refund's attempts, oldest first."""
        ...

    async def by_reference(self, gateway: str, reference: str) -> RefundAttempt | None:
        """Find the attempt that carries our reference at a gateway."""
        ...

    async def save(self, attempt: RefundAttempt) -> None:
        """Store an attempt and release its lease. Raises `StaleWriteError` when it was lost."""
        ...

    async def hasten(self, refund_id: UUID, now: datetime) -> None:
        """Make the checks of a refund's attempts due now."""
        ...

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[RefundAttempt]:
        """Lease attempts that are due and of the share."""
        ...


class Ledger(Protocol):
    """The append-only double-entry journal. An entry that does not balance is never stored."""

    async def post(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries; one whose source was entered before is left out."""
        ...

    async def of_payment(self, payment_id: UUID) -> Sequence[JournalEntry]:
        """Read the entries about a payment, oldest first."""
        ...

    async def balances(self, account: str) -> Sequence[Money]:
        """Read what an account holds, one amount per currency."""
        ...
