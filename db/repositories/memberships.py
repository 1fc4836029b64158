"""What members have, as rows of memberships."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import memberships as table
from services.payments.domain.membership import Membership, MembershipStatus
from services.payments.domain.payment import BillingCycle


class MembershipRepository:
    """Implements the port `Memberships`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, user_id: str) -> Membership:
        """Read a membership; a member who never paid has the free tier."""
        statement = select(table).where(table.c.user_id == user_id)
        row = (await self._connection.execute(statement)).first()
        if row is None:
            return Membership(user_id=user_id)
        return Membership(
            user_id=row.user_id,
            tier=row.tier,
            status=MembershipStatus(row.status),
            billing_cycle=BillingCycle(row.billing_cycle) if row.billing_cycle else None,
            period_start=row.current_period_start,
            period_end=row.current_period_end,
            payment_id=row.payment_id,
        )

    async def lock(self, user_id: str) -> Membership:
        """Read a membership and hold it, also when there is no row yet to hold."""
        key = func.hashtextextended(f"membership:{user_id}", 0)
        await self._connection.execute(select(func.pg_advisory_xact_lock(key)))
        return await self.get(user_id)

    async def save(self, membership: Membership, at: datetime) -> None:
        """Store what the member has from now on."""
        cycle = membership.billing_cycle
        values = {
            "tier": membership.tier,
            "status": membership.status.value,
            "billing_cycle": cycle.value if cycle else None,
            "current_period_start": membership.period_start,
            "current_period_end": membership.period_end,
            "payment_id": membership.payment_id,
            "updated_at": at,
        }
        statement = (
            insert(table)
            .values(user_id=membership.user_id, **values)
            .on_conflict_do_update(index_elements=[table.c.user_id], set_=values)
        )
        await self._connection.execute(statement)
