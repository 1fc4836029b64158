"""Reads our books for a comparison, and asks about money that a gateway does not list."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import (
    BookedCapture,
    BookedRefund,
    Books,
    Break,
    Period,
    Subject,
    Transaction,
)
from services.payments.domain.refund_reports import RefundQuery
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_statement import require_room
from services.payments.ports import After, Work

_AT_ONCE = 1000
_KNOWN = frozenset({Answer.SUCCEEDED, Answer.PENDING, Answer.REQUIRES_ACTION, Answer.FAILED})

BookedT = TypeVar("BookedT", bound=BookedCapture | BookedRefund)


async def read_books(
    deps: Dependencies, gateway: str, statement: Sequence[Transaction], period: Period
) -> Books:
    """Read what a statement names, and what we date in the period.

    Raises `InvalidRequestError` when there is more than is held in memory.
    """
    books = await read_named(deps, gateway, statement)
    captures = {each.id: each for each in books.captures}
    refunds = {each.id: each for each in books.refunds}
    async for capture in _each(deps, _captures(gateway, period)):
        captures[capture.id] = capture
        require_room(len(captures))
    async for refund in _each(deps, _refunds(gateway, period)):
        refunds[refund.id] = refund
        require_room(len(refunds))
    return replace(books, captures=list(captures.values()), refunds=list(refunds.values()))


async def read_named(deps: Dependencies, gateway: str, statement: Sequence[Transaction]) -> Books:
    """Read what the rows of a statement name, whenever it was."""
    parts: list[Books] = []
    for rows in _batches(statement):
        async with deps.storage.work() as work:
            parts.append(await work.reconciliation.named(gateway, rows))
    return Books(
        attempts=list({each.id: each for part in parts for each in part.attempts}.values()),
        captures=list({each.id: each for part in parts for each in part.captures}.values()),
        refunds=list({each.id: each for part in parts for each in part.refunds}.values()),
    )


async def look_up_missing(deps: Dependencies, gateway: str, missing: Break) -> Transaction | None:
    """Ask about money that a gateway does not list; None when it does not know it either.

    A list by date leaves out what the gateway dates days apart.
    """
    if isinstance(missing.ours, BookedRefund):
        return await _look_up_refund(deps, gateway, missing.ours)
    if isinstance(missing.ours, BookedCapture):
        return await _look_up_charge(deps, gateway, missing.ours)
    return None


async def _look_up_charge(
    deps: Dependencies, gateway: str, ours: BookedCapture
) -> Transaction | None:
    async with deps.storage.work() as work:
        attempt = await work.attempts.by_reference(gateway, ours.reference)
    if attempt is None:
        return None
    # What was captured while the gateway named no transaction has our reference in its place.
    known = "" if ours.transaction_id == ours.reference else ours.transaction_id
    report = await deps.gateways.get_charge(replace(attempt, gateway_transaction_id=known))
    found = report.gateway_transaction_id or ours.transaction_id
    if report.answer not in _KNOWN or known not in ("", found):
        return None
    return Transaction(
        subject=Subject.CHARGE,
        answer=report.answer,
        transaction_id=found,
        reference=report.reference or ours.reference,
        amount=report.amount,
        at=None,
        fee=report.fee,
    )


async def _look_up_refund(
    deps: Dependencies, gateway: str, ours: BookedRefund
) -> Transaction | None:
    query = RefundQuery(
        reference=ours.reference,
        gateway_refund_id=ours.transaction_id,
        charge_transaction_id=ours.charge_transaction_id,
        amount=ours.amount,
    )
    report = await deps.gateways.get_refund(gateway, query)
    if report.answer not in _KNOWN:
        return None
    return Transaction(
        subject=Subject.REFUND,
        answer=report.answer,
        transaction_id=report.gateway_refund_id or ours.transaction_id or ours.reference,
        reference=ours.reference,
        amount=report.amount,
        at=ours.sent_at,
        charge_transaction_id=ours.charge_transaction_id,
    )


Reading = Callable[[Work, After | None], Awaitable[Sequence[BookedT]]]


def _captures(gateway: str, period: Period) -> Reading[BookedCapture]:
    return lambda work, after: work.reconciliation.captures_between(
        gateway, period, after, _AT_ONCE
    )


def _refunds(gateway: str, period: Period) -> Reading[BookedRefund]:
    return lambda work, after: work.reconciliation.refunds_between(gateway, period, after, _AT_ONCE)


async def _each(deps: Dependencies, read: Reading[BookedT]) -> AsyncIterator[BookedT]:
    """Yield the rows of a period page by page, each page in a unit of work of its own."""
    after: After | None = None
    while True:
        async with deps.storage.work() as work:
            page = await read(work, after)
        for row in page:
            yield row
        if len(page) < _AT_ONCE:
            return
        last = page[-1]
        at = last.captured_at if isinstance(last, BookedCapture) else last.sent_at
        after = After(at, last.id) if at is not None else None


def _batches(rows: Sequence[Transaction]) -> Iterator[list[Transaction]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch
