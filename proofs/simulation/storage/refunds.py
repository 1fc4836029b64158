"""The twin of the refunds' table: never more than was captured."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from proofs.simulation.storage.database import ConstraintViolationError
from proofs.simulation.storage.unit import Unit
from services.payments.domain.captures import CaptureUse
from services.payments.domain.refunds import REFUND_TRANSITIONS, Refund, RefundStatus
from services.payments.ports import After


class TwinRefunds:
    """Implements the port `Refunds`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.refunds

    async def add(self, refund: Refund) -> None:
        """Store a new refund; more than was captured is refused."""
        await self._unit.step(f"refunds.add {refund.purpose} {refund.amount}")
        if refund.status is not RefundStatus.PENDING:
            raise ConstraintViolationError("a refund begins as pending")
        await self._require_left(refund)
        self._unit.put(self._table, refund.id, refund)

    async def get(self, refund_id: UUID) -> Refund | None:
        """Read a refund."""
        await self._unit.step("refunds.get")
        return self._unit.get(self._table, refund_id)

    async def save(self, refund: Refund) -> None:
        """Store where a refund stands."""
        await self._unit.step(f"refunds.save {refund.status}")
        await self._unit.hold(self._table, refund.id)
        stored = self._unit.get(self._table, refund.id)
        if stored is None:
            return
        moved = refund.status is not stored.status
        if moved and refund.status not in REFUND_TRANSITIONS[stored.status]:
            raise ConstraintViolationError(
                f"illegal transition of a refund: {stored.status} -> {refund.status}"
            )
        if stored.status is RefundStatus.FAILED and refund.status is RefundStatus.PENDING:
            await self._require_left(refund)
        changed = replace(
            stored, status=refund.status, updated_at=refund.updated_at, failure=refund.failure
        )
        self._unit.put(self._table, refund.id, changed)

    async def of_payment(self, payment_id: UUID) -> Sequence[Refund]:
        """Read a payment's refunds, oldest first."""
        await self._unit.step("refunds.of_payment")
        rows = self._unit.rows(self._table)
        return sorted((row for _, row in rows if row.payment_id == payment_id), key=_age)

    async def failed(self, after: After | None, limit: int) -> Sequence[Refund]:
        """Read refunds that failed, oldest first."""
        await self._unit.step("refunds.failed")
        rows = sorted(self._failed(), key=_age)
        return [row for row in rows if after is None or _age(row) > (after.at, after.id)][:limit]

    async def count_failed(self) -> int:
        """Count the refunds that failed."""
        await self._unit.step("refunds.count_failed")
        return len(self._failed())

    async def _require_left(self, refund: Refund) -> None:
        """Refuse more than is left of the capture, whose row is held meanwhile."""
        captures = self._unit.database.captures
        await self._unit.hold(captures, refund.capture_id)
        capture = self._unit.get(captures, refund.capture_id)
        returned = sum(
            row.amount.minor
            for key, row in self._unit.rows(self._table)
            if row.capture_id == refund.capture_id
            and key != refund.id
            and row.status is not RefundStatus.FAILED
        )
        if capture is None or returned + refund.amount.minor > capture.amount.minor:
            raise ConstraintViolationError("no more goes back than was captured")
        if capture.use is CaptureUse.HELD:
            raise ConstraintViolationError("held money goes nowhere before it is decided")

    def _failed(self) -> list[Refund]:
        rows = self._unit.rows(self._table)
        return [row for _, row in rows if row.status is RefundStatus.FAILED]


def _age(refund: Refund) -> tuple[datetime, UUID]:
    return refund.created_at, refund.id
