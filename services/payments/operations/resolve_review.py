"""ResolveReview: staff decide about money that is not what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import Capture, CaptureUse, Taken
from services.payments.domain.errors import payment_not_held, review_cannot_grant
from services.payments.domain.failures import failure
from services.payments.domain.membership import Membership
from services.payments.domain.payment import NO_ACTION, Payment
from services.payments.domain.ruling import COMPLETABLE, Note, grant, walk
from services.payments.domain.schedule import next_sweep
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus
from services.payments.operations import history
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.grant_tier import grant_tier, is_bought_elsewhere
from services.payments.operations.idempotency import OneUnit, fingerprint, once, scope_of
from services.payments.operations.take_money import decide_held
from services.payments.ports import Work

_RULE = "REVIEW: staff decide about money that is not what was asked for"


class ReviewDecision(StrEnum):
    """What becomes of held money: it buys the tier, or it goes back."""

    GRANT = "grant"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveReviewCommand:
    """A validated decision. `reason`: in the words of who decided."""

    payment_id: UUID
    decision: ReviewDecision
    reason: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Review:
    """A payment whose money is held, everything in it locked."""

    payment: Payment
    membership: Membership
    captures: Sequence[Capture]
    attempts: Sequence[Attempt]
    reason: str


async def resolve_review(
    deps: Dependencies, payment: Payment, command: ResolveReviewCommand
) -> Payment:
    """Decide about the money that is held on a payment, and return the payment.

    Raises `ServiceError`: see ResolveReview in protos/operations/v1/operations_service.proto.
    """

    async def act(work: Work) -> Payment:
        return await _resolve(deps, work, command)

    unit = OneUnit(
        scope=scope_of(payment.user_id, "ResolveReview", command.idempotency_key),
        fingerprint=fingerprint(command),
        subject=payment.id,
        answer=Payment,
    )
    resolved = await once(deps, unit, act)
    deps.wakeups.payment_changed(payment.id)
    deps.wakeups.attempt_due()
    return resolved


async def _resolve(deps: Dependencies, work: Work, command: ResolveReviewCommand) -> Payment:
    now = deps.clock.now()
    seen = await work.payments.get(command.payment_id)
    if seen is None:
        raise payment_not_held()
    membership = await work.memberships.lock(seen.user_id)
    payment = await work.payments.lock(command.payment_id)
    captures = await work.captures.of_payment(payment.id)
    held = [capture for capture in captures if capture.use is CaptureUse.HELD]
    if payment.review_reason is None and not held:
        raise payment_not_held()
    review = _Review(
        payment=payment,
        membership=membership,
        captures=held,
        attempts=await work.attempts.lock_of_payment(payment.id),
        reason=command.reason,
    )
    decide = _grant if command.decision is ReviewDecision.GRANT else _send_back
    decided, notes = await decide(deps, work, review, now)
    decided = decided.touched(now)
    await work.payments.save(decided, payment)
    asked = history.request_note(
        f"review_{command.decision}", command.reason, decision=command.decision
    )
    await history.write(work, payment.id, (asked, *notes), now)
    if decided.status is not payment.status:
        await work.outbox.add(f"payment.{decided.status}", decided, now)
    return decided


async def _grant(
    deps: Dependencies, work: Work, review: _Review, now: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    """Let the newest held money buy the tier; any other goes back."""
    payment = review.payment
    held = review.membership.current(now)
    if payment.status not in COMPLETABLE:
        raise review_cannot_grant(f"a payment that is {payment.status} cannot be completed")
    if not review.captures:
        raise review_cannot_grant("no money is on record; ask the gateway, then decide")
    *others, chosen = review.captures
    if chosen.amount.currency != payment.amount.currency:
        raise review_cannot_grant(f"the price is in {payment.amount.currency}; send it back")
    attempt = _attempt_of(chosen, review.attempts)
    if await is_bought_elsewhere(work, payment, attempt, held, now):
        raise review_cannot_grant("the member has bought something else meanwhile; send it back")
    ruling = grant(payment, attempt, chosen.amount, review.reason, now)
    ruling = await grant_tier(work, ruling, payment, held, now)
    if ruling.taken is not None:
        await decide_held(deps, work, chosen, ruling.taken, now)
    await _end(work, ruling.attempt, now)
    for capture in others:
        await _return(deps, work, capture, now)
    completed = ruling.payment
    if payment.status is PaymentStatus.PENDING:
        # The database takes one move, and one version, at a time.
        begun = payment.moved(PaymentStatus.PROCESSING, now).touched(now)
        await work.payments.save(begun, payment)
        completed = replace(completed, version=begun.version)
    return completed, ruling.notes


async def _send_back(
    deps: Dependencies, work: Work, review: _Review, now: datetime
) -> tuple[Payment, tuple[Note, ...]]:
    """Send all held money back; an open payment fails, and the member may try again."""
    for capture in review.captures:
        await _return(deps, work, capture, now)
        await _end(work, _attempt_of(capture, review.attempts), now)
    payment = replace(review.payment, review_reason=None)
    took = {capture.attempt_id for capture in review.captures}
    # Another attempt that can still be paid keeps the payment open; its own end decides.
    alive = any(each.unsettled and each.id not in took for each in review.attempts)
    if payment.status not in OPEN_STATUSES or not took or alive:
        return payment, ()
    failed, moves = walk(payment, (PaymentStatus.FAILED,), review.reason, _RULE, now)
    why = failure("amount_mismatch", now)
    return replace(failed, failure=why, next_action=NO_ACTION), moves


async def _return(deps: Dependencies, work: Work, capture: Capture, now: datetime) -> None:
    back = Taken(
        amount=capture.amount,
        use=CaptureUse.SURPLUS,
        excess=capture.amount,
        why=capture.held_because,
    )
    await decide_held(deps, work, capture, back, now)


async def _end(work: Work, attempt: Attempt, now: datetime) -> None:
    """Store that an attempt took its money; a page is still swept for a second success."""
    ended = attempt.settled(AttemptOutcome.SUCCEEDED)
    due = next_sweep(now, now) if attempt.flow is Flow.HOSTED else None
    await work.attempts.save(replace(ended, next_check_at=due))


def _attempt_of(capture: Capture, attempts: Sequence[Attempt]) -> Attempt:
    return next(attempt for attempt in attempts if attempt.id == capture.attempt_id)
