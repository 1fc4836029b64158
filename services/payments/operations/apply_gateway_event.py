"""Handles a stored callback: finds its attempt, asks the gateway, then marks it handled."""

from dataclasses import dataclass
from uuid import UUID

from kit.logs import get_logger
from kit.request_scope import about_payment
from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.audit import AuditKind
from services.payments.domain.events import (
    EventStatus,
    GatewayEvent,
    Handling,
    next_attribution,
    next_try,
)
from services.payments.domain.ruling import Note
from services.payments.operations import history
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.take_over_attempt import take_over_attempt
from services.payments.ports import Work

_log = get_logger(__name__)

# A callback can name a transaction that the gateway never tells about; our own schedule goes on.
_PATIENT_TRIES = 20


async def apply_gateway_event(deps: Dependencies, event: GatewayEvent) -> None:
    """Handle one claimed event. It is a hint to ask the gateway, never a fact.

    An event that matches nothing stays in the inbox of unattributed events and is tried again. An
    event whose gateway does not answer stays unhandled, so that a forged one cannot use up the key
    of a real one.
    """
    async with deps.storage.work() as work:
        found = await _find(work, event)
        if found is None:
            await _keep_unattributed(deps, work, event)
            return
        about_payment(str(found.attempt.payment_id))
        if event.tries == 0:
            notes, at = (_note(event),), event.received_at
            await history.write(work, found.attempt.payment_id, notes, at, actor=event.gateway)
    if found.refund_ids:
        await _hasten_refunds(deps, event, found)
        return
    attempt = found.attempt
    check = await check_attempt(
        deps, attempt, webhook=event.tries == 0, hint=event.gateway_transaction_id
    )
    now = deps.clock.now()
    # What was not final is asked again when the same callback comes again: a forged one that came
    # too early must not use up the key of the real one.
    handling = Handling(
        status=EventStatus.PROCESSED,
        payment_id=attempt.payment_id,
        note="" if check.final else "the gateway's answer was not final",
    )
    if not check.answered and event.tries < _PATIENT_TRIES:
        handling = Handling(
            status=EventStatus.RECEIVED,
            payment_id=attempt.payment_id,
            next_try_at=next_try(event.tries, now),
            note="the gateway did not answer",
        )
    async with deps.storage.work() as work:
        await work.events.mark(event, handling, now)


async def check_due_attempt(deps: Dependencies, attempt: Attempt) -> None:
    """Do what an attempt is due for: take it over when its process stopped, else ask."""
    about_payment(str(attempt.payment_id))
    if attempt.outcome is AttemptOutcome.SENDING:
        await take_over_attempt(deps, attempt)
    else:
        await check_attempt(deps, attempt, fence=attempt.lease_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a callback is about: an attempt, or a refund of the money that it took."""

    attempt: Attempt
    refund_ids: tuple[UUID, ...] = ()


async def _find(work: Work, event: GatewayEvent) -> _Found | None:
    if event.reference:
        attempt = await work.attempts.by_reference(event.gateway, event.reference)
        if attempt is not None:
            return await _with_refunds(work, event, attempt)
        refund = await work.refund_attempts.by_reference(event.gateway, event.reference)
        if refund is None:
            return None
        attempts = await work.attempts.of_payment(refund.payment_id)
        return _Found(attempt=attempts[-1], refund_ids=(refund.refund_id,))
    if not event.gateway_transaction_id:
        return None
    attempt = await _by_transaction(work, event.gateway, event.gateway_transaction_id)
    return await _with_refunds(work, event, attempt) if attempt else None


async def _by_transaction(work: Work, gateway: str, transaction_id: str) -> Attempt | None:
    capture = await work.captures.by_transaction_id(gateway, transaction_id)
    if capture is None:
        return await work.attempts.by_transaction_id(gateway, transaction_id)
    attempts = await work.attempts.of_payment(capture.payment_id)
    return next(attempt for attempt in attempts if attempt.id == capture.attempt_id)


async def _with_refunds(work: Work, event: GatewayEvent, attempt: Attempt) -> _Found:
    """Add the payment's refunds to what a callback is about when it speaks of one."""
    if "refund" not in event.event_type.lower():
        return _Found(attempt=attempt)
    refunds = await work.refunds.of_payment(attempt.payment_id)
    return _Found(attempt=attempt, refund_ids=tuple(refund.id for refund in refunds))


async def _hasten_refunds(deps: Dependencies, event: GatewayEvent, found: _Found) -> None:
    """Have the worker ask about refunds now; their own schedule makes sure that it does."""
    now = deps.clock.now()
    handling = Handling(status=EventStatus.PROCESSED, payment_id=found.attempt.payment_id)
    async with deps.storage.work() as work:
        for refund_id in found.refund_ids:
            await work.refund_attempts.hasten(refund_id, now)
        await work.events.mark(event, handling, now)
    deps.wakeups.attempt_due()


async def _keep_unattributed(deps: Dependencies, work: Work, event: GatewayEvent) -> None:
    now = deps.clock.now()
    handling = Handling(
        status=EventStatus.UNATTRIBUTED,
        next_try_at=next_attribution(event.tries, now),
        note="no payment of ours has this reference",
    )
    await work.events.mark(event, handling, now)
    if event.tries == 0:
        _log.error("event_unattributed", gateway=event.gateway, event_id=str(event.id), alert=True)


def _note(event: GatewayEvent) -> Note:
    return Note(
        kind=AuditKind.EVENT,
        action="gateway_called_back",
        reason=f"{event.gateway} sent {event.event_type or 'an event'}",
        rule="a callback is a hint to ask the gateway, never a fact",
        details={"event_id": str(event.id), "gateway": event.gateway},
    )
