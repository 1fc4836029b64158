"""The twin of the idempotency keys' table."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from proofs.simulation.storage.unit import Unit
from services.payments.ports import IdempotencyRecord, IdempotencyScope


class TwinKeys:
    """Implements the port `IdempotencyKeys`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.keys

    async def get(self, scope: IdempotencyScope) -> IdempotencyRecord | None:
        """Read a key."""
        await self._unit.step("keys.get")
        return self._unit.get(self._table, scope)

    async def add(self, record: IdempotencyRecord, at: datetime) -> bool:  # noqa: ARG002 - its age is for cleaning up
        """Store a key; False when it is already there."""
        await self._unit.step(f"keys.add {record.scope.key}")
        await self._unit.hold(self._table, record.scope)
        if self._unit.get(self._table, record.scope) is not None:
            return False
        self._unit.put(self._table, record.scope, replace(record, response=None))
        return True

    async def finish(self, scope: IdempotencyScope, payment_id: UUID, response: bytes) -> None:
        """Store the answer of a key, unless it has one: the first answer stays the answer."""
        await self._unit.step("keys.finish")
        await self._unit.hold(self._table, scope)
        record = self._unit.get(self._table, scope)
        if record is not None and record.response is None:
            finished = replace(record, payment_id=payment_id, response=response)
            self._unit.put(self._table, scope, finished)

    async def forget(self, scope: IdempotencyScope) -> None:
        """Remove a key whose request was refused, so that it may be used again."""
        await self._unit.step("keys.forget")
        await self._unit.hold(self._table, scope)
        self._unit.put(self._table, scope, None)
