"""Gateways that also list what they recorded, and what a test finds in the reconciler's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from kit.money import Money
from services.payments.domain.captures import Capture
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.reconciliation import (
    Period,
    RunResult,
    Settlement,
    SettlementLine,
    StoredBreak,
    Subject,
    Transaction,
)
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_reconciliation import list_breaks
from services.payments.operations.run_reconciliation import (
    RunReconciliationCommand,
    run_reconciliation,
)
from services.payments.ports import (
    BreakFilter,
    Capability,
    NotListed,
    SettlementPage,
    TransactionPage,
)
from tests.operations.fakes import ScriptedGateways
from tests.operations.suite import Suite
from tests.operations.witness import Witness
from tests.unit.factories import NOW

MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
TODAY = Period(start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1))
NOTHING = Money("UGX", 0)

RowT = TypeVar("RowT", Transaction, Settlement)


class ListingGateways(ScriptedGateways):
    """Scripted gateways with a statement: the same rows at every gateway, a few on a page.

    `unread`: page tokens whose page cannot be read. `windows`: the periods that were asked for.
    `lists_settlements`: whether there is such a list at all.
    """

    def __init__(self, offers: Mapping[str, Sequence[Capability]], witness: Witness) -> None:
        super().__init__(offers, witness)
        self.rows: list[Transaction] = []
        self.payouts: list[Settlement] = []
        self.windows: list[Period] = []
        self.unread: set[str] = set()
        self.lists_settlements = True
        self.page_size = 2

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        if not page_token:
            self.windows.append(period)
        if page_token in self.unread:
            return NotListed(detail=f"{gateway} hangs")
        rows = [row for row in self.rows if period.contains(row.at)]
        page, token = self._page(rows, page_token)
        return TransactionPage(transactions=page, next_page_token=token)

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        if not self.lists_settlements or f"settlements:{page_token}" in self.unread:
            return NotListed(detail=gateway, offered=self.lists_settlements)
        paid = [each for each in self.payouts if period.contains(each.settled_at)]
        page, token = self._page(paid, page_token)
        return SettlementPage(settlements=page, next_page_token=token)

    def _page(self, rows: Sequence[RowT], token: str) -> tuple[Sequence[RowT], str]:
        first = int(token or "0")
        last = first + self.page_size
        return rows[first:last], str(last) if last < len(rows) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The reconciler at work on a suite's database."""

    suite: Suite
    lists: ListingGateways

    @property
    def deps(self) -> Dependencies:
        return self.suite.deps

    async def run(
        self, key: str = "run-1", period: Period = TODAY, gateway: str = "eversend"
    ) -> RunResult:
        """Reconcile."""
        command = RunReconciliationCommand(gateway=gateway, period=period, idempotency_key=key)
        return await run_reconciliation(self.deps, command)

    async def breaks(self, **wanted: Any) -> Sequence[StoredBreak]:
        """Read the breaks on record, newest first."""
        return await list_breaks(self.deps, BreakFilter(**wanted), 100)

    async def found(self) -> list[tuple[str, str]]:
        """Return kind and status of every break on record."""
        return [(str(each.kind), str(each.status)) for each in await self.breaks()]

    async def lists_sale(self, payment: Payment, **changes: Any) -> Transaction:
        """Let the gateway list what it took for a payment's newest capture."""
        capture = (await self.suite.captures(payment.id))[-1]
        attempt = next(
            each for each in await self.suite.attempts(payment.id) if each.id == capture.attempt_id
        )
        row = replace(row_of(capture), reference=attempt.reference)
        self.lists.rows.append(row := replace(row, **changes))
        return row


def row_of(capture: Capture) -> Transaction:
    """Return what the gateway lists about money that it took."""
    return Transaction(
        subject=Subject.CHARGE,
        answer=Answer.SUCCEEDED,
        transaction_id=capture.gateway_transaction_id,
        reference="",
        amount=capture.amount,
        at=capture.captured_at,
        fee=capture.fee,
    )


def return_row(subject: Subject, charge: Transaction, number: str, **changes: Any) -> Transaction:
    """Return what the gateway lists about a refund or chargeback of all that a charge took."""
    row = replace(
        charge,
        subject=subject,
        transaction_id=number,
        fee=None,
        charge_transaction_id=charge.transaction_id,
    )
    return replace(row, **changes)


def settlement(number: str, lines: Sequence[SettlementLine], **changes: Any) -> Settlement:
    """Return a payout of charges that adds up, unless `changes` say otherwise."""
    gross = sum((line.gross for line in lines), NOTHING)
    fees = sum((line.fee for line in lines if line.fee), NOTHING)
    settlement_ = Settlement(
        settlement_id=number,
        net=gross - fees,
        gross=gross,
        fees=fees,
        refunds=NOTHING,
        chargebacks=NOTHING,
        settled_at=NOW,
        lines=lines,
    )
    return replace(settlement_, **changes)


def line_of(row: Transaction, **changes: Any) -> SettlementLine:
    """Return the line of a payout about a charge."""
    assert row.amount is not None
    line = SettlementLine(
        transaction_id=row.transaction_id,
        reference=row.reference,
        gross=row.amount,
        fee=row.fee,
    )
    return replace(line, **changes)


def at_noon(days: int = 0) -> datetime:
    """Return noon of today, or of a day so many days later."""
    return MIDNIGHT + timedelta(days=days, hours=12)
