"""Refunds and the attempts to send them, as rows of refunds and refund_attempts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns, to_column
from db.repositories.leases import Claim, claim_statement
from db.repositories.payments import failure_of
from db.tables import refund_attempts, refunds
from services.payments.domain.absence import Absence
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import Failure
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
)
from services.payments.ports import EVERYTHING, After, Share

# Literal, as in the index.
_IS_FAILED = text("status = 'failed'")


class RefundRepository:
    """Implements the port `Refunds`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, refund: Refund) -> None:
        """Store a new refund; a trigger refuses more than was captured."""
        statement = insert(refunds).values(
            id=refund.id,
            payment_id=refund.payment_id,
            capture_id=refund.capture_id,
            purpose=refund.purpose.value,
            amount=to_column(refund.amount),
            currency=refund.amount.currency,
            reason=refund.reason,
            requested_by=refund.requested_by,
            gateway=refund.gateway,
            created_at=refund.created_at,
            **_changing_columns(refund),
        )
        await self._connection.execute(statement)

    async def get(self, refund_id: UUID) -> Refund | None:
        """Read a refund."""
        statement = select(refunds).where(refunds.c.id == refund_id)
        row = (await self._connection.execute(statement)).first()
        return _refund(row) if row else None

    async def save(self, refund: Refund) -> None:
        """Store where a refund stands."""
        statement = (
            update(refunds).where(refunds.c.id == refund.id).values(**_changing_columns(refund))
        )
        await self._connection.execute(statement)

    async def of_payment(self, payment_id: UUID) -> Sequence[Refund]:
        """Read a payment's refunds, oldest first."""
        statement = (
            select(refunds)
            .where(refunds.c.payment_id == payment_id)
            .order_by(refunds.c.created_at, refunds.c.id)
        )
        return [_refund(row) for row in await self._connection.execute(statement)]

    async def failed(self, after: After | None, limit: int) -> Sequence[Refund]:
        """Read refunds that failed, oldest first."""
        statement = select(refunds).where(_IS_FAILED).order_by(refunds.c.created_at, refunds.c.id)
        if after is not None:
            seen = tuple_(refunds.c.created_at, refunds.c.id)
            statement = statement.where(seen > tuple_(after.at, after.id))
        return [_refund(row) for row in await self._connection.execute(statement.limit(limit))]

    async def count_failed(self) -> int:
        """Count the refunds that failed."""
        statement = select(func.count()).select_from(refunds).where(_IS_FAILED)
        return (await self._connection.execute(statement)).scalar_one()


class RefundAttemptRepository:
    """Implements the port `RefundAttempts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, attempt: RefundAttempt) -> None:
        """Store a new attempt."""
        statement = insert(refund_attempts).values(
            id=attempt.id,
            refund_id=attempt.refund_id,
            payment_id=attempt.payment_id,
            number=attempt.number,
            gateway=attempt.gateway,
            reference=attempt.reference,
            created_at=attempt.created_at,
            lease_token=0,
            **_changing_attempt_columns(attempt),
        )
        await self._connection.execute(statement)

    async def of_refund(self, refund_id: UUID) -> Sequence[RefundAttempt]:
        """Read a refund's attempts, oldest first."""
        statement = (
            select(refund_attempts)
            .where(refund_attempts.c.refund_id == refund_id)
            .order_by(refund_attempts.c.number)
        )
        return [_attempt(row) for row in await self._connection.execute(statement)]

    async def by_reference(self, gateway: str, reference: str) -> RefundAttempt | None:
        """Find the attempt that carries our reference at a gateway."""
        statement = select(refund_attempts).where(
            refund_attempts.c.gateway == gateway, refund_attempts.c.reference == reference
        )
        row = (await self._connection.execute(statement)).first()
        return _attempt(row) if row else None

    async def save(self, attempt: RefundAttempt) -> None:
        """Store an attempt and release its lease, if nobody claimed it since it was read."""
        statement = (
            update(refund_attempts)
            .where(
                refund_attempts.c.id == attempt.id,
                refund_attempts.c.lease_token == attempt.lease_token,
            )
            .values(**_changing_attempt_columns(attempt), lease_until=None)
            .returning(refund_attempts.c.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            raise StaleWriteError(f"refund attempt {attempt.id} was claimed by another worker")

    async def hasten(self, refund_id: UUID, now: datetime) -> None:
        """Make the checks of a refund's attempts due now; those whose story is over stay so."""
        statement = (
            update(refund_attempts)
            .where(refund_attempts.c.refund_id == refund_id, refund_attempts.c.next_check_at > now)
            .values(next_check_at=now)
        )
        await self._connection.execute(statement)

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[RefundAttempt]:
        """Lease due attempts: the raised lease token fences whoever held them before."""
        due_at, gateway = refund_attempts.c.next_check_at, refund_attempts.c.gateway
        claim = Claim(now, lease, limit, share)
        statement = claim_statement(refund_attempts, due_at, gateway, claim)
        return [_attempt(row) for row in await self._connection.execute(statement)]


def _failure_columns(failure: Failure | None) -> dict[str, object]:
    return {
        "error_code": failure.code if failure else None,
        "error_message": failure.message if failure else None,
        "failed_at": failure.at if failure else None,
    }


def _changing_columns(refund: Refund) -> dict[str, object]:
    return {
        "status": refund.status.value,
        "updated_at": refund.updated_at,
        **_failure_columns(refund.failure),
    }


def _refund(row: Row[Any]) -> Refund:
    return Refund(
        id=row.id,
        payment_id=row.payment_id,
        capture_id=row.capture_id,
        purpose=RefundPurpose(row.purpose),
        amount=from_columns(row.currency, row.amount),
        reason=row.reason,
        requested_by=row.requested_by,
        gateway=row.gateway,
        status=RefundStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        failure=failure_of(row),
    )


def _changing_attempt_columns(attempt: RefundAttempt) -> dict[str, object]:
    return {
        "outcome": attempt.outcome.value,
        "gateway_refund_id": attempt.gateway_refund_id,
        "sent_at": attempt.sent_at,
        "next_check_at": attempt.next_check_at,
        "checks": attempt.checks,
        "not_found_count": attempt.absence.count,
        "last_not_found_at": attempt.absence.last_at,
        **_failure_columns(attempt.failure),
    }


def _attempt(row: Row[Any]) -> RefundAttempt:
    return RefundAttempt(
        id=row.id,
        refund_id=row.refund_id,
        payment_id=row.payment_id,
        number=row.number,
        gateway=row.gateway,
        reference=row.reference,
        outcome=RefundAttemptOutcome(row.outcome),
        created_at=row.created_at,
        gateway_refund_id=row.gateway_refund_id,
        failure=failure_of(row),
        sent_at=row.sent_at,
        next_check_at=row.next_check_at,
        checks=row.checks,
        absence=Absence(count=row.not_found_count, last_at=row.last_not_found_at),
        lease_token=row.lease_token,
    )
