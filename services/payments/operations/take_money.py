"""Puts money that a gateway took on record: the capture, the journal, and what goes back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit.money import Money
from services.payments.domain.attempts import Attempt
from services.payments.domain.captures import Capture, CaptureUse, Taken
from services.payments.domain.ledger import (
    JournalEntry,
    Posting,
    capture_postings,
    correction_postings,
    release_posting,
)
from services.payments.domain.refunds import (
    Refund,
    RefundAttempt,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Work

_BY_ITSELF = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Money that arrived on an attempt, under the gateway's own identifier."""

    attempt: Attempt
    transaction_id: str
    taken: Taken
    fee: Money | None


async def record_arrival(
    deps: Dependencies, work: Work, arrival: Arrival, now: datetime
) -> Capture:
    """Store a capture with its journal entries, and the refund of what is not needed."""
    attempt, taken = arrival.attempt, arrival.taken
    capture = Capture(
        id=deps.ids.new_id(),
        payment_id=attempt.payment_id,
        attempt_id=attempt.id,
        gateway=attempt.gateway,
        gateway_transaction_id=arrival.transaction_id,
        amount=taken.amount,
        use=taken.use,
        excess=taken.excess,
        captured_at=now,
        fee=arrival.fee,
        held_because=taken.why if taken.use is CaptureUse.HELD else "",
    )
    if not await work.captures.add(capture):
        raise LookupError(f"transaction {arrival.transaction_id} is on record already")
    await post(deps, work, capture_postings(capture), capture, now)
    await _return_excess(deps, work, capture, taken.why, now)
    return capture


async def decide_held(
    deps: Dependencies, work: Work, held: Capture, taken: Taken, now: datetime
) -> Capture:
    """Store what held money counts for from now on."""
    decided = replace(held, use=taken.use, excess=taken.excess, held_because="")
    await work.captures.save(decided)
    await post(deps, work, [release_posting(held, decided)], decided, now)
    await _return_excess(deps, work, decided, taken.why, now)
    return decided


async def correct_held(
    deps: Dependencies, work: Work, held: Capture, taken: Taken, now: datetime
) -> Capture:
    """Store that a gateway corrected the amount of money that is held."""
    same_currency = taken.amount.currency == held.amount.currency
    corrected = replace(
        held,
        amount=taken.amount,
        use=taken.use,
        excess=taken.excess,
        fee=held.fee if same_currency else None,
        held_because=taken.why if taken.use is CaptureUse.HELD else "",
    )
    await work.captures.save(corrected)
    # A gateway may go back and forth: every correction is an entry of its own.
    postings = [
        replace(posting, source=f"{posting.source}:{now.isoformat()}")
        for posting in correction_postings(held, corrected)
    ]
    await post(deps, work, postings, corrected, now)
    await _return_excess(deps, work, corrected, taken.why, now)
    return corrected


async def record_refund(deps: Dependencies, work: Work, refund: Refund, now: datetime) -> None:
    """Store a refund and its first attempt, due now; the worker sends it."""
    await work.refunds.add(refund)
    await work.refund_attempts.add(new_refund_attempt(deps, refund, 1, now))


def new_refund_attempt(
    deps: Dependencies, refund: Refund, number: int, now: datetime
) -> RefundAttempt:
    """Return an attempt under a fresh reference, to be sent now."""
    return RefundAttempt(
        id=deps.ids.new_id(),
        refund_id=refund.id,
        payment_id=refund.payment_id,
        number=number,
        gateway=refund.gateway,
        reference=deps.ids.new_reference(),
        outcome=RefundAttemptOutcome.RECORDED,
        created_at=now,
        next_check_at=now,
    )


async def post(
    deps: Dependencies, work: Work, postings: Sequence[Posting], about: Capture, now: datetime
) -> None:
    """Enter postings about a capture's payment in the journal."""
    await work.ledger.post(
        [
            JournalEntry(
                id=deps.ids.new_id(),
                kind=posting.kind,
                source=posting.source,
                summary=posting.summary,
                at=now,
                lines=posting.lines,
                payment_id=about.payment_id,
            )
            for posting in postings
        ]
    )


async def _return_excess(
    deps: Dependencies, work: Work, capture: Capture, why: str, now: datetime
) -> None:
    if not capture.excess.minor:
        return
    refund = Refund(
        id=deps.ids.new_id(),
        payment_id=capture.payment_id,
        capture_id=capture.id,
        purpose=RefundPurpose.SURPLUS,
        amount=capture.excess,
        reason=why or "more was paid than the price",
        requested_by=_BY_ITSELF,
        gateway=capture.gateway,
        status=RefundStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
    await record_refund(deps, work, refund, now)
