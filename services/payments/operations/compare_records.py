"""One run of the reconciler: reads both sides, heals and records what differs, then settles."""

from collections.abc import Sequence
from dataclasses import replace

from kit.logs import get_logger
from services.payments.domain.comparison import compare
from services.payments.domain.ledger import EntryKind, JournalEntry, settlement_posting
from services.payments.domain.reconciliation import (
    BookedCapture,
    Break,
    BreakKind,
    BreakStatus,
    Comparison,
    Run,
    RunResult,
    Settlement,
    Subject,
    Transaction,
)
from services.payments.domain.settlement_comparison import compare_settlement, lines_as_rows
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.heal_break import heal_break
from services.payments.operations.read_books import look_up_missing, read_books, read_named
from services.payments.operations.read_statement import read_settlements, read_statement
from services.payments.ports import FoundBreak

_log = get_logger(__name__)

# Look-ups of money that a gateway does not list; more than that is no matter of dates.
_MOST_LOOK_UPS = 200
# Undecided refunds and chargebacks of other days that one run reads again.
_MOST_FOLLOWED = 20


async def compare_records(deps: Dependencies, run: Run) -> RunResult:
    """Compare a gateway's record of a period with ours; return what was found.

    Each of its two lists is read to its end before anything is done about it. Raises `ServiceError`
    as `read_statement` does, and when the database is away; what was healed before stays so.
    """
    async with deps.storage.work() as work:
        undecided = await work.reconciliation.undecided(run.gateway, _MOST_FOLLOWED)
    elsewhere = [each.at for each in undecided]
    statement = await read_statement(deps, run.gateway, run.period, elsewhere)
    found = _Findings(deps, run)
    await found.add(await _compare(deps, run, statement))
    # Money is looked after even while the payouts cannot be read.
    for settlement in await read_settlements(deps, run.gateway, run.period):
        await _import(deps, run, settlement)
        books = await read_named(deps, run.gateway, lines_as_rows(settlement))
        await found.add(compare_settlement(settlement, books))
    async with deps.storage.work() as work:
        followed = [each.id for each in undecided]
        await work.reconciliation.heal_gone(run, followed, deps.clock.now())
    return found.result


async def _compare(deps: Dependencies, run: Run, statement: Sequence[Transaction]) -> Comparison:
    """Compare, having asked about money of ours that the gateway does not list."""
    books = await read_books(deps, run.gateway, statement, run.period)
    comparison = compare(books, statement, run.period)
    missing = [each for each in comparison.breaks if each.kind is BreakKind.MISSING_THERE]
    known: list[Transaction] = []
    for each in missing[:_MOST_LOOK_UPS]:
        row = await look_up_missing(deps, run.gateway, each)
        if row is not None:
            known.append(row)
    return compare(books, [*statement, *known], run.period) if known else comparison


async def _import(deps: Dependencies, run: Run, settlement: Settlement) -> None:
    """Store a settlement once, and enter it in the journal: the gateway paid out what it owed."""
    now = deps.clock.now()
    posting = settlement_posting(run.gateway, settlement.settlement_id, settlement.net)
    async with deps.storage.work() as work:
        new = await work.reconciliation.add_settlement(
            deps.ids.new_id(), run.gateway, settlement, now
        )
        if new and posting.lines:
            entry = JournalEntry(
                id=deps.ids.new_id(),
                kind=EntryKind.SETTLEMENT,
                source=posting.source,
                summary=posting.summary,
                at=now,
                lines=posting.lines,
            )
            await work.ledger.post([entry])


class _Findings:
    """What a run found so far: every break worked on and recorded once."""

    def __init__(self, deps: Dependencies, run: Run) -> None:
        self._deps = deps
        self._run = run
        self._seen: set[tuple[BreakKind, Subject, str]] = set()
        self._open: set[tuple[Subject, str]] = set()
        self.result = RunResult(run_id=run.id, compared=0, breaks=0, healed=0)

    async def add(self, comparison: Comparison) -> None:
        """Take up what a comparison found.

        What the statement and a settlement both say has one cause, and so has what a settlement
        says about a charge that is open already.
        """
        self.result = replace(self.result, compared=self.result.compared + comparison.compared)
        for each in comparison.breaks:
            about = (each.subject, each.transaction_id)
            if (each.kind, *about) in self._seen or about in self._open:
                continue
            if not await self._is_vouched_for(each):
                await self._take_up(each)

    async def _is_vouched_for(self, found: Break) -> bool:
        """Whether staff gave a callback under a foreign reference to the payment that has it."""
        row, ours = found.theirs, found.ours
        if found.kind is not BreakKind.WRONG_REFERENCE or not isinstance(ours, BookedCapture):
            return False
        async with self._deps.storage.work() as work:
            return row is not None and await work.reconciliation.is_attributed(
                self._run.gateway, row.reference, ours.payment_id
            )

    async def _take_up(self, found: Break) -> None:
        healing = await heal_break(self._deps, self._run.gateway, found)
        summary = f"{found.summary}; {healing.why}" if healing.why else found.summary
        stands = FoundBreak(
            id=self._deps.ids.new_id(),
            found=replace(found, summary=summary),
            status=healing.status,
            at=self._deps.clock.now(),
        )
        async with self._deps.storage.work() as work:
            newly_open = await work.reconciliation.record(self._run, stands)
        if newly_open:
            _raise_alert(self._run.gateway, stands)
        about = (found.subject, found.transaction_id)
        self._seen.add((found.kind, *about))
        if healing.status is BreakStatus.OPEN:
            self._open.add(about)
        self.result = replace(
            self.result,
            breaks=self.result.breaks + 1,
            healed=self.result.healed + (healing.status is BreakStatus.HEALED),
        )


def _raise_alert(gateway: str, stands: FoundBreak) -> None:
    found = stands.found
    _log.error(
        "reconciliation_break",
        gateway=gateway,
        kind=found.kind,
        subject=found.subject,
        gateway_transaction_id=found.transaction_id,
        reference=found.reference,
        summary=found.summary,
        payment_id=str(found.payment_id or ""),
        alert=True,
    )
