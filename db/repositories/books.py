"""Our books as a gateway's statement sees them: attempts, captures and refunds, read in bulk."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ARRAY, Row, Select, Text, any_, exists, literal, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns
from db.tables import (
    captures,
    creators_membership,
    payment_attempts,
    refund_attempts,
    refunds,
    settlement_lines,
)
from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.reconciliation import (
    BookedAttempt,
    BookedCapture,
    BookedRefund,
    Books,
    Period,
    Transaction,
)
from services.payments.domain.refunds import RefundAttemptOutcome
from services.payments.domain.states import PaymentStatus
from services.payments.ports import After

# Literal, as in the partial indexes.
_HAS_TRANSACTION = text("payment_attempts.gateway_transaction_id <> ''")
_HAS_REFUND_ID = text("refund_attempts.gateway_refund_id <> ''")


async def read_named(
    connection: AsyncConnection, gateway: str, rows: Collection[Transaction]
) -> Books:
    """Read the attempts, captures and refunds that rows of a statement name."""
    references = _filled(row.reference for row in rows)
    ids = _filled(row.transaction_id for row in rows)
    charges = _filled(row.charge_transaction_id for row in rows)
    attempts = await connection.execute(_attempts(gateway, references, ids))
    refunds_ = await connection.execute(_refunds_named(gateway, references, ids))
    by_id, by_reference = _captures_named(gateway, references, [*ids, *charges])
    found = [*await connection.execute(by_id), *await connection.execute(by_reference)]
    return Books(
        attempts=[_attempt(row) for row in attempts],
        captures=list({row.id: _capture(row) for row in found}.values()),
        refunds=[_refund(row) for row in refunds_],
    )


async def read_captures(
    connection: AsyncConnection, gateway: str, period: Period, after: After | None, limit: int
) -> list[BookedCapture]:
    """Read what was captured in a period, oldest first."""
    at = captures.c.captured_at
    statement = (
        _captures()
        .where(captures.c.gateway == gateway, at >= period.start, at < period.end)
        .order_by(at, captures.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(at, captures.c.id) > tuple_(after.at, after.id))
    return [_capture(row) for row in await connection.execute(statement)]


async def read_refunds(
    connection: AsyncConnection, gateway: str, period: Period, after: After | None, limit: int
) -> list[BookedRefund]:
    """Read the attempts to send money back that left in a period, oldest first."""
    at = refund_attempts.c.sent_at
    statement = (
        _refunds()
        .where(refund_attempts.c.gateway == gateway, at >= period.start, at < period.end)
        .order_by(at, refund_attempts.c.id)
        .limit(limit)
    )
    if after is not None:
        seen = tuple_(after.at, after.id)
        statement = statement.where(tuple_(at, refund_attempts.c.id) > seen)
    return [_refund(row) for row in await connection.execute(statement)]


def _filled(texts: Iterable[str]) -> list[str]:
    return sorted({text for text in texts if text})


def _among(column: Any, values: list[str]) -> Any:
    """Compare with one array, so that the statement is the same however many values there are."""
    return column == any_(literal(values, ARRAY(Text)))


def _attempts(gateway: str, references: list[str], ids: list[str]) -> Select[Any]:
    table = payment_attempts
    return select(
        table.c.id,
        table.c.payment_id,
        table.c.reference,
        table.c.gateway_transaction_id,
        table.c.outcome,
        table.c.flow,
    ).where(
        table.c.gateway == gateway,
        or_(
            _among(table.c.reference, references),
            _HAS_TRANSACTION & _among(table.c.gateway_transaction_id, ids),
        ),
    )


def _captures() -> Select[Any]:
    settled = exists().where(
        settlement_lines.c.gateway == captures.c.gateway,
        settlement_lines.c.gateway_transaction_id == captures.c.gateway_transaction_id,
    )
    return (
        select(
            captures,
            payment_attempts.c.reference,
            creators_membership.c.status.label("payment_status"),
            settled.label("settled"),
        )
        .join(payment_attempts, payment_attempts.c.id == captures.c.attempt_id)
        .join(creators_membership, creators_membership.c.id == captures.c.payment_id)
    )


def _captures_named(
    gateway: str, references: list[str], ids: list[str]
) -> tuple[Select[Any], Select[Any]]:
    """Return two statements, because each has its own index.

    What was captured while the gateway named no transaction has our reference in its place.
    """
    by_id = _captures().where(
        captures.c.gateway == gateway,
        _among(captures.c.gateway_transaction_id, [*ids, *references]),
    )
    by_reference = _captures().where(
        payment_attempts.c.gateway == gateway,
        _among(payment_attempts.c.reference, references),
        captures.c.payment_id == payment_attempts.c.payment_id,
    )
    return by_id, by_reference


def _refunds() -> Select[Any]:
    return (
        select(
            refund_attempts.c.id,
            refund_attempts.c.refund_id,
            refund_attempts.c.payment_id,
            refund_attempts.c.reference,
            refund_attempts.c.gateway_refund_id,
            refund_attempts.c.outcome,
            refund_attempts.c.sent_at,
            refunds.c.amount,
            refunds.c.currency,
            captures.c.gateway_transaction_id.label("charge_transaction_id"),
        )
        .join(refunds, refunds.c.id == refund_attempts.c.refund_id)
        .join(captures, captures.c.id == refunds.c.capture_id)
    )


def _refunds_named(gateway: str, references: list[str], ids: list[str]) -> Select[Any]:
    table = refund_attempts
    return _refunds().where(
        table.c.gateway == gateway,
        or_(
            _among(table.c.reference, references),
            _HAS_REFUND_ID & _among(table.c.gateway_refund_id, ids),
        ),
    )


def _attempt(row: Row[Any]) -> BookedAttempt:
    return BookedAttempt(
        id=row.id,
        payment_id=row.payment_id,
        reference=row.reference,
        transaction_id=row.gateway_transaction_id,
        outcome=AttemptOutcome(row.outcome),
        flow=Flow(row.flow),
    )


def _capture(row: Row[Any]) -> BookedCapture:
    fee = row.fee_amount
    return BookedCapture(
        id=row.id,
        payment_id=row.payment_id,
        payment_status=PaymentStatus(row.payment_status),
        reference=row.reference,
        transaction_id=row.gateway_transaction_id,
        amount=from_columns(row.currency, row.amount),
        fee=None if fee is None else from_columns(row.currency, fee),
        use=CaptureUse(row.use),
        captured_at=row.captured_at,
        settled=row.settled,
    )


def _refund(row: Row[Any]) -> BookedRefund:
    return BookedRefund(
        id=row.id,
        refund_id=row.refund_id,
        payment_id=row.payment_id,
        reference=row.reference,
        transaction_id=row.gateway_refund_id,
        charge_transaction_id=row.charge_transaction_id,
        amount=from_columns(row.currency, row.amount),
        outcome=RefundAttemptOutcome(row.outcome),
        sent_at=row.sent_at,
    )
