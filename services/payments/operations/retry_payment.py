"""RetryPayment: a new attempt on a payment whose last one is over, perhaps by another method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.errors import (
    CommitUnknownError,
    attempt_not_closed,
    not_retryable,
    payment_already_open,
    request_in_progress,
    tier_already_active,
)
from services.payments.domain.payment import NO_ACTION, Payment, PaymentMethod, Purchase
from services.payments.domain.ruling import Note, walk
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.close_attempt import (
    close_attempt,
    closed_note,
    require_closed,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import (
    OneUnit,
    earlier_answer,
    fingerprint,
    once,
    scope_of,
)
from services.payments.operations.send_attempts import (
    Place,
    Sending,
    attempt_note,
    new_attempt,
    send_attempts,
)
from services.payments.ports import IdempotencyRecord, Work
from services.payments.router import Route

_OVER = frozenset({PaymentStatus.FAILED, PaymentStatus.EXPIRED})
_RULE = "RETRY: the last attempt is proven not to take money, or closed by its gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPaymentCommand:
    """A validated request for a new attempt. What is None or empty stays as it was."""

    payment_id: UUID
    idempotency_key: str
    payment_method: PaymentMethod | None = None
    payment_option: str = ""
    mobile_money_network: str = ""
    phone_number: str = ""
    country_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retry:
    """A retry that may begin. `closed`: the attempts that their gateways closed for it."""

    purchase: Purchase
    route: Route
    record: IdempotencyRecord
    closed: Sequence[Attempt]


async def retry_payment(
    deps: Dependencies, payment: Payment, command: RetryPaymentCommand
) -> Payment:
    """Start a new attempt and return the payment with what the member does next.

    Money that is found on an old attempt completes the payment instead. Raises `ServiceError`: see
    RetryPayment in protos/payments/v1/payments_service.proto.
    """
    scope = scope_of(payment.user_id, "RetryPayment", command.idempotency_key)
    request = fingerprint(command)
    async with deps.storage.work() as work:
        answered = await earlier_answer(work, scope, request, deps.clock.now())
        attempts = await work.attempts.of_payment(payment.id)
    if answered is not None:
        return answered
    _require_retryable(payment)
    purchase = _purchase(payment, command)
    routes = await deps.router.routes(purchase)
    closed = [attempt for attempt in attempts if attempt.unsettled]
    found = await deps.tasks.finish(_clear_the_way(deps, payment, attempts))
    if found.status is PaymentStatus.COMPLETED:

        async def nothing_to_send(_work: Work) -> Payment:
            return found

        unit = OneUnit(scope=scope, fingerprint=request, subject=payment.id, answer=Payment)
        return await once(deps, unit, nothing_to_send)
    record = IdempotencyRecord(
        scope=scope,
        fingerprint=request,
        owner=deps.ids.new_id(),
        lease_until=deps.clock.now() + timedelta(seconds=deps.timing.takeover),
        payment_id=payment.id,
    )
    retry = _Retry(purchase=purchase, route=routes[0], record=record, closed=closed)
    renewed, attempt = await _record(deps, retry)
    if attempt is None:
        return renewed
    sending = Sending(payment=renewed, attempt=attempt, routes=routes, key=scope)
    return await deps.tasks.finish(send_attempts(deps, sending))


def _require_retryable(payment: Payment) -> None:
    """Refuse to begin again what is not over, unless its open page can be closed first."""
    if payment.review_reason is not None:
        raise not_retryable("the payment's money arrived and awaits a decision")
    if payment.status not in (*_OVER, PaymentStatus.PROCESSING):
        raise not_retryable(f"a payment that is {payment.status} is not tried again")


def _purchase(payment: Payment, command: RetryPaymentCommand) -> Purchase:
    """Return what is bought, with the way to pay that the member chose now."""
    purchase = payment.purchase
    customer = replace(
        purchase.customer,
        phone_number=command.phone_number or purchase.customer.phone_number,
        country_code=command.country_code or purchase.customer.country_code,
    )
    purchase = replace(purchase, customer=customer)
    if command.payment_method is None:
        return purchase
    return replace(
        purchase,
        payment_method=command.payment_method,
        payment_option=command.payment_option,
        mobile_money_network=command.mobile_money_network,
    )


async def _clear_the_way(
    deps: Dependencies, payment: Payment, attempts: Sequence[Attempt]
) -> Payment:
    """Close what can still be paid, and ask once more about what is over; return the payment."""
    for attempt in attempts:
        if attempt.unsettled:
            payment = await close_attempt(deps, attempt) or payment
    askable = [each for each in attempts if each.next_check_at is not None and not each.unsettled]
    if not askable or payment.status is PaymentStatus.COMPLETED:
        return payment
    check = await check_attempt(deps, askable[-1])
    if check.paying:
        # What was given up for lost has turned up, and can still be paid.
        raise attempt_not_closed("the provider has an earlier try after all; wait for its outcome")
    return check.payment


async def _record(deps: Dependencies, retry: _Retry) -> tuple[Payment, Attempt | None]:
    """Commit the new attempt, or find what is there already; None when nothing is to be sent."""
    record = retry.record
    try:
        async with deps.storage.work() as work:
            if not await work.keys.add(record, deps.clock.now()):
                answered = await earlier_answer(
                    work, record.scope, record.fingerprint, deps.clock.now()
                )
                if answered is None:
                    raise request_in_progress()
                return answered, None
            return await _begin(deps, work, retry)
    except CommitUnknownError:
        # An error on commit does not mean "not committed": the key tells, and the attempt.
        async with deps.storage.work() as work:
            stored = await work.keys.get(record.scope)
            payment = await work.payments.get(record.payment_id)
            attempts = await work.attempts.of_payment(record.payment_id)
        if stored is None or stored.owner != record.owner or payment is None:
            raise
        sending = [each for each in attempts if each.outcome is AttemptOutcome.SENDING]
        return payment, sending[-1] if sending else None


async def _begin(deps: Dependencies, work: Work, retry: _Retry) -> tuple[Payment, Attempt | None]:
    now = deps.clock.now()
    purchase = retry.purchase
    # Locked, so that another payment for the same thing cannot complete or begin in between.
    held = (await work.memberships.lock(purchase.user_id)).current(now)
    if held.covers(purchase.tier, purchase.billing_cycle, now):
        raise tier_already_active(purchase.tier)
    before = await work.payments.lock(retry.record.payment_id)
    _require_retryable(before)
    other = await work.payments.open_for(
        purchase.user_id, purchase.tier, purchase.billing_cycle.value
    )
    if other is not None and other.id != before.id:
        raise payment_already_open(other.id)
    attempts = await work.attempts.lock_of_payment(before.id)
    notes = [_asked(purchase), *await _give_up(work, attempts, retry.closed)]
    last = attempts[-1]
    attempt = new_attempt(
        deps, before, retry.route, Place(number=last.number + 1, round=last.round + 1)
    )
    payment, moves = _renewed(before, purchase, attempt, now)
    await work.payments.save(payment, before)
    await work.attempts.add(attempt)
    await history.write(work, before.id, (*notes, *moves, attempt_note(attempt)), now)
    return payment, attempt


async def _give_up(
    work: Work, attempts: Sequence[Attempt], closed: Sequence[Attempt]
) -> list[Note]:
    """Store that the attempts which their gateways closed are over."""
    notes: list[Note] = []
    for attempt in attempts:
        if attempt.unsettled:
            require_closed(attempt, closed)
            await work.attempts.save(attempt.settled(AttemptOutcome.CANCELLED))
            notes.append(closed_note(attempt))
    return notes


def _renewed(
    before: Payment, purchase: Purchase, attempt: Attempt, now: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    payment: Payment = before
    moves: tuple[Note, ...] = ()
    if before.status is not PaymentStatus.PROCESSING:
        why = f"the member tries again by {purchase.payment_method}"
        payment, moves = walk(before, (PaymentStatus.PROCESSING,), why, _RULE, now)
    renewed = replace(
        payment,
        purchase=purchase,
        gateway=attempt.gateway,
        gateway_reference=attempt.reference,
        gateway_transaction_id="",
        next_action=NO_ACTION,
        failure=None,
    )
    return renewed.touched(now), moves


def _asked(purchase: Purchase) -> Note:
    return history.request_note(
        "retry_requested", f"try again by {purchase.payment_method}", method=purchase.payment_method
    )
