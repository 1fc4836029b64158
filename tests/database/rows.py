"""Stored payments and money as the tests need them, each of a member of its own."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.payments.domain.attempts import Attempt
from services.payments.domain.captures import Capture
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import Refund, RefundAttempt
from services.payments.ports import Storage
from tests.unit.factories import (
    make_attempt,
    make_capture,
    make_payment,
    make_purchase,
    make_refund,
    make_refund_attempt,
)

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


async def stored_capture(storage: Storage, attempt: Attempt, **changes: Any) -> Capture:
    """Store the money of a stored attempt and return it."""
    capture_id = uuid4()
    capture = make_capture(
        **{
            "id": capture_id,
            "payment_id": attempt.payment_id,
            "attempt_id": attempt.id,
            "gateway": attempt.gateway,
            "gateway_transaction_id": f"tx-{capture_id}",
            **changes,
        }
    )
    async with storage.work() as work:
        assert await work.captures.add(capture)
    return capture


async def new_capture(storage: Storage, **changes: Any) -> Capture:
    """Store money of a payment and attempt of its own."""
    payment = await stored_payment(storage)
    return await stored_capture(storage, await stored_attempt(storage, payment), **changes)


async def stored_refund(storage: Storage, capture: Capture, **changes: Any) -> Refund:
    """Store a refund of all of a stored capture and return it."""
    refund = make_refund(
        **{
            "id": uuid4(),
            "payment_id": capture.payment_id,
            "capture_id": capture.id,
            "amount": capture.amount,
            "gateway": capture.gateway,
            **changes,
        }
    )
    async with storage.work() as work:
        await work.refunds.add(refund)
    return refund


async def stored_refund_attempt(storage: Storage, refund: Refund, **changes: Any) -> RefundAttempt:
    """Store an attempt to send a stored refund and return it."""
    attempt_id = uuid4()
    attempt = make_refund_attempt(
        **{
            "id": attempt_id,
            "refund_id": refund.id,
            "payment_id": refund.payment_id,
            "gateway": refund.gateway,
            "reference": f"cp{attempt_id.hex}",
            **changes,
        }
    )
    async with storage.work() as work:
        await work.refund_attempts.add(attempt)
    return attempt


async def move(connection: asyncpg.Connection, payment_id: UUID, status: str) -> None:
    """Move a payment by hand, as a correct program would."""
    await connection.execute(
        "UPDATE creators_membership SET status = $2, version = version + 1,"
        " completed_at = CASE WHEN $2 = 'completed' THEN now() ELSE completed_at END WHERE id = $1",
        payment_id,
        status,
    )
