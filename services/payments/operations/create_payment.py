"""CreatePayment: price, record, send. The intent is committed before the first byte leaves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit.money import Money
from kit.request_scope import about_payment
from services.payments.domain.attempts import Attempt
from services.payments.domain.errors import (
    CommitUnknownError,
    payment_already_open,
    request_in_progress,
    tier_already_active,
)
from services.payments.domain.payment import (
    BillingCycle,
    Customer,
    Payment,
    PaymentMethod,
    Purchase,
)
from services.payments.domain.pricing import PriceBook, offered
from services.payments.domain.ruling import Note
from services.payments.domain.states import PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import (
    decode_answer,
    earlier_answer,
    encode_answer,
    fingerprint,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePaymentCommand:
    """A validated request. It has no amount: the price book knows the price."""

    user_id: str
    tier: str
    billing_cycle: BillingCycle
    payment_method: PaymentMethod
    currency: str
    customer: Customer
    return_url: str
    idempotency_key: str
    payment_option: str = ""
    mobile_money_network: str = ""


async def create_payment(deps: Dependencies, command: CreatePaymentCommand) -> Payment:
    """Record a purchase, create its charge at the best gateway, and return what to do next.

    Raises `ServiceError`: see CreatePayment in protos/payments/v1/payments_service.proto.
    """
    scope = scope_of(command.user_id, "CreatePayment", command.idempotency_key)
    request = fingerprint(command)
    async with deps.storage.work() as work:
        answered = await earlier_answer(work, scope, request, deps.clock.now())
        if answered is not None:
            return answered
        book = await work.prices.current()
    purchase = _price(command, book)
    routes = await deps.router.routes(purchase)
    now = deps.clock.now()
    record = IdempotencyRecord(
        scope=scope,
        fingerprint=request,
        owner=deps.ids.new_id(),
        lease_until=now + timedelta(seconds=deps.timing.takeover),
        payment_id=deps.ids.new_id(),
    )
    payment, attempt = await _record_intent(deps, purchase, routes[0], record)
    about_payment(str(payment.id))
    if attempt is None:
        return payment
    sending = Sending(payment=payment, attempt=attempt, routes=routes, key=scope)
    return await deps.tasks.finish(send_attempts(deps, sending))


def _price(command: CreatePaymentCommand, book: PriceBook) -> Purchase:
    """Look the price up. Raises `InvalidRequestError` when nothing like that is sold."""
    tier = offered(book, command.tier, command.billing_cycle, command.currency)
    return Purchase(
        user_id=command.user_id,
        tier=command.tier,
        billing_cycle=command.billing_cycle,
        payment_method=command.payment_method,
        amount=tier.prices[command.billing_cycle, command.currency],
        price_book_version=book.version,
        customer=command.customer,
        return_url=command.return_url,
        payment_option=command.payment_option,
        mobile_money_network=command.mobile_money_network,
    )


async def _record_intent(
    deps: Dependencies, purchase: Purchase, route: Route, record: IdempotencyRecord
) -> tuple[Payment, Attempt | None]:
    """Commit the payment, its first attempt and the key, or find what is there already.

    No attempt is returned when there is nothing to send: the answer is the payment itself.
    """
    now = deps.clock.now()
    payment = _new_payment(purchase, route, record, now)
    attempt = new_attempt(deps, payment, route, Place())
    payment = replace(payment, gateway_reference=attempt.reference)
    try:
        async with deps.storage.work() as work:
            if not await work.keys.add(record, now):
                answered = await earlier_answer(work, record.scope, record.fingerprint, now)
                if answered is None:
                    raise request_in_progress()
                return answered, None
            # Locked, so that an open payment for the same thing cannot complete in between.
            held = (await work.memberships.lock(purchase.user_id)).current(now)
            if held.covers(purchase.tier, purchase.billing_cycle, now):
                raise tier_already_active(purchase.tier)
            payment = replace(payment, previous_tier=held.tier)
            if not await work.payments.add(payment):
                return await _join_open_payment(work, purchase, record), None
            await work.attempts.add(attempt)
            notes = (_asked(purchase), attempt_note(attempt))
            await history.write(work, payment.id, notes, now)
    except CommitUnknownError:
        # An error on commit does not mean "not committed": the key tells.
        async with deps.storage.work() as work:
            stored = await work.keys.get(record.scope)
        if stored is None or stored.owner != record.owner:
            raise
        if stored.response is not None:
            return decode_answer(stored.response), None
    return payment, attempt


async def _join_open_payment(work: Work, purchase: Purchase, record: IdempotencyRecord) -> Payment:
    """Answer with the member's open payment for the same thing, paid in the same way.

    Two tabs make one payment. Raises `ServiceError`: PAYMENT_ALREADY_OPEN when it is paid in
    another way, REQUEST_IN_PROGRESS while its charge is being created.
    """
    payment = await work.payments.open_for(purchase.user_id, purchase.tier, purchase.billing_cycle)
    if payment is None or payment.status is PaymentStatus.PENDING:
        raise request_in_progress()
    if not _same_way(payment.purchase, purchase):
        raise payment_already_open(payment.id)
    await work.keys.finish(record.scope, payment.id, encode_answer(payment))
    return payment


def _same_way(one: Purchase, other: Purchase) -> bool:
    """Whether two purchases of the same thing would be paid in the same way by the same person."""
    aligned = replace(
        one,
        amount=Money(one.amount.currency, other.amount.minor),
        price_book_version=other.price_book_version,
        return_url=other.return_url,
    )
    return aligned == other


def _asked(purchase: Purchase) -> Note:
    return history.request_note(
        "payment_requested",
        f"{purchase.tier} {purchase.billing_cycle} for {purchase.amount}",
        method=purchase.payment_method,
        price_book_version=str(purchase.price_book_version),
    )


def _new_payment(
    purchase: Purchase, route: Route, record: IdempotencyRecord, now: datetime
) -> Payment:
    return Payment(
        id=record.payment_id,
        purchase=purchase,
        previous_tier="",
        idempotency_key=record.scope.key,
        status=PaymentStatus.PENDING,
        version=1,
        created_at=now,
        updated_at=now,
        gateway=route.gateway,
    )
