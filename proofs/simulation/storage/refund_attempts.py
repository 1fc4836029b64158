"""The twin of the refund attempts' table: one unsettled per refund, leases with fencing tokens."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from proofs.simulation.storage.leases import claim
from proofs.simulation.storage.rows import RefundAttemptRow
from proofs.simulation.storage.unit import Unit
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.refunds import RefundAttempt
from services.payments.ports import EVERYTHING, Share


class TwinRefundAttempts:
    """Implements the port `RefundAttempts`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.refund_attempts

    async def add(self, attempt: RefundAttempt) -> None:
        """Store a new attempt; a second unsettled one of a refund is refused."""
        await self._unit.step(f"refund_attempts.add {attempt.gateway} {attempt.reference}")

        def clashes(row: RefundAttemptRow) -> bool:
            other = row.attempt
            return (other.gateway, other.reference) == (attempt.gateway, attempt.reference) or (
                other.refund_id == attempt.refund_id
                and (other.number == attempt.number or (other.unsettled and attempt.unsettled))
            )

        await self._unit.require_unique(self._table, attempt.id, clashes)
        self._unit.put(self._table, attempt.id, RefundAttemptRow(attempt=attempt))

    async def of_refund(self, refund_id: UUID) -> Sequence[RefundAttempt]:
        """Read a refund's attempts, oldest first."""
        await self._unit.step("refund_attempts.of_refund")
        return self._of(refund_id)

    async def by_reference(self, gateway: str, reference: str) -> RefundAttempt | None:
        """Find the attempt that carries our reference at a gateway."""
        await self._unit.step("refund_attempts.by_reference")
        wanted = (gateway, reference)
        rows = (row.attempt for _, row in self._unit.rows(self._table))
        return next((each for each in rows if (each.gateway, each.reference) == wanted), None)

    async def save(self, attempt: RefundAttempt) -> None:
        """Store an attempt and release its lease, if nobody claimed it since it was read."""
        await self._unit.step(f"refund_attempts.save {attempt.outcome}")
        await self._unit.hold(self._table, attempt.id)
        row = self._unit.get(self._table, attempt.id)
        if row is None or row.attempt.lease_token != attempt.lease_token:
            raise StaleWriteError(f"refund attempt {attempt.id} was claimed by another worker")
        self._unit.put(self._table, attempt.id, RefundAttemptRow(attempt=attempt))

    async def hasten(self, refund_id: UUID, now: datetime) -> None:
        """Make the checks of a refund's attempts due now."""
        await self._unit.step("refund_attempts.hasten")
        for attempt in self._of(refund_id):
            await self._unit.hold(self._table, attempt.id)
            row = self._unit.get(self._table, attempt.id)
            due_at = row.attempt.next_check_at if row else None
            if row is not None and due_at is not None and due_at > now:
                due = replace(row.attempt, next_check_at=now)
                self._unit.put(self._table, attempt.id, replace(row, attempt=due))

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[RefundAttempt]:
        """Lease attempts that are due: the raised token fences whoever held them before."""
        await self._unit.step("refund_attempts.claim_due")
        claimed = claim(self._unit, self._table, share, now, now + lease)
        return [row.attempt for row in islice(claimed, limit)]

    def _of(self, refund_id: UUID) -> list[RefundAttempt]:
        rows = self._unit.rows(self._table)
        found = [row.attempt for _, row in rows if row.attempt.refund_id == refund_id]
        found.sort(key=lambda attempt: attempt.number)
        return found
