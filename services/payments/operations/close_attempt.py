"""Has a gateway close an attempt, for a payment that is withdrawn or paid in another way."""

from collections.abc import Sequence

from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.audit import AuditKind
from services.payments.domain.charges import ChargeReport
from services.payments.domain.errors import (
    attempt_not_closed,
    gateway_not_asked,
    request_in_progress,
)
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import Note
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies

CLOSED_RULE = "CANCELLED: the gateway acknowledged that the attempt can no longer be paid"


async def close_attempt(deps: Dependencies, attempt: Attempt) -> Payment | None:
    """Have the gateway close an attempt, then make sure that no money arrived before that.

    Returns the payment as the gateway's last answer left it, None when the gateway had nothing to
    close. Raises `ServiceError`: REQUEST_IN_PROGRESS while it is being sent, ATTEMPT_NOT_CLOSED
    when the gateway cannot take it back, GATEWAY_NOT_REACHABLE when it could not be asked.
    """
    if attempt.outcome is AttemptOutcome.SENDING:
        raise request_in_progress()
    if attempt.outcome is AttemptOutcome.UNKNOWN:
        raise attempt_not_closed(
            "the provider is still being asked whether the payment began; try again later"
        )
    if attempt.awaits_otp:
        # Until the password comes, the gateway has nothing that could be paid.
        return None
    _require_acknowledged(await deps.gateways.cancel_charge(attempt))
    if deps.timing.lag:
        # A payment that began just before may not show at once.
        await deps.clock.sleep(deps.timing.lag)
    check = await check_attempt(deps, attempt)
    if check.paying:
        raise attempt_not_closed("the payer is paying at this moment; wait for the outcome")
    if not check.answered:
        raise gateway_not_asked()
    return check.payment


def _require_acknowledged(closed: ChargeReport) -> None:
    if closed.answer in (Answer.NOT_CREATED, Answer.FAILED):
        raise attempt_not_closed(
            "the provider cannot take this payment back; decline it on the phone or let it lapse"
        )
    if closed.answer is not Answer.SUCCEEDED:
        raise gateway_not_asked()


def require_closed(attempt: Attempt, closed: Sequence[Attempt]) -> None:
    """Refuse to give an attempt up that is not as it was when the gateway closed it.

    One that was sent meanwhile may be payable. Raises `ServiceError` (REQUEST_IN_PROGRESS).
    """
    if not any(each.id == attempt.id and each.as_sent == attempt.as_sent for each in closed):
        raise request_in_progress()


def closed_note(attempt: Attempt) -> Note:
    """Return the note that a gateway closed an attempt."""
    return Note(
        kind=AuditKind.ATTEMPT,
        action="attempt_cancelled",
        reason=f"{attempt.gateway} closed the attempt",
        rule=CLOSED_RULE,
        details={"gateway": attempt.gateway, "reference": attempt.reference},
    )
