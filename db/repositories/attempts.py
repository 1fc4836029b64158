"""Attempts as rows of payment_attempts, with the leases of workers that check them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns, to_column
from db.repositories.leases import Claim, claim_statement
from db.repositories.payments import failure_of
from db.tables import payment_attempts as table
from services.payments.domain.absence import Absence
from services.payments.domain.attempts import UNSETTLED_OUTCOMES, Attempt, AttemptOutcome, Flow
from services.payments.domain.errors import StaleWriteError
from services.payments.ports import EVERYTHING, Share


class AttemptRepository:
    """Implements the port `Attempts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, attempt: Attempt) -> None:
        """Store a new attempt; a second unsettled one of a payment violates a unique index."""
        values = _columns(attempt) | {
            "id": attempt.id,
            "payment_id": attempt.payment_id,
            "number": attempt.number,
            "gateway": attempt.gateway,
            "reference": attempt.reference,
            "round": attempt.round,
            "flow": attempt.flow.value,
            "amount": to_column(attempt.amount),
            "currency": attempt.amount.currency,
            "lease_token": attempt.lease_token,
            "created_at": attempt.created_at,
        }
        await self._connection.execute(insert(table).values(**values))

    async def of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts, oldest first."""
        statement = select(table).where(table.c.payment_id == payment_id).order_by(table.c.number)
        return [_attempt(row) for row in await self._connection.execute(statement)]

    async def lock_of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts, oldest first, and hold their rows."""
        statement = (
            select(table)
            .where(table.c.payment_id == payment_id)
            .order_by(table.c.number)
            .with_for_update()
        )
        return [_attempt(row) for row in await self._connection.execute(statement)]

    async def by_reference(self, gateway: str, reference: str) -> Attempt | None:
        """Find the attempt that carries our reference at a gateway."""
        return await self._first(table.c.gateway == gateway, table.c.reference == reference)

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Attempt | None:
        """Find the attempt that a gateway knows by its own identifier."""
        return await self._first(
            table.c.gateway == gateway, table.c.gateway_transaction_id == transaction_id
        )

    async def save(self, attempt: Attempt) -> None:
        """Store an attempt and release its lease, if nobody claimed it since it was read."""
        statement = (
            update(table)
            .where(table.c.id == attempt.id, table.c.lease_token == attempt.lease_token)
            .values(**_columns(attempt), lease_until=None)
            .returning(table.c.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            raise StaleWriteError(f"attempt {attempt.id} was claimed by another worker")

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[Attempt]:
        """Lease due attempts: the raised lease token fences whoever held them before."""
        claim = Claim(now, lease, limit, share)
        statement = claim_statement(table, table.c.next_check_at, table.c.gateway, claim)
        return [_attempt(row) for row in await self._connection.execute(statement)]

    async def hasten(self, payment_id: UUID, now: datetime) -> None:
        """Make the checks of a payment's unsettled attempts due now; a lease that holds goes on."""
        statement = (
            update(table)
            .where(
                table.c.payment_id == payment_id,
                table.c.outcome.in_([outcome.value for outcome in UNSETTLED_OUTCOMES]),
                table.c.next_check_at > now,
            )
            .values(next_check_at=now)
        )
        await self._connection.execute(statement)

    async def release_interrupted(self, sender: str, before: datetime, now: datetime) -> int:
        """Make what an earlier run of `sender` left in the air due now; return how many."""
        statement = (
            update(table)
            .where(
                table.c.outcome == AttemptOutcome.SENDING.value,
                table.c.sender == sender,
                table.c.created_at < before,
            )
            .values(next_check_at=now)
        )
        return (await self._connection.execute(statement)).rowcount

    async def _first(self, *conditions: Any) -> Attempt | None:
        row = (await self._connection.execute(select(table).where(*conditions))).first()
        return _attempt(row) if row else None


def _columns(attempt: Attempt) -> dict[str, object]:
    failure, absence = attempt.failure, attempt.absence
    return {
        "sender": attempt.sender,
        "gateway_transaction_id": attempt.gateway_transaction_id,
        "outcome": attempt.outcome.value,
        "link": attempt.link,
        "error_code": failure.code if failure else None,
        "error_message": failure.message if failure else None,
        "failed_at": failure.at if failure else None,
        "sent_at": attempt.sent_at,
        "action_state": attempt.action_state,
        "not_found_count": absence.count,
        "last_not_found_at": absence.last_at,
        "expires_at": attempt.expires_at,
        "next_check_at": attempt.next_check_at,
        "checks": attempt.checks,
    }


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        payment_id=row.payment_id,
        number=row.number,
        gateway=row.gateway,
        reference=row.reference,
        sender=row.sender,
        flow=Flow(row.flow),
        outcome=AttemptOutcome(row.outcome),
        amount=from_columns(row.currency, row.amount),
        created_at=row.created_at,
        gateway_transaction_id=row.gateway_transaction_id,
        link=row.link,
        failure=failure_of(row),
        round=row.round,
        sent_at=row.sent_at,
        action_state=row.action_state,
        absence=Absence(count=row.not_found_count, last_at=row.last_not_found_at),
        expires_at=row.expires_at,
        next_check_at=row.next_check_at,
        checks=row.checks,
        lease_token=row.lease_token,
    )
