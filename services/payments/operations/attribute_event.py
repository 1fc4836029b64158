"""AttributeEvent: staff say whose a callback is; the gateway says what it is worth."""

from dataclasses import dataclass, replace
from uuid import UUID

from services.payments.domain.attempts import Attempt
from services.payments.domain.charges import ChargeReport
from services.payments.domain.errors import (
    StaleWriteError,
    event_not_found,
    event_not_unattributed,
    gateway_not_asked,
    idempotency_key_reused,
    no_money_found,
    request_in_progress,
)
from services.payments.domain.events import EventStatus, GatewayEvent, Handling
from services.payments.domain.evidence import Answer, Evidence
from services.payments.domain.payment import Payment
from services.payments.operations import history
from services.payments.operations.ask_gateway import Finding
from services.payments.operations.check_attempt import record_finding
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import OneUnit, fingerprint, once, scope_of
from services.payments.ports import Work

_SILENT = frozenset({Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeEventCommand:
    """A validated request to give a callback to a payment."""

    event_id: UUID
    payment_id: UUID
    idempotency_key: str


async def attribute_event(
    deps: Dependencies, payment: Payment, command: AttributeEventCommand
) -> GatewayEvent:
    """Count the money behind a callback for a payment, and return the callback.

    The gateway is asked about the callback's transaction, whatever reference it carries: that it
    belongs to this payment is what staff vouch for. Raises `ServiceError`: see AttributeEvent in
    protos/operations/v1/operations_service.proto.
    """
    scope = scope_of(payment.user_id, "AttributeEvent", command.idempotency_key)
    request = fingerprint(command)
    async with deps.storage.work() as work:
        used = await work.keys.get(scope)
        event = await work.events.lock(command.event_id)
        attempts = await work.attempts.of_payment(payment.id)
    if used is not None and used.fingerprint != request:
        # Before anything is counted.
        raise idempotency_key_reused()
    if event is None:
        raise event_not_found(command.event_id)
    if event.status is EventStatus.UNATTRIBUTED:
        await _count(deps, event, [each for each in attempts if each.gateway == event.gateway])

    async def act(work: Work) -> GatewayEvent:
        return await _mark(deps, work, command)

    unit = OneUnit(
        scope=scope,
        fingerprint=request,
        subject=payment.id,
        answer=GatewayEvent,
    )
    return await once(deps, unit, act)


async def _count(deps: Dependencies, event: GatewayEvent, attempts: list[Attempt]) -> None:
    """Ask the gateway what the callback is about, and count the money that is found there."""
    if not attempts:
        raise no_money_found(f"the payment has no attempt at {event.gateway}")
    attempt = attempts[-1]
    report = await deps.gateways.get_charge(_as_named(attempt, event))
    if report.answer in _SILENT:
        raise gateway_not_asked()
    if report.answer is not Answer.SUCCEEDED or not report.gateway_transaction_id:
        raise no_money_found(f"{event.gateway} has no money under this callback")
    await _require_nobodys(deps, attempt, report)
    vouched: ChargeReport = replace(report, reference=attempt.reference)
    finding = Finding(attempt=attempt, evidence=Evidence.PAID, report=vouched)
    await record_finding(deps, finding)


async def _require_nobodys(deps: Dependencies, attempt: Attempt, report: ChargeReport) -> None:
    """Refuse to count money that was asked for by another payment, or that counts for one."""
    async with deps.storage.work() as work:
        asked = await work.attempts.by_reference(attempt.gateway, report.reference)
        taken = await work.captures.by_transaction_id(
            attempt.gateway, report.gateway_transaction_id
        )
    if any(each and each.payment_id != attempt.payment_id for each in (asked, taken)):
        raise no_money_found("the money belongs to another payment")


def _as_named(attempt: Attempt, event: GatewayEvent) -> Attempt:
    """Return what to ask about: the callback's own transaction, else its reference."""
    by_id = bool(event.gateway_transaction_id)
    return replace(
        attempt,
        reference="" if by_id else event.reference,
        gateway_transaction_id=event.gateway_transaction_id,
    )


async def _mark(deps: Dependencies, work: Work, command: AttributeEventCommand) -> GatewayEvent:
    now = deps.clock.now()
    event = await work.events.lock(command.event_id)
    if event is None:
        raise event_not_found(command.event_id)
    if event.status is not EventStatus.UNATTRIBUTED:
        raise event_not_unattributed(event.status)
    handling = Handling(status=EventStatus.PROCESSED, payment_id=command.payment_id)
    try:
        await work.events.mark(event, handling, now)
    except StaleWriteError as error:
        # The worker looks at it at this moment, perhaps with success.
        raise request_in_progress() from error
    note = history.request_note(
        "event_attributed",
        f"staff gave a callback of {event.gateway} to this payment",
        event_id=str(event.id),
        gateway_transaction_id=event.gateway_transaction_id,
    )
    await history.write(work, command.payment_id, (note,), now)
    return replace(event, status=EventStatus.PROCESSED, note="")
