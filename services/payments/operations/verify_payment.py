"""VerifyPayment: asks the gateway now, because the member came back or somebody wants to know."""

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.errors import gateway_not_asked
from services.payments.domain.payment import Payment
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies

# Money may still arrive late for these; the others are not changed by asking.
_WORTH_ASKING = OPEN_STATUSES | {PaymentStatus.FAILED, PaymentStatus.EXPIRED}


async def verify_payment(deps: Dependencies, payment: Payment) -> Payment:
    """Ask the gateway of the payment's newest attempt, apply the answer, return the payment.

    Raises `ServiceError` (UNAVAILABLE, GATEWAY_NOT_REACHABLE) when there was no answer.
    """
    if payment.status not in _WORTH_ASKING:
        return payment
    async with deps.storage.work() as work:
        attempts = await work.attempts.of_payment(payment.id)
    asked = [attempt for attempt in attempts if _can_be_asked(attempt)]
    if not asked:
        return payment
    check = await deps.tasks.finish(check_attempt(deps, asked[-1]))
    if not check.answered:
        raise gateway_not_asked()
    return check.payment


def _can_be_asked(attempt: Attempt) -> bool:
    """Whether the gateway can know the attempt: not while it is being sent, nor if it never was."""
    return attempt.outcome is not AttemptOutcome.SENDING and attempt.next_check_at is not None
