"""Facts for other systems as rows of outbox, stored with the change that they tell of."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import outbox as table
from services.payments.domain.payment import Payment


class OutboxRepository:
    """Implements the port `Outbox`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, topic: str, payment: Payment, at: datetime) -> None:
        """Store a fact. It carries no personal data: readers ask for what they may see."""
        payload = {
            "payment_id": str(payment.id),
            "user_id": payment.user_id,
            "tier": payment.purchase.tier,
            "billing_cycle": payment.purchase.billing_cycle.value,
            "currency_code": payment.amount.currency,
            "amount_minor": payment.amount.minor,
            "status": payment.status.value,
            "version": payment.version,
        }
        statement = insert(table).values(
            topic=topic, payment_id=payment.id, payload=payload, created_at=at
        )
        await self._connection.execute(statement)
