"""Reading payments: one, a page, or the whole story of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kit.request_scope import about_payment, current_scope
from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditEntry
from services.payments.domain.errors import payment_not_found
from services.payments.domain.ledger import JournalEntry
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import Refund
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import PaymentFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A payment, its attempts, refunds, journal and history, each oldest first."""

    payment: Payment
    attempts: Sequence[Attempt]
    refunds: Sequence[Refund]
    journal: Sequence[JournalEntry]
    history: Sequence[AuditEntry]


async def get_payment(deps: Dependencies, payment_id: UUID) -> Payment:
    """Read a payment that the caller may see.

    Raises `ServiceError` (NOT_FOUND) when it is missing, or when the caller acts for a member and
    it belongs to another: the two cannot be told apart.
    """
    async with deps.storage.work() as work:
        payment = await work.payments.get(payment_id)
    member = current_scope().user_id
    if payment is None or (member is not None and payment.user_id != member):
        raise payment_not_found(payment_id)
    about_payment(str(payment_id))
    return payment


async def list_payments(deps: Dependencies, wanted: PaymentFilter, limit: int) -> Sequence[Payment]:
    """Read at most `limit` payments, newest first."""
    async with deps.storage.work() as work:
        return await work.payments.page(wanted, limit)


async def explain_payment(deps: Dependencies, payment_id: UUID) -> Story:
    """Read everything that is known about a payment. Raises as `get_payment` does."""
    payment = await get_payment(deps, payment_id)
    async with deps.storage.work() as work:
        attempts = await work.attempts.of_payment(payment_id)
        refunds = await work.refunds.of_payment(payment_id)
        journal = await work.ledger.of_payment(payment_id)
        history = await work.audit.of_payment(payment_id)
    return Story(
        payment=payment, attempts=attempts, refunds=refunds, journal=journal, history=history
    )
