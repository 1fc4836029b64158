"""Heals breaks about money that came in: the gateway is asked again, or a fee is corrected."""

from dataclasses import replace

from kit.money import Money
from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import Capture
from services.payments.domain.ledger import FEES, EntryKind, JournalEntry, Line, clearing
from services.payments.domain.reconciliation import (
    BookedCapture,
    Break,
    BreakKind,
)
from services.payments.domain.ruling import Note
from services.payments.operations import history
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.healing import Healing, healed, left_open

_RULE = "RECONCILED: a fee is what the gateway's statement, and at last its settlement, says"


async def heal_charge(deps: Dependencies, gateway: str, found: Break) -> Healing:
    """Ask the gateway about a success that we have no money of: the list itself proves nothing.

    What the look-up confirms counts like any other money: it completes the payment, is held, or is
    surplus and goes back.
    """
    row = found.theirs
    async with deps.storage.work() as work:
        attempt = await work.attempts.by_reference(gateway, found.reference)
    if row is None or attempt is None:
        return left_open("there is nothing to ask about")
    asked, names = attempt, {row.transaction_id}
    if found.kind is BreakKind.LATE:
        # An earlier try of the payer may be what the attempt is known by so far.
        asked = replace(attempt, gateway_transaction_id=row.transaction_id)
        names.add(attempt.reference)
    check = await check_attempt(deps, asked, hint=row.transaction_id)
    async with deps.storage.work() as work:
        captures = await work.captures.of_payment(attempt.payment_id)
    mine = [each for each in captures if each.gateway == gateway]
    counted = [each for each in mine if each.gateway_transaction_id in names]
    if not counted:
        return left_open(f"when it was asked, the gateway said {check.answer}")
    return healed(f"the gateway was asked, and the money counts as {counted[0].use}")


async def heal_fee(deps: Dependencies, gateway: str, found: Break) -> Healing:
    """Enter the difference between the fee that we know and the one that the gateway names."""
    ours, fee = found.ours, found.theirs.fee if found.theirs else None
    if not isinstance(ours, BookedCapture) or fee is None or fee.minor < 0:
        return left_open("the sums differ, and no single fee")
    if fee.currency != ours.amount.currency:
        return left_open("the fee is in another currency")
    now = deps.clock.now()
    async with deps.storage.work() as work:
        await work.payments.lock(ours.payment_id)
        capture = await work.captures.by_transaction_id(gateway, ours.transaction_id)
        if capture is None:
            raise LookupError(f"capture {ours.id} is gone")
        known = capture.fee or Money(fee.currency, 0)
        await work.captures.save(replace(capture, fee=fee))
        if fee != known:
            await work.ledger.post([_fee_entry(deps, capture, known, fee)])
        note = Note(
            kind=AuditKind.EFFECT,
            action="fee_corrected",
            reason=f"{gateway} keeps {fee}; on record was {capture.fee or 'nothing'}",
            rule=_RULE,
            details={"gateway_transaction_id": capture.gateway_transaction_id},
        )
        await history.write(work, capture.payment_id, (note,), now)
    return healed(f"{fee - known} was entered")


def _fee_entry(deps: Dependencies, capture: Capture, known: Money, fee: Money) -> JournalEntry:
    """Return the entry of a difference; the payment's lock keeps it from being entered twice."""
    entry_id, difference = deps.ids.new_id(), fee - known
    return JournalEntry(
        id=entry_id,
        kind=EntryKind.FEE,
        source=f"fee:{capture.id}:{entry_id}",
        summary=f"{capture.gateway} keeps {fee}, on record was {known}",
        at=deps.clock.now(),
        payment_id=capture.payment_id,
        lines=(
            Line(account=FEES, amount=difference),
            Line(account=clearing(capture.gateway), amount=difference * -1),
        ),
    )
