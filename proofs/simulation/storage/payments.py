"""The twin of the payments' table, with its guard."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from proofs.simulation.storage.database import ConstraintViolationError
from proofs.simulation.storage.unit import Unit
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import Payment
from services.payments.domain.states import (
    KEPT_STATUSES,
    OPEN_STATUSES,
    TRANSITIONS,
    PaymentStatus,
)
from services.payments.ports import PaymentFilter


class TwinPayments:
    """Implements the port `Payments`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.payments

    async def add(self, payment: Payment) -> bool:
        """Store a new payment; False when the member has an open one for the same thing."""
        await self._unit.step("payments.add")
        if payment.status is not PaymentStatus.PENDING:
            raise ConstraintViolationError("a payment begins as pending")
        if await self._unit.conflicting(self._table, payment.id, _open_like(payment)) is not None:
            return False
        self._unit.put(self._table, payment.id, payment)
        return True

    async def get(self, payment_id: UUID) -> Payment | None:
        """Read a payment."""
        await self._unit.step("payments.get")
        return self._unit.get(self._table, payment_id)

    async def lock(self, payment_id: UUID) -> Payment:
        """Read a payment and hold its row. Raises `LookupError` when there is none."""
        await self._unit.step("payments.lock")
        await self._unit.hold(self._table, payment_id)
        payment = self._unit.get(self._table, payment_id)
        if payment is None:
            raise LookupError(f"there is no payment {payment_id}")
        return payment

    async def save(self, payment: Payment, previous: Payment) -> None:
        """Store the next version, if the row still is `previous`."""
        await self._unit.step(f"payments.save {payment.status}")
        await self._unit.hold(self._table, payment.id)
        stored = self._unit.get(self._table, payment.id)
        if (
            stored is None
            or stored.version != previous.version
            or stored.status is not previous.status
        ):
            raise StaleWriteError(f"payment {payment.id} is no longer version {previous.version}")
        _guard(payment, stored)
        if payment.status in OPEN_STATUSES:
            await self._unit.require_unique(self._table, payment.id, _open_like(payment))
        self._unit.put(self._table, payment.id, payment)

    async def open_for(self, user_id: str, tier: str, billing_cycle: str) -> Payment | None:
        """Read the member's open payment for a tier and billing cycle."""
        await self._unit.step("payments.open_for")
        wanted = (user_id, tier, billing_cycle)
        return next(
            (
                payment
                for _, payment in self._unit.rows(self._table)
                if payment.status in OPEN_STATUSES and bought_by(payment) == wanted
            ),
            None,
        )

    async def bought_after(self, user_id: str, since: datetime, other_than: UUID) -> bool:
        """Whether the member began another payment after `since` and its money was kept."""
        await self._unit.step("payments.bought_after")
        return any(
            payment.user_id == user_id
            and payment.id != other_than
            and payment.created_at > since
            and payment.status in KEPT_STATUSES
            for _, payment in self._unit.rows(self._table)
        )

    async def page(self, wanted: PaymentFilter, limit: int) -> Sequence[Payment]:
        """Read payments, newest first; the keyset is (created_at, id)."""
        await self._unit.step("payments.page")
        found = [
            payment for _, payment in self._unit.rows(self._table) if _matches(payment, wanted)
        ]
        found.sort(key=lambda payment: (payment.created_at, payment.id), reverse=True)
        return found[:limit]


def bought_by(payment: Payment) -> tuple[str, str, str]:
    """Return the member and what they buy: of this, they have one open payment."""
    purchase = payment.purchase
    return purchase.user_id, purchase.tier, purchase.billing_cycle.value


def _open_like(payment: Payment) -> Callable[[Payment], bool]:
    """Return whether a row is an open payment of the same member for the same thing."""
    wanted = bought_by(payment)
    return lambda row: row.status in OPEN_STATUSES and bought_by(row) == wanted


def _guard(payment: Payment, stored: Payment) -> None:
    """Refuse what the database's trigger refuses."""
    moved = payment.status is not stored.status
    if moved and payment.status not in TRANSITIONS[stored.status]:
        raise ConstraintViolationError(f"illegal transition {stored.status} -> {payment.status}")
    if payment.version < stored.version or (moved and payment.version == stored.version):
        raise ConstraintViolationError("a version never shrinks, and a transition is a new one")
    if _unchanging(payment) != _unchanging(stored):
        raise ConstraintViolationError("what was bought, by whom and for how much never changes")
    if payment.status is PaymentStatus.COMPLETED and payment.completed_at is None:
        raise ConstraintViolationError("a completed payment has a time of completion")
    if not 0 <= payment.refunded_minor <= payment.amount.minor:
        raise ConstraintViolationError("no more goes back than was paid")


def _unchanging(payment: Payment) -> tuple[object, ...]:
    """Return what a retry, which may choose another way to pay, leaves as it is."""
    return (*bought_by(payment), payment.amount, payment.created_at)


def _matches(payment: Payment, wanted: PaymentFilter) -> bool:
    return (
        wanted.user_id in (None, payment.user_id)
        and wanted.status in (None, payment.status)
        and wanted.gateway in (None, payment.gateway)
        and (wanted.created_from is None or payment.created_at >= wanted.created_from)
        and (wanted.created_before is None or payment.created_at < wanted.created_before)
        and (wanted.before is None or (payment.created_at, payment.id) < wanted.before)
    )
