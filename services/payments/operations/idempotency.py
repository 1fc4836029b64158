"""Same key, same request: the same answer. Same key, other request: refused."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from kit.request_scope import current_scope
from services.payments.domain.errors import idempotency_key_reused, request_in_progress
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.ports import IdempotencyScope, Work


def scope_of(user_id: str, method: str, key: str) -> IdempotencyScope:
    """Return what `key` is unique in: the calling service, the member and the method."""
    return IdempotencyScope(caller=current_scope().caller, user_id=user_id, method=method, key=key)


def fingerprint(request: Any) -> bytes:
    """Return the SHA-256 of a validated request (a frozen dataclass)."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()


def encode_answer(payment: Payment) -> bytes:
    """Return a payment as it is stored for the answer to a repeated request."""
    return msgspec.json.encode(payment)


def decode_answer(stored: bytes) -> Payment:
    """Return the payment of a stored answer."""
    return msgspec.json.decode(stored, type=Payment)


async def earlier_answer(
    work: Work, scope: IdempotencyScope, request: bytes, now: datetime
) -> Payment | None:
    """Return the answer that this key already has, or None when the key is new.

    A run that stopped before it answered is answered with the payment as it stands now; that stays
    the answer once the worker has decided about it. Raises `ServiceError`: IDEMPOTENCY_KEY_REUSED
    for another request, REQUEST_IN_PROGRESS while the first one runs.
    """
    record = await work.keys.get(scope)
    if record is None:
        return None
    if record.fingerprint != request:
        raise idempotency_key_reused()
    if record.response is not None:
        return decode_answer(record.response)
    payment = await work.payments.get(record.payment_id)
    undecided = payment is not None and payment.status is PaymentStatus.PENDING
    if payment is None or (undecided and record.lease_until > now):
        raise request_in_progress()
    if not undecided:
        await work.keys.finish(scope, payment.id, encode_answer(payment))
    return payment
