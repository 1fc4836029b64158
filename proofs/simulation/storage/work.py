"""The twin of the unit of work: the port's repositories over one open `Unit`."""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NoReturn, cast

from proofs.simulation.storage.attempts import TwinAttempts
from proofs.simulation.storage.captures import TwinCaptures
from proofs.simulation.storage.conditions import CALM, Conditions
from proofs.simulation.storage.database import Database
from proofs.simulation.storage.events import TwinEvents
from proofs.simulation.storage.keys import TwinKeys
from proofs.simulation.storage.ledger import TwinLedger
from proofs.simulation.storage.memberships import TwinMemberships
from proofs.simulation.storage.payments import TwinPayments
from proofs.simulation.storage.records import TwinAudit, TwinOutbox, TwinPrices
from proofs.simulation.storage.refund_attempts import TwinRefundAttempts
from proofs.simulation.storage.refunds import TwinRefunds
from proofs.simulation.storage.unit import Unit
from services.payments.ports import (
    Attempts,
    AuditTrail,
    Captures,
    GatewayEvents,
    IdempotencyKeys,
    Ledger,
    Memberships,
    Outbox,
    Payments,
    Prices,
    Reconciliation,
    RefundAttempts,
    Refunds,
    Work,
)


class NotSimulatedError(LookupError):
    """A part of the store that the twin does not have."""


class _Missing:
    def __getattr__(self, name: str) -> NoReturn:
        raise NotSimulatedError(f"the twin has no {name}")


_NOT_SIMULATED = cast("Reconciliation", _Missing())


class TwinWork:
    """The repositories of one open unit of work."""

    def __init__(self, unit: Unit) -> None:
        self.payments: Payments = TwinPayments(unit)
        self.attempts: Attempts = TwinAttempts(unit)
        self.events: GatewayEvents = TwinEvents(unit)
        self.audit: AuditTrail = TwinAudit(unit)
        self.memberships: Memberships = TwinMemberships(unit)
        self.keys: IdempotencyKeys = TwinKeys(unit)
        self.outbox: Outbox = TwinOutbox(unit)
        self.prices: Prices = TwinPrices(unit)
        self.captures: Captures = TwinCaptures(unit)
        self.refunds: Refunds = TwinRefunds(unit)
        self.refund_attempts: RefundAttempts = TwinRefundAttempts(unit)
        self.ledger: Ledger = TwinLedger(unit)

        # Nobody reconciles here: the gateways' own books are read instead.
        self.reconciliation: Reconciliation = _NOT_SIMULATED


class TwinStorage:
    """Implements the port `Storage` for one process."""

    def __init__(
        self, database: Database, conditions: Conditions = CALM, owner: object = None
    ) -> None:
        self._database = database
        self._conditions = conditions
        self._owner = owner

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work: it commits when the block ends and rolls back when it raises."""
        return _OpenUnit(Unit(self._database, self._conditions, self._owner))


class _OpenUnit:
    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def __aenter__(self) -> Work:
        await self._unit.begin()
        return TwinWork(self._unit)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._unit.roll_back()
            return
        await self._unit.commit()
