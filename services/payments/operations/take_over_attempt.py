"""Continues an attempt whose process stopped between sending it and recording the outcome."""

from collections.abc import Sequence
from datetime import datetime

from kit.errors import InvalidRequestError
from kit.logs import get_logger
from services.payments.domain.attempts import INTERRUPTED, Attempt
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.send_attempts import Sending, record_creation, send_attempts
from services.payments.router import Route

_log = get_logger(__name__)


async def take_over_attempt(deps: Dependencies, attempt: Attempt) -> None:
    """Decide an interrupted attempt as a lost reply, and go on with the next one if that is safe.

    A hosted link that was never delivered can be replaced at once; a prompt that may be on a phone
    cannot, and is looked up from now on.
    """
    async with deps.storage.work() as work:
        payment = await work.payments.get(attempt.payment_id)
    if payment is None:
        raise LookupError(f"attempt {attempt.id} has no payment")
    routes = await _routes(deps, payment)
    interrupted = ChargeReport(
        answer=Answer.UNKNOWN,
        failure_code=INTERRUPTED,
        detail="the process stopped before the gateway's answer was recorded",
    )
    sending = Sending(payment=payment, attempt=attempt, routes=routes)
    recorded = await record_creation(deps, sending, interrupted)
    if recorded.next_attempt is not None:
        again = Sending(payment=recorded.payment, attempt=recorded.next_attempt, routes=routes)
        await deps.tasks.finish(send_attempts(deps, again))
    else:
        deps.wakeups.attempt_due()


async def _routes(deps: Dependencies, payment: Payment) -> Sequence[Route]:
    """Return where the payment can go on; nowhere when nobody offers it any more."""
    try:
        return await deps.router.routes(payment.purchase)
    except InvalidRequestError:
        return ()


async def release_interrupted(deps: Dependencies, started_at: datetime) -> None:
    """Have the attempts taken over at once that an earlier run of this process left in the air.

    Without it they would wait for their take-over time. `started_at`: when this run began.
    """
    async with deps.storage.work() as work:
        released = await work.attempts.release_interrupted(
            deps.sender, started_at, deps.clock.now()
        )
    if released:
        _log.warning("interrupted_attempts_released", count=released)
        deps.wakeups.attempt_due()
