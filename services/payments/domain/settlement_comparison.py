"""Compares what a gateway paid out with what we captured: every line, then the sums. Pure."""

from dataclasses import replace
from datetime import timedelta

from kit.money import Money
from services.payments.domain.comparison import compare
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import (
    Books,
    Break,
    BreakKind,
    Comparison,
    Period,
    Settlement,
    Subject,
    Transaction,
)

_K = BreakKind
# A payout comes days after its charges, and not every capture of that moment is in it.
_NOT_ABOUT_MONEY = frozenset({_K.DAY_BOUNDARY, _K.MISSING_THERE})
_MOMENT = timedelta(microseconds=1)


def compare_settlement(settlement: Settlement, books: Books) -> Comparison:
    """Return where a payout and our books differ.

    `books`: what the lines name. With no break, the clearing account of what was settled is zero:
    every capture less its fee, less refunds and chargebacks, is what was paid out.
    """
    moment = Period(start=settlement.settled_at, end=settlement.settled_at + _MOMENT)
    # The payout has the last word about fees, so what it said before does not silence it.
    captures = [replace(each, settled=False) for each in books.captures]
    lines = compare(replace(books, captures=captures), lines_as_rows(settlement), moment)
    breaks = [
        replace(each, summary=f"in settlement {settlement.settlement_id}: {each.summary}")
        for each in lines.breaks
        if each.kind not in _NOT_ABOUT_MONEY
    ]
    gap = _gap(settlement, books)
    return Comparison(
        compared=lines.compared + 1, breaks=(*breaks, gap) if gap is not None else tuple(breaks)
    )


def lines_as_rows(settlement: Settlement) -> list[Transaction]:
    """Return the charges of a payout as rows of a statement, dated when it was paid out."""
    return [
        Transaction(
            subject=Subject.CHARGE,
            answer=Answer.SUCCEEDED,
            transaction_id=line.transaction_id,
            reference=line.reference,
            amount=line.gross,
            at=settlement.settled_at,
            fee=line.fee,
        )
        for line in settlement.lines
    ]


def _gap(settlement: Settlement, books: Books) -> Break | None:
    """Return how a payout contradicts itself, if it does; the gravest once.

    A charge whose own fee is finer than its currency counts with the fee that we have, if any.
    """
    currency = settlement.net.currency
    foreign = [line for line in settlement.lines if line.gross.currency != currency]
    if foreign:
        why = f"it pays {currency} for {len(foreign)} charges in another currency"
        return _of(settlement, _K.CURRENCY, why)
    nothing = Money(currency, 0)
    gross = sum((line.gross for line in settlement.lines), nothing)
    if gross != settlement.gross:
        why = f"its charges add up to {gross}, it says {settlement.gross}"
        return _of(settlement, _K.AMOUNT, f"{why}: it differs by {settlement.gross - gross}")
    booked = {each.transaction_id: each.fee for each in books.captures}
    fees = (line.fee or booked.get(line.transaction_id) for line in settlement.lines)
    kept = sum((fee or nothing for fee in fees), nothing)
    if kept != settlement.fees:
        why = f"its charges' fees add up to {kept}, it says {settlement.fees}"
        return _of(settlement, _K.FEE, f"{why}: it differs by {settlement.fees - kept}")
    owed = settlement.gross - settlement.fees - settlement.refunds - settlement.chargebacks
    if owed != settlement.net:
        why = f"it owed {owed} and paid out {settlement.net}"
        return _of(settlement, _K.AMOUNT, f"{why}: it differs by {settlement.net - owed}")
    return None


def _of(settlement: Settlement, kind: BreakKind, why: str) -> Break:
    return Break(
        kind=kind,
        subject=Subject.SETTLEMENT,
        transaction_id=settlement.settlement_id,
        reference="",
        summary=f"settlement {settlement.settlement_id}: {why}",
        at=settlement.settled_at,
    )
