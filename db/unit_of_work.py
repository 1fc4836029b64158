"""One transaction with every repository in it, and the database's failures as typed errors."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.repositories.attempts import AttemptRepository
from db.repositories.audit import AuditRepository
from db.repositories.captures import CaptureRepository
from db.repositories.events import EventRepository
from db.repositories.idempotency import IdempotencyRepository
from db.repositories.ledger import LedgerRepository
from db.repositories.memberships import MembershipRepository
from db.repositories.outbox import OutboxRepository
from db.repositories.payments import PaymentRepository
from db.repositories.prices import PriceRepository
from db.repositories.reconciliation import ReconciliationRepository
from db.repositories.refunds import RefundAttemptRepository, RefundRepository
from kit.logs import get_logger
from services.payments.domain.errors import CommitUnknownError, storage_unavailable
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

_log = get_logger(__name__)

# SQLSTATE classes that say "not now" rather than "never": connection, deadlock, resources, locks,
# operator.
_PASSING_CLASSES = ("08", "40", "53", "55", "57")


class PostgresWork:
    """The repositories of one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.payments: Payments = PaymentRepository(connection)
        self.attempts: Attempts = AttemptRepository(connection)
        self.events: GatewayEvents = EventRepository(connection)
        self.audit: AuditTrail = AuditRepository(connection)
        self.memberships: Memberships = MembershipRepository(connection)
        self.keys: IdempotencyKeys = IdempotencyRepository(connection)
        self.outbox: Outbox = OutboxRepository(connection)
        self.prices: Prices = PriceRepository(connection)
        self.captures: Captures = CaptureRepository(connection)
        self.refunds: Refunds = RefundRepository(connection)
        self.refund_attempts: RefundAttempts = RefundAttemptRepository(connection)
        self.ledger: Ledger = LedgerRepository(connection)
        self.reconciliation: Reconciliation = ReconciliationRepository(connection)


class PostgresStorage:
    """Units of work on one connection pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work: it commits when the block ends and rolls back when it raises.

        Raises `ServiceError` (UNAVAILABLE) when the database is away, and `CommitUnknownError`
        when the connection broke during the commit: an error there does not mean "not committed".
        """
        return _unit_of_work(self._engine)

    async def reachable(self) -> bool:
        """Whether the database answers at all."""
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except (DBAPIError, OSError, PoolTimeoutError):
            return False
        return True


@asynccontextmanager
async def _unit_of_work(engine: AsyncEngine) -> AsyncIterator[Work]:
    async with transaction(engine) as connection:
        yield PostgresWork(connection)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction: it commits when the block ends and rolls back when it raises.

    Raises as `PostgresStorage.work` does.
    """
    connection = await _connect(engine)
    try:
        try:
            yield connection
        except (DBAPIError, TimeoutError) as error:
            raise _explained(error) from error
        await _commit(connection)
    except BaseException:
        await _roll_back(connection)
        raise
    finally:
        await connection.close()


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except (DBAPIError, OSError, PoolTimeoutError) as error:
        _log.warning("database_unreachable", error=type(error).__name__)
        raise storage_unavailable() from error


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except (DBAPIError, OSError) as error:
        if isinstance(error, DBAPIError) and not _is_passing(error):
            raise
        _log.warning("commit_unknown", error=type(error).__name__)
        raise CommitUnknownError from error


async def _roll_back(connection: AsyncConnection) -> None:
    """Undo what is open; a connection that cannot even do that is thrown away."""
    try:
        await connection.rollback()
    except (DBAPIError, OSError):
        await connection.invalidate()


def _explained(error: DBAPIError | TimeoutError) -> Exception:
    """Return the error to raise: UNAVAILABLE for what passes, the error itself for a defect."""
    if isinstance(error, DBAPIError) and not _is_passing(error):
        return error
    _log.warning("database_failed", error=str(getattr(error, "orig", type(error).__name__))[:200])
    return storage_unavailable()


def _is_passing(error: DBAPIError) -> bool:
    state = str(getattr(error.orig, "sqlstate", "") or "")
    return (
        error.connection_invalidated
        or state.startswith(_PASSING_CLASSES)
        or (
            # The driver's own "connection is closed" carries no SQLSTATE.
            not state and "connection" in str(error.orig).lower()
        )
    )
