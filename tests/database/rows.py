"""Stored payments and attempts as the tests need them, each of a member of its own."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.payments.domain.attempts import Attempt
from services.payments.domain.payment import Payment
from services.payments.ports import Storage
from tests.unit.factories import make_attempt, make_payment, make_purchase

# The shortest way that the rules allow from a new payment to each status.
PATHS: dict[str, tuple[str, ...]] = {
    "pending": (),
    "processing": ("processing",),
    "completed": ("processing", "completed"),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
    "expired": ("expired",),
    "partially_refunded": ("processing", "completed", "partially_refunded"),
    "refunded": ("processing", "completed", "refunded"),
    "disputed": ("processing", "completed", "disputed"),
    "charged_back": ("processing", "completed", "disputed", "charged_back"),
}


def unstored_payment(**changes: Any) -> Payment:
    """Return a pending payment of a member of its own."""
    payment_id = uuid4()
    purchase = changes.pop("purchase", None) or make_purchase(user_id=f"member-{payment_id}")
    return make_payment(**{"id": payment_id, "purchase": purchase, **changes})


async def stored_payment(storage: Storage, **changes: Any) -> Payment:
    """Store a pending payment and return it."""
    payment = unstored_payment(**changes)
    async with storage.work() as work:
        assert await work.payments.add(payment)
    return payment


async def stored_attempt(storage: Storage, payment: Payment, **changes: Any) -> Attempt:
    """Store an attempt of a stored payment and return it."""
    attempt_id = uuid4()
    attempt = make_attempt(
        **{
            "id": attempt_id,
            "payment_id": payment.id,
            "reference": f"cp{attempt_id.hex}",
            **changes,
        }
    )
    async with storage.work() as work:
        await work.attempts.add(attempt)
    return attempt


async def move(connection: asyncpg.Connection, payment_id: UUID, status: str) -> None:
    """Move a payment by hand, as a correct program would."""
    await connection.execute(
        "UPDATE creators_membership SET status = $2, version = version + 1,"
        " completed_at = CASE WHEN $2 = 'completed' THEN now() ELSE completed_at END WHERE id = $1",
        payment_id,
        status,
    )
