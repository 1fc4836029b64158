"""Handles a stored callback: finds its attempt, asks the gateway, then marks it handled."""

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
from services.payments.domain.settlement import Note
from services.payments.operations import journal
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.take_over_attempt import take_over_attempt
from services.payments.ports import Work

_log = get_logger(__name__)


async def apply_gateway_event(deps: Dependencies, event: GatewayEvent) -> None:
    """Handle one claimed event. It is a hint to ask the gateway, never a fact.

    An event that matches nothing stays in the inbox of unattributed events and is tried again. An
    event whose gateway does not answer stays unhandled, so that a forged one cannot use up the key
    of a real one.
    """
    async with deps.storage.work() as work:
        attempt = await _find(work, event)
        if attempt is None:
            await _keep_unattributed(deps, work, event)
            return
        about_payment(str(attempt.payment_id))
        if event.tries == 0:
            await journal.write(
                work, attempt.payment_id, (_note(event),), event.received_at, actor=event.gateway
            )
    check = await check_attempt(deps, attempt, webhook=event.tries == 0)
    now = deps.clock.now()
    # What was not final is asked again when the same callback comes again: a forged one that came
    # too early must not use up the key of the real one.
    handling = Handling(
        status=EventStatus.PROCESSED,
        payment_id=attempt.payment_id,
        note="" if check.final else "the gateway's answer was not final",
    )
    if not check.answered:
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


async def _find(work: Work, event: GatewayEvent) -> Attempt | None:
    if event.reference:
        return await work.attempts.by_reference(event.gateway, event.reference)
    if event.gateway_transaction_id:
        return await work.attempts.by_transaction_id(event.gateway, event.gateway_transaction_id)
    return None


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
