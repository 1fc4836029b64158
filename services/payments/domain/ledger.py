"""The double-entry journal: which accounts captured money, fees and refunds move between.

A debit is positive, a credit negative, and the lines of every currency of an entry add up to zero.
The clearing account of a gateway holds what the gateway owes us: it grows with every capture and
closes with the settlements that the gateway pays out.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.refunds import Refund, RefundPurpose

REVENUE = "revenue:memberships"
SURPLUS = "liability:surplus"
HELD = "liability:held_for_review"
FEES = "expense:gateway_fees"
CHARGEBACKS = "expense:chargebacks"
BANK = "asset:bank"


class EntryKind(StrEnum):
    """What happened to the money."""

    CAPTURE = "capture"
    FEE = "fee"
    RELEASE = "release"
    REFUND = "refund"
    REFUND_FEE = "refund_fee"
    CHARGEBACK = "chargeback"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One side of an entry: a debit is positive, a credit negative."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A balanced entry.

    `source`: what it is about, so that the same thing is never entered twice. `payment_id`: None
    for what belongs to no single payment.
    """

    id: UUID
    kind: EntryKind
    source: str
    summary: str
    at: datetime
    lines: tuple[Line, ...]
    payment_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An entry before it has an identifier and a time."""

    kind: EntryKind
    source: str
    summary: str
    lines: tuple[Line, ...]


def clearing(gateway: str) -> str:
    """Return the account of what a gateway owes us."""
    return f"clearing:{gateway}"


def capture_postings(capture: Capture) -> list[Posting]:
    """Return what a capture enters: the money by its use, and the gateway's fee once known."""
    postings = [
        Posting(
            kind=EntryKind.CAPTURE,
            source=f"capture:{capture.id}",
            summary=f"{capture.gateway} took {capture.amount} ({capture.use})",
            lines=_moved(capture.amount, clearing(capture.gateway), *_credits(capture)),
        )
    ]
    if capture.fee is not None and capture.fee.minor > 0:
        postings.append(
            Posting(
                kind=EntryKind.FEE,
                source=f"fee:{capture.id}",
                summary=f"{capture.gateway} keeps {capture.fee}",
                lines=_moved(capture.fee, FEES, (clearing(capture.gateway), capture.fee)),
            )
        )
    return postings


def release_posting(before: Capture, after: Capture) -> Posting:
    """Return what a decision about held money enters: it leaves the held account."""
    return Posting(
        kind=EntryKind.RELEASE,
        source=f"release:{before.id}",
        summary=f"held {before.amount} is now {after.use}",
        lines=_moved(before.amount, HELD, *_credits(after)),
    )


def correction_postings(before: Capture, after: Capture) -> list[Posting]:
    """Return what a gateway's correction of held money enters: the old amount out, the new in."""
    account = clearing(before.gateway)
    undone = Posting(
        kind=EntryKind.RELEASE,
        source=f"corrected:{before.id}:{before.amount}:{after.amount}",
        summary=f"{before.gateway} corrected {before.amount} to {after.amount}",
        lines=_moved(before.amount, HELD, (account, before.amount)),
    )
    again = Posting(
        kind=EntryKind.CAPTURE,
        source=f"capture:{after.id}:{before.amount}:{after.amount}",
        summary=f"{after.gateway} took {after.amount} ({after.use})",
        lines=_moved(after.amount, account, *_credits(after)),
    )
    if before.fee is None or after.fee is not None or not before.fee.minor:
        return [undone, again]
    no_fee = Posting(
        kind=EntryKind.FEE,
        source=f"fee_corrected:{before.id}:{before.amount}:{after.amount}",
        summary=f"{before.gateway} keeps nothing of {before.amount}",
        lines=_moved(before.fee, account, (FEES, before.fee)),
    )
    return [undone, no_fee, again]


def refund_postings(refund: Refund, reference: str, fee: Money | None) -> list[Posting]:
    """Return what a refund enters once the payer has it.

    `reference`: of the attempt that succeeded. `fee`: what the gateway takes for it, if known.
    """
    account = SURPLUS if refund.purpose is RefundPurpose.SURPLUS else REVENUE
    postings = [
        Posting(
            kind=EntryKind.REFUND,
            source=f"refund:{reference}",
            summary=f"{refund.gateway} returned {refund.amount} ({refund.purpose})",
            lines=_moved(refund.amount, account, (clearing(refund.gateway), refund.amount)),
        )
    ]
    if fee is not None and fee.minor > 0:
        postings.append(
            Posting(
                kind=EntryKind.REFUND_FEE,
                source=f"refund_fee:{reference}",
                summary=f"{refund.gateway} took {fee} for the refund",
                lines=_moved(fee, FEES, (clearing(refund.gateway), fee)),
            )
        )
    return postings


def chargeback_posting(gateway: str, chargeback_id: str, amount: Money) -> Posting:
    """Return what a lost chargeback enters."""
    return Posting(
        kind=EntryKind.CHARGEBACK,
        source=f"chargeback:{gateway}:{chargeback_id}",
        summary=f"the payer's bank took {amount} back through {gateway}",
        lines=_moved(amount, CHARGEBACKS, (clearing(gateway), amount)),
    )


def settlement_posting(gateway: str, settlement_id: str, net: Money) -> Posting:
    """Return what a settlement enters: the gateway paid out what it owed."""
    return Posting(
        kind=EntryKind.SETTLEMENT,
        source=f"settlement:{gateway}:{settlement_id}",
        summary=f"{gateway} paid out {net}",
        lines=_moved(net, BANK, (clearing(gateway), net)),
    )


def _credits(capture: Capture) -> list[tuple[str, Money]]:
    """Return the accounts that hold a capture's money, by its use."""
    if capture.use is CaptureUse.HELD:
        return [(HELD, capture.amount)]
    return [(REVENUE, capture.needed), (SURPLUS, capture.amount - capture.needed)]


def _moved(amount: Money, debit: str, *credits_: tuple[str, Money]) -> tuple[Line, ...]:
    """Return the lines of one debit and its credits; sides of nothing are left out."""
    lines = [Line(account=debit, amount=amount)]
    lines += [Line(account=account, amount=part * -1) for account, part in credits_]
    return tuple(line for line in lines if line.amount.minor)
