"""How often members ask, as rows of rate_limits: one statement decides and counts."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.unit_of_work import transaction
from services.payments.ports.limits import Ask, Rate

# The generic cell rate algorithm (ITU-T I.371, annex A): `next_at` is when the next call would be
# on time. One may come early by `tolerance`; each admitted one moves `next_at` on by `interval`.
# The row's lock puts callers in a line, and the database's clock is the same for every replica.
_TAKE = text("""
INSERT INTO rate_limits AS held (bucket, user_id, next_at, last_request, admitted)
VALUES (:bucket, :user_id, statement_timestamp() + make_interval(secs => :interval), :request, true)
ON CONFLICT (bucket, user_id) DO UPDATE SET
    admitted =
        held.next_at <= statement_timestamp() + make_interval(secs => :tolerance)
        OR (:repeats_are_free AND held.last_request = excluded.last_request),
    next_at = CASE
        WHEN :repeats_are_free AND held.last_request = excluded.last_request THEN held.next_at
        WHEN held.next_at <= statement_timestamp() + make_interval(secs => :tolerance)
            THEN greatest(held.next_at, statement_timestamp()) + make_interval(secs => :interval)
        ELSE held.next_at
    END,
    last_request = CASE
        WHEN held.next_at <= statement_timestamp() + make_interval(secs => :tolerance)
            THEN excluded.last_request
        ELSE held.last_request
    END
RETURNING admitted, extract(epoch FROM next_at - statement_timestamp())::float8 AS ahead
""")


class PostgresRateLimits:
    """Implements the port `RateLimits`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, ask: Ask, rate: Rate) -> float:
        """Count a call; see `RateLimits.take`."""
        tolerance = rate.seconds * (rate.burst - 1)
        values = {
            "bucket": ask.bucket,
            "user_id": ask.user_id,
            "request": ask.request,
            "repeats_are_free": ask.repeats_are_free,
            "interval": rate.seconds,
            "tolerance": tolerance,
        }
        async with transaction(self._engine) as connection:
            row = (await connection.execute(_TAKE, values)).one()
        return 0.0 if row.admitted else max(float(row.ahead) - tolerance, 0.0)
