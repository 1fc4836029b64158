"""Compares a gateway's statement with our books, row by row. Pure: same rows, same breaks.

Every cause has one break. A row that differs in several ways has the gravest, because the others
follow from it: a fee differs where the amount does.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from services.payments.domain.attempts import AttemptOutcome, Flow
from services.payments.domain.breaks import differs, only_here, only_there
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import (
    BookedAttempt,
    BookedCapture,
    Books,
    Break,
    BreakKind,
    Comparison,
    Period,
    Subject,
    Transaction,
)
from services.payments.domain.return_comparison import compare_chargebacks, compare_refunds

_K = BreakKind
_EVER = datetime.max.replace(tzinfo=UTC)
_UNDECIDED = frozenset({Answer.PENDING, Answer.REQUIRES_ACTION})
# We told the member that nothing was taken.
_GIVEN_UP = frozenset({AttemptOutcome.REJECTED, AttemptOutcome.CANCELLED, AttemptOutcome.EXPIRED})


def compare(books: Books, statement: Sequence[Transaction], period: Period) -> Comparison:
    """Return where our books and the gateway's statement differ in a period.

    `statement`: read a day wider than the period on both sides, so that what one side dates across
    midnight is not missing; a row that came twice counts once, as it came last. `books`: what the
    statement names, and what we date in the period.
    """
    rows: dict[Subject, dict[str, Transaction]] = defaultdict(dict)
    for row in statement:
        rows[row.subject][row.transaction_id] = row
    charges = _Charges(books, list(rows[Subject.CHARGE].values()), period).compared()
    refunds = compare_refunds(books, list(rows[Subject.REFUND].values()), period)
    chargebacks = compare_chargebacks(books, list(rows[Subject.CHARGEBACK].values()))
    return charges + refunds + chargebacks


class _Charges:
    """Compares the money that came in."""

    def __init__(self, books: Books, rows: Sequence[Transaction], period: Period) -> None:
        self._rows = sorted(rows, key=lambda row: (row.at or _EVER, row.transaction_id))
        self._period = period
        self._listed = {row.transaction_id for row in rows}
        self._attempts = {each.reference: each for each in books.attempts}
        self._attempts_by_id = {
            each.transaction_id: each for each in books.attempts if each.transaction_id
        }
        self._captures = {each.transaction_id: each for each in books.captures}
        self._captures_under: dict[str, list[BookedCapture]] = defaultdict(list)
        for capture in self._captures.values():
            self._captures_under[capture.reference].append(capture)
        self._matched: set[str] = set()
        self._late: set[str] = set()
        # What the gateway lists under the reference of a capture that it does not list, by the
        # capture's transaction: one cause, told with what is missing.
        self._instead: dict[str, Transaction] = {}
        self._count = 0

    def compared(self) -> Comparison:
        """Return every difference."""
        breaks = [each for row in self._rows if (each := self._of_row(row)) is not None]
        breaks += self._missing_there()
        return Comparison(compared=self._count, breaks=tuple(breaks))

    def _of_row(self, row: Transaction) -> Break | None:
        capture = self._capture_of(row)
        booked_here = capture is not None and self._period.contains(capture.captured_at)
        if not booked_here and not self._period.contains(row.at):
            # The day before or after; its own run compares it.
            return None
        self._count += 1
        if capture is not None:
            return _compare_pair(row, capture, self._period)
        attempt = self._attempts.get(row.reference)
        if row.answer is Answer.SUCCEEDED:
            return self._unbooked(row, attempt)
        return self._unpaid(row, attempt) if attempt is not None else None

    def _capture_of(self, row: Transaction) -> BookedCapture | None:
        """Find a row's capture; where the gateway named no transaction, it has our reference."""
        capture = self._captures.get(row.transaction_id) or self._captures.get(row.reference)
        if capture is not None:
            self._matched.add(capture.transaction_id)
        return capture

    def _unpaid(self, row: Transaction, attempt: BookedAttempt) -> Break | None:
        """Say whether a row without money speaks against what we told the member."""
        if row.answer not in _UNDECIDED or not _is_given_up(attempt):
            return None
        why = f"the gateway says {row.answer}, our attempt is {attempt.outcome}"
        return differs(_K.STATUS, row, attempt, why)

    def _unbooked(self, row: Transaction, attempt: BookedAttempt | None) -> Break | None:
        """Say what a success is that is not in our books."""
        if attempt is None:
            return self._under_another_name(row)
        earlier = self._captures_under.get(row.reference, [])
        unlisted = next((each for each in earlier if self._is_missing(each)), None)
        if unlisted is not None:
            self._instead[unlisted.transaction_id] = row
            return None
        if earlier or row.reference in self._late:
            why = f"a second success under one reference: the gateway took another {row.amount}"
            return differs(_K.DUPLICATE, row, attempt, why)
        self._late.add(row.reference)
        why = f"the gateway took {row.amount}, our attempt is {attempt.outcome} and has no money"
        return differs(_K.LATE, row, attempt, why)

    def _under_another_name(self, row: Transaction) -> Break:
        attempt = self._attempts_by_id.get(row.transaction_id)
        if attempt is None:
            name = f"reference {row.reference}" if row.reference else "no reference"
            why = f"the gateway took {row.amount} under {name}, which is none of ours"
            return only_there(_K.MISSING_HERE, row, why)
        why = f"the gateway has reference {row.reference or 'none'}, we have {attempt.reference}"
        return differs(_K.WRONG_REFERENCE, row, attempt, why)

    def _is_missing(self, capture: BookedCapture) -> bool:
        """Whether the gateway should list a capture and does not, nor anything in its stead yet."""
        return (
            capture.transaction_id not in self._listed
            and capture.transaction_id not in self._instead
            and self._period.contains(capture.captured_at)
        )

    def _missing_there(self) -> Iterator[Break]:
        for capture in self._captures.values():
            at = capture.captured_at
            if capture.transaction_id in self._matched or not self._period.contains(at):
                continue
            self._count += 1
            why = f"we have {capture.amount}, the gateway lists no such transaction"
            other = self._instead.get(capture.transaction_id)
            if other is not None:
                why += f", but {other.transaction_id} of {other.amount} under the same reference"
            yield only_here(capture, at, why)


def _is_given_up(attempt: BookedAttempt) -> bool:
    """Whether we count on no money from an attempt.

    A page that nobody was shown is left out: nobody can pay on it, whatever the gateway calls it.
    """
    absent = attempt.outcome is AttemptOutcome.UNDELIVERED and attempt.flow is Flow.PROMPT
    return attempt.outcome in _GIVEN_UP or absent


def _compare_pair(row: Transaction, capture: BookedCapture, period: Period) -> Break | None:
    """Return how a charge and its capture differ, if they do."""
    difference = (
        _other_identity(row, capture)
        or _other_money(row, capture)
        or _other_day(row, capture, period)
    )
    return differs(difference[0], row, capture, difference[1]) if difference else None


def _other_identity(row: Transaction, capture: BookedCapture) -> tuple[BreakKind, str] | None:
    if row.answer is not Answer.SUCCEEDED:
        return _K.STATUS, f"the gateway says {row.answer}, we have {capture.amount}"
    if row.reference not in ("", capture.reference):
        why = f"the gateway has reference {row.reference}, we have {capture.reference}"
        return _K.WRONG_REFERENCE, why
    return None


def _other_money(row: Transaction, capture: BookedCapture) -> tuple[BreakKind, str] | None:
    took, booked = row.amount, capture.amount
    if took is not None and took != booked:
        why = f"the gateway took {took}, we have {booked}"
        if took.currency != booked.currency:
            return _K.CURRENCY, why
        return _K.AMOUNT, f"{why}: it differs by {took - booked}"
    if row.fee not in (None, capture.fee) and not capture.settled:
        known = capture.fee or "no fee yet"
        return _K.FEE, f"the gateway keeps {row.fee} of {booked}, we have {known}"
    return None


def _other_day(
    row: Transaction, capture: BookedCapture, period: Period
) -> tuple[BreakKind, str] | None:
    if period.contains(row.at) is period.contains(capture.captured_at):
        return None
    ours = f"{capture.captured_at:%Y-%m-%d %H:%M} (UTC)"
    why = f"the gateway lists it nowhere near the period and knows it when asked, we date it {ours}"
    if row.at is not None:
        why = f"the gateway dates it {row.at:%Y-%m-%d %H:%M}, we {ours}"
    return _K.DAY_BOUNDARY, why
