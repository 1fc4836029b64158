"""Payments as rows of creators_membership."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, and_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns, to_column
from db.tables import creators_membership as table
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Customer,
    Failure,
    NextAction,
    Payment,
    PaymentMethod,
    Purchase,
)
from services.payments.domain.states import KEPT_STATUSES, OPEN_STATUSES, PaymentStatus
from services.payments.ports import PaymentFilter

# Literal, as in the index: with parameters here the server cannot match the index any more once it
# plans the statement for all values (from the sixth execution on).
_IS_OPEN = text("status IN ('pending', 'processing')")


class PaymentRepository:
    """Implements the port `Payments`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, payment: Payment) -> bool:
        """Store a new payment; False when the member has an open one for the same thing."""
        statement = (
            postgresql.insert(table)
            .values(**_fixed_columns(payment), **_changing_columns(payment))
            .on_conflict_do_nothing(
                index_elements=[table.c.user_id, table.c.new_tier, table.c.billing_cycle],
                index_where=_IS_OPEN,
            )
            .returning(table.c.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def get(self, payment_id: UUID) -> Payment | None:
        """Read a payment."""
        return await self._one(table.c.id == payment_id)

    async def lock(self, payment_id: UUID) -> Payment:
        """Read a payment and hold its row. Raises `LookupError` when there is none."""
        statement = select(table).where(table.c.id == payment_id).with_for_update()
        row = (await self._connection.execute(statement)).first()
        if row is None:
            raise LookupError(f"there is no payment {payment_id}")
        return _payment(row)

    async def save(self, payment: Payment, previous: Payment) -> None:
        """Store the next version, if the row still is `previous`."""
        statement = (
            update(table)
            .where(
                table.c.id == payment.id,
                table.c.version == previous.version,
                table.c.status == previous.status,
            )
            .values(**_changing_columns(payment))
            .returning(table.c.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            raise StaleWriteError(f"payment {payment.id} is no longer version {previous.version}")

    async def open_for(self, user_id: str, tier: str, billing_cycle: str) -> Payment | None:
        """Read the member's open payment for a tier and billing cycle."""
        return await self._one(
            and_(
                table.c.user_id == user_id,
                table.c.new_tier == tier,
                table.c.billing_cycle == billing_cycle,
                table.c.status.in_([status.value for status in OPEN_STATUSES]),
            )
        )

    async def bought_after(self, user_id: str, since: datetime, other_than: UUID) -> bool:
        """Whether the member began another payment after `since` and its money was kept."""
        statement = (
            select(table.c.id)
            .where(
                table.c.user_id == user_id,
                table.c.created_at > since,
                table.c.id != other_than,
                table.c.status.in_([status.value for status in KEPT_STATUSES]),
            )
            .limit(1)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def page(self, wanted: PaymentFilter, limit: int) -> Sequence[Payment]:
        """Read payments, newest first; the keyset is (created_at, id)."""
        conditions = [
            column == value
            for column, value in (
                (table.c.user_id, wanted.user_id),
                (table.c.status, wanted.status),
                (table.c.gateway, wanted.gateway),
            )
            if value is not None
        ]
        if wanted.created_from is not None:
            conditions.append(table.c.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            conditions.append(table.c.created_at < wanted.created_before)
        if wanted.before is not None:
            conditions.append(tuple_(table.c.created_at, table.c.id) < tuple_(*wanted.before))
        statement = (
            select(table)
            .where(*conditions)
            .order_by(table.c.created_at.desc(), table.c.id.desc())
            .limit(limit)
        )
        return [_payment(row) for row in await self._connection.execute(statement)]

    async def _one(self, condition: Any) -> Payment | None:
        row = (await self._connection.execute(select(table).where(condition))).first()
        return _payment(row) if row else None


def _fixed_columns(payment: Payment) -> dict[str, object]:
    """Return what is written once and never changes."""
    purchase = payment.purchase
    return {
        "id": payment.id,
        "user_id": purchase.user_id,
        "new_tier": purchase.tier,
        "previous_tier": payment.previous_tier,
        "billing_cycle": purchase.billing_cycle.value,
        "amount": to_column(purchase.amount),
        "currency": purchase.amount.currency,
        "price_book_version": purchase.price_book_version,
        "return_url": purchase.return_url,
        "idempotency_key": payment.idempotency_key,
        "created_at": payment.created_at,
    }


def _changing_columns(payment: Payment) -> dict[str, object]:
    failure, purchase = payment.failure, payment.purchase
    return {
        # A retry may choose another way to pay for the same thing.
        "payment_method": purchase.payment_method.value,
        "payment_option": purchase.payment_option,
        "mobile_money_network": purchase.mobile_money_network,
        "customer": msgspec.to_builtins(purchase.customer),
        "gateway": payment.gateway,
        "gateway_reference": payment.gateway_reference,
        "gateway_transaction_id": payment.gateway_transaction_id,
        "status": payment.status.value,
        "next_action_kind": payment.next_action.kind.value,
        "next_action_value": payment.next_action.value,
        "next_action_expires_at": payment.next_action.expires_at,
        "error_code": failure.code if failure else None,
        "error_message": failure.message if failure else None,
        "failed_at": failure.at if failure else None,
        "refunded_amount": to_column(payment.refunded),
        "review_reason": payment.review_reason,
        "verification_count": payment.verification_count,
        "last_verified_at": payment.last_verified_at,
        "webhook_count": payment.webhook_count,
        "webhook_received_at": payment.webhook_received_at,
        "version": payment.version,
        "updated_at": payment.updated_at,
        "completed_at": payment.completed_at,
        "period_start": payment.period_start,
        "period_end": payment.period_end,
    }


def _payment(row: Row[Any]) -> Payment:
    return Payment(
        id=row.id,
        purchase=_purchase(row),
        previous_tier=row.previous_tier,
        idempotency_key=row.idempotency_key,
        status=PaymentStatus(row.status),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        gateway=row.gateway,
        gateway_reference=row.gateway_reference,
        gateway_transaction_id=row.gateway_transaction_id,
        next_action=NextAction(
            kind=ActionKind(row.next_action_kind),
            value=row.next_action_value,
            expires_at=row.next_action_expires_at,
        ),
        failure=failure_of(row),
        refunded_minor=from_columns(row.currency, row.refunded_amount).minor,
        review_reason=row.review_reason,
        verification_count=row.verification_count,
        last_verified_at=row.last_verified_at,
        webhook_count=row.webhook_count,
        webhook_received_at=row.webhook_received_at,
        period_start=row.period_start,
        period_end=row.period_end,
    )


def _purchase(row: Row[Any]) -> Purchase:
    return Purchase(
        user_id=row.user_id,
        tier=row.new_tier,
        billing_cycle=BillingCycle(row.billing_cycle),
        payment_method=PaymentMethod(row.payment_method),
        amount=from_columns(row.currency, row.amount),
        price_book_version=row.price_book_version,
        customer=msgspec.convert(row.customer, Customer),
        return_url=row.return_url,
        payment_option=row.payment_option,
        mobile_money_network=row.mobile_money_network,
    )


def failure_of(row: Row[Any]) -> Failure | None:
    """Return the failure in a row's error columns."""
    if row.error_code is None:
        return None
    return Failure(code=row.error_code, message=row.error_message or "", at=row.failed_at)
