"""The twin of the attempts' table: one unsettled per payment, leases with fencing tokens."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from proofs.simulation.storage.leases import claim
from proofs.simulation.storage.rows import AttemptRow
from proofs.simulation.storage.unit import Unit
from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.errors import StaleWriteError
from services.payments.ports import EVERYTHING, Share


class TwinAttempts:
    """Implements the port `Attempts`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.attempts

    async def add(self, attempt: Attempt) -> None:
        """Store a new attempt; a second unsettled one of a payment is refused."""
        await self._unit.step(f"attempts.add {attempt.gateway} {attempt.reference}")
        await self._unit.require_unique(self._table, attempt.id, _clashes(attempt))
        self._unit.put(self._table, attempt.id, AttemptRow(attempt=attempt))

    async def of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts, oldest first."""
        await self._unit.step("attempts.of_payment")
        return self._of(payment_id)

    async def lock_of_payment(self, payment_id: UUID) -> Sequence[Attempt]:
        """Read a payment's attempts, oldest first, and hold their rows."""
        await self._unit.step("attempts.lock_of_payment")
        for attempt in self._of(payment_id):
            await self._unit.hold(self._table, attempt.id)
        return self._of(payment_id)

    async def by_reference(self, gateway: str, reference: str) -> Attempt | None:
        """Find the attempt that carries our reference at a gateway."""
        await self._unit.step("attempts.by_reference")
        return self._first(lambda each: (each.gateway, each.reference) == (gateway, reference))

    async def by_transaction_id(self, gateway: str, transaction_id: str) -> Attempt | None:
        """Find the attempt that a gateway knows by its own identifier."""
        await self._unit.step("attempts.by_transaction_id")
        wanted = (gateway, transaction_id)
        return self._first(lambda each: (each.gateway, each.gateway_transaction_id) == wanted)

    async def save(self, attempt: Attempt) -> None:
        """Store an attempt and release its lease, if nobody claimed it since it was read."""
        await self._unit.step(f"attempts.save {attempt.outcome}")
        await self._unit.hold(self._table, attempt.id)
        row = self._unit.get(self._table, attempt.id)
        if row is None or row.attempt.lease_token != attempt.lease_token:
            raise StaleWriteError(f"attempt {attempt.id} was claimed by another worker")
        if attempt.unsettled:
            await self._unit.require_unique(self._table, attempt.id, _clashes(attempt))
        self._unit.put(self._table, attempt.id, AttemptRow(attempt=_kept(attempt, row.attempt)))

    async def hasten(self, payment_id: UUID, now: datetime) -> None:
        """Make the checks of a payment's unsettled attempts due now; a lease that holds goes on."""
        await self._unit.step("attempts.hasten")

        def waits(attempt: Attempt) -> bool:
            due = attempt.next_check_at
            return attempt.unsettled and due is not None and due > now

        await self._make_due([each.id for each in self._of(payment_id) if waits(each)], waits, now)

    async def release_interrupted(self, sender: str, before: datetime, now: datetime) -> int:
        """Make what an earlier run of `sender` left in the air due now; return how many."""
        await self._unit.step("attempts.release_interrupted")

        def left(attempt: Attempt) -> bool:
            sending = attempt.outcome is AttemptOutcome.SENDING
            return sending and attempt.sender == sender and attempt.created_at < before

        rows = self._unit.rows(self._table)
        return await self._make_due([key for key, row in rows if left(row.attempt)], left, now)

    async def claim_due(
        self, now: datetime, lease: timedelta, limit: int, share: Share = EVERYTHING
    ) -> Sequence[Attempt]:
        """Lease due attempts: the raised lease token fences whoever held them before."""
        await self._unit.step("attempts.claim_due")
        claimed = claim(self._unit, self._table, share, now, now + lease)
        return [row.attempt for row in islice(claimed, limit)]

    async def _make_due(
        self, keys: Sequence[UUID], wanted: Callable[[Attempt], bool], now: datetime
    ) -> int:
        """Hold rows, and make due those that are still wanted once they are held."""
        count = 0
        for key in keys:
            await self._unit.hold(self._table, key)
            row = self._unit.get(self._table, key)
            if row is not None and wanted(row.attempt):
                due = replace(row.attempt, next_check_at=now)
                self._unit.put(self._table, key, replace(row, attempt=due))
                count += 1
        return count

    def _of(self, payment_id: UUID) -> list[Attempt]:
        rows = self._unit.rows(self._table)
        found = [row.attempt for _, row in rows if row.attempt.payment_id == payment_id]
        found.sort(key=lambda attempt: attempt.number)
        return found

    def _first(self, matches: Callable[[Attempt], bool]) -> Attempt | None:
        rows = self._unit.rows(self._table)
        return next((row.attempt for _, row in rows if matches(row.attempt)), None)


def _clashes(attempt: Attempt) -> Callable[[AttemptRow], bool]:
    """Return whether a unique index forbids a row beside an attempt."""

    def clashes(row: AttemptRow) -> bool:
        other = row.attempt
        same_payment = other.payment_id == attempt.payment_id
        return (
            (other.gateway, other.reference) == (attempt.gateway, attempt.reference)
            or (same_payment and other.number == attempt.number)
            or (same_payment and other.unsettled and attempt.unsettled)
        )

    return clashes


def _kept(attempt: Attempt, stored: Attempt) -> Attempt:
    """Return an attempt as it is stored: what it was made with never changes."""
    return replace(
        attempt,
        payment_id=stored.payment_id,
        number=stored.number,
        gateway=stored.gateway,
        reference=stored.reference,
        flow=stored.flow,
        amount=stored.amount,
        created_at=stored.created_at,
        round=stored.round,
    )
