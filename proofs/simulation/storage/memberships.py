"""The twin of the memberships' table."""

from datetime import datetime

from proofs.simulation.storage.unit import Unit
from services.payments.domain.membership import Membership


class TwinMemberships:
    """Implements the port `Memberships`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._table = unit.database.memberships

    async def get(self, user_id: str) -> Membership:
        """Read a membership; a member who never paid has the free tier."""
        await self._unit.step("memberships.get")
        return self._unit.get(self._table, user_id) or Membership(user_id=user_id)

    async def lock(self, user_id: str) -> Membership:
        """Read a membership and hold it, also when there is no row yet to hold."""
        await self._unit.step("memberships.lock")
        await self._unit.hold(self._unit.database.members, user_id)
        return self._unit.get(self._table, user_id) or Membership(user_id=user_id)

    async def save(self, membership: Membership, at: datetime) -> None:  # noqa: ARG002 - when it changed is for people
        """Store what the member has from now on."""
        await self._unit.step(f"memberships.save {membership.tier}")
        await self._unit.hold(self._table, membership.user_id)
        self._unit.put(self._table, membership.user_id, membership)
