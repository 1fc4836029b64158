"""Same key, same request: the same answer. Same key, other request: refused."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from kit.request_scope import current_scope
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.errors import (
    CommitUnknownError,
    idempotency_key_reused,
    request_in_progress,
)
from services.payments.domain.payment import Payment
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import IdempotencyRecord, IdempotencyScope, Work

AnswerT = TypeVar("AnswerT")


def scope_of(user_id: str, method: str, key: str) -> IdempotencyScope:
    """Return what `key` is unique in: the calling service, the member and the method."""
    return IdempotencyScope(caller=current_scope().caller, user_id=user_id, method=method, key=key)


def fingerprint(request: Any) -> bytes:
    """Return the SHA-256 of a validated request (a frozen dataclass)."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()


def encode_answer(answer: Any) -> bytes:
    """Return an answer (a frozen dataclass) as it is stored for a repeated request."""
    return msgspec.json.encode(answer)


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
    # In this order: what decides an attempt commits the payment with it, so a payment that is read
    # after its decided attempt is never the older one.
    attempts = await work.attempts.of_payment(record.payment_id)
    payment = await work.payments.get(record.payment_id)
    undecided = any(attempt.outcome is AttemptOutcome.SENDING for attempt in attempts)
    if payment is None or (undecided and record.lease_until > now):
        raise request_in_progress()
    if undecided:
        return payment
    await work.keys.finish(scope, payment.id, encode_answer(payment))
    # The first answer stays the answer of everybody, also when it was stored in this moment.
    answered = await work.keys.get(scope)
    return decode_answer(answered.response) if answered and answered.response else payment


@dataclass(frozen=True, slots=True, kw_only=True)
class OneUnit(Generic[AnswerT]):
    """A request whose whole effect is one unit of work.

    `subject`: what it is about. `answer`: the type of its answer, a frozen dataclass.
    """

    scope: IdempotencyScope
    fingerprint: bytes
    subject: UUID
    answer: type[AnswerT]


async def once(
    deps: Dependencies, request: OneUnit[AnswerT], act: Callable[[Work], Awaitable[AnswerT]]
) -> AnswerT:
    """Do something once per key; a repetition gets the stored answer.

    Raises `ServiceError`: IDEMPOTENCY_KEY_REUSED for another request, REQUEST_IN_PROGRESS when
    the same one is running, and whatever `act` raises; then nothing is stored.
    """
    now = deps.clock.now()
    record = IdempotencyRecord(
        scope=request.scope,
        fingerprint=request.fingerprint,
        owner=deps.ids.new_id(),
        lease_until=now,
        payment_id=request.subject,
    )
    try:
        async with deps.storage.work() as work:
            if not await work.keys.add(record, now):
                return await _stored(work, request)
            answer = await act(work)
            await work.keys.finish(request.scope, request.subject, encode_answer(answer))
    except CommitUnknownError:
        # An error on commit does not mean "not committed": the key tells.
        async with deps.storage.work() as work:
            if await work.keys.get(request.scope) is None:
                raise
            return await _stored(work, request)
    return answer


async def _stored(work: Work, request: OneUnit[AnswerT]) -> AnswerT:
    stored = await work.keys.get(request.scope)
    if stored is None or stored.response is None:
        raise request_in_progress()
    if stored.fingerprint != request.fingerprint:
        raise idempotency_key_reused()
    return msgspec.json.decode(stored.response, type=request.answer)
