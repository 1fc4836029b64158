"""All or nothing, and what the database's failures look like to the rest of the service."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from kit.errors import ServiceError
from services.payments.domain.errors import CommitUnknownError, tier_already_active
from services.payments.domain.payment import Payment
from services.payments.domain.states import IllegalTransitionError
from services.payments.ports import Storage
from tests.database.conftest import connected, opened
from tests.database.cutting_proxy import CuttingProxy, cutting_proxy
from tests.database.rows import stored_payment, unstored_payment
from tests.database.waiting import somebody_waits_for_a_lock
from tests.databases import Database, DatabaseServer


@pytest.fixture
async def proxy(shared_database: Database) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(shared_database.app_url) as running:
        yield running


@pytest.fixture
async def proxied(proxy: CuttingProxy) -> AsyncIterator[PostgresStorage]:
    """Open storage that reaches the database through the proxy."""
    async with opened(proxy.url) as engine:
        yield PostgresStorage(engine)


async def is_stored(storage: Storage, payment: Payment) -> bool:
    async with storage.work() as work:
        return await work.payments.get(payment.id) is not None


async def end_session(owner: asyncpg.Connection, how: str, state: str) -> None:
    """Terminate the session, or cancel the statement, of who is in `state` on this database."""
    ended = await owner.fetch(
        f"SELECT {how} FROM pg_stat_activity WHERE datname = current_database()"  # noqa: S608 - literals of this test
        " AND pid <> pg_backend_pid() AND (state = $1 OR wait_event_type = $1)",
        state,
    )
    assert ended


def away(error: ServiceError) -> bool:
    """Whether an error says that nothing was stored and that the caller may come again."""
    return (
        error.code == "UNAVAILABLE"
        and error.reason == "STORAGE_UNAVAILABLE"
        and not isinstance(error, CommitUnknownError)
    )


async def test_what_a_unit_of_work_did_is_stored_when_it_ends(storage: PostgresStorage) -> None:
    payment = unstored_payment()
    async with storage.work() as work:
        await work.payments.add(payment)
        assert not await is_stored(storage, payment)
    assert await is_stored(storage, payment)


@pytest.mark.parametrize(
    "error",
    [IllegalTransitionError(), tier_already_active("pro"), asyncio.CancelledError()],
    ids=["a defect", "a refusal", "a cancellation"],
)
async def test_nothing_is_stored_when_it_raises_and_the_error_comes_through(
    storage: PostgresStorage, error: BaseException
) -> None:
    payment = unstored_payment()

    async def interrupted() -> None:
        async with storage.work() as work:
            await work.payments.add(payment)
            raise error

    with pytest.raises(type(error)):
        await interrupted()
    assert not await is_stored(storage, payment)


async def test_a_defect_of_ours_is_no_unavailability(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    with pytest.raises(DBAPIError, match="creators_membership_pkey"):
        async with storage.work() as work:
            await work.payments.add(unstored_payment(id=payment.id))


async def test_a_defect_shows_no_personal_data(storage: PostgresStorage) -> None:
    payment = await stored_payment(storage)
    with pytest.raises(DBAPIError) as defect:
        async with storage.work() as work:
            await work.payments.add(unstored_payment(id=payment.id))
    for personal in ("amina@example.com", "Amina", "+256772123456", payment.user_id):
        assert personal not in str(defect.value)


async def test_a_lost_reply_to_a_commit_does_not_mean_that_nothing_was_stored(
    proxy: CuttingProxy, proxied: PostgresStorage
) -> None:
    payment = unstored_payment()
    proxy.lose_commit_replies = True
    with pytest.raises(CommitUnknownError) as unknown:
        async with proxied.work() as work:
            await work.payments.add(payment)
    assert (unknown.value.code, unknown.value.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
    proxy.lose_commit_replies = False
    assert await is_stored(proxied, payment)


async def test_a_connection_that_breaks_before_the_commit_stores_nothing(
    proxy: CuttingProxy, proxied: PostgresStorage
) -> None:
    payment = unstored_payment()

    async def broken_in_the_middle() -> None:
        async with proxied.work() as work:
            await work.payments.add(payment)
            proxy.break_connections()
            await work.payments.get(payment.id)

    with pytest.raises(ServiceError) as error:
        await broken_in_the_middle()
    assert away(error.value)
    assert not await is_stored(proxied, payment)


async def test_a_connection_that_breaks_unnoticed_before_the_commit_is_an_unknown_commit(
    proxy: CuttingProxy, proxied: PostgresStorage
) -> None:
    payment = unstored_payment()

    async def broken_at_the_end() -> None:
        async with proxied.work() as work:
            await work.payments.add(payment)
            proxy.break_connections()

    with pytest.raises(CommitUnknownError):
        await broken_at_the_end()
    assert not await is_stored(proxied, payment)


async def test_a_stopped_database_is_unavailable_and_comes_back_by_itself(
    proxy: CuttingProxy, proxied: PostgresStorage
) -> None:
    before = await stored_payment(proxied)
    await proxy.stop()
    for _ in range(3):
        with pytest.raises(ServiceError) as error:
            async with proxied.work():
                pytest.fail("a unit of work was opened on a stopped database")
        assert away(error.value)
        assert not await proxied.reachable()
    await proxy.start()
    assert await proxied.reachable()
    assert await is_stored(proxied, before)


async def test_a_restart_that_ends_a_session_is_unavailability(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)

    async def ended_in_the_middle() -> None:
        async with storage.work() as work:
            await work.payments.lock(payment.id)
            await end_session(owner, "pg_terminate_backend(pid, 5000)", "idle in transaction")
            await work.payments.get(payment.id)

    with pytest.raises(ServiceError) as error:
        await ended_in_the_middle()
    assert away(error.value)
    assert await is_stored(storage, payment)


async def test_a_statement_that_is_cancelled_for_taking_too_long_is_unavailability(
    owner: asyncpg.Connection, storage: PostgresStorage
) -> None:
    payment = await stored_payment(storage)

    async def lock() -> None:
        async with storage.work() as work:
            await work.payments.lock(payment.id)

    async with storage.work() as holder:
        await holder.payments.lock(payment.id)
        waiting = asyncio.create_task(lock())
        await somebody_waits_for_a_lock(owner)
        await end_session(owner, "pg_cancel_backend(pid)", "Lock")
        with pytest.raises(ServiceError) as error:
            await waiting
    assert away(error.value)


async def test_of_two_units_of_work_in_a_deadlock_one_is_unavailable_and_one_is_stored(
    postgres: DatabaseServer, database: Database
) -> None:
    async with connected(postgres.owner_url) as anywhere:
        name = database.app_url.rpartition("/")[2]
        await anywhere.execute(f'ALTER DATABASE "{name}" SET deadlock_timeout = 10')
    async with opened(database.app_url) as engine:
        storage = PostgresStorage(engine)
        payments = [await stored_payment(storage) for _ in range(2)]
        both_hold_one = asyncio.Barrier(2)

        async def lock_both(first: Payment, second: Payment) -> None:
            async with storage.work() as work:
                await work.payments.lock(first.id)
                await both_hold_one.wait()
                await work.payments.lock(second.id)

        ends = await asyncio.gather(
            lock_both(*payments), lock_both(*reversed(payments)), return_exceptions=True
        )
    [loser] = [end for end in ends if isinstance(end, ServiceError)]
    assert away(loser)
    assert None in ends


async def test_a_database_that_takes_no_connections_is_unavailable(
    postgres: DatabaseServer, database: Database
) -> None:
    async with connected(postgres.owner_url) as anywhere:
        name = database.app_url.rpartition("/")[2]
        await anywhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    async with opened(database.app_url) as engine:
        storage = PostgresStorage(engine)
        assert not await storage.reachable()
        with pytest.raises(ServiceError) as error:
            async with storage.work():
                pytest.fail("a unit of work was opened on a database that takes no connections")
    assert away(error.value)


@pytest.mark.parametrize(("mode", "reached"), [("prefer", True), ("require", False)])
async def test_the_url_of_a_managed_database_says_whether_to_encrypt(
    shared_database: Database, mode: str, *, reached: bool
) -> None:
    async with opened(f"{shared_database.app_url}?sslmode={mode}") as engine:
        assert await PostgresStorage(engine).reachable() is reached


async def test_storage_works_without_a_statement_cache(shared_database: Database) -> None:
    options = DatabaseOptions(url=shared_database.app_url, pool_size=1, statement_cache=False)
    engine = open_engine(options)
    try:
        payment = await stored_payment(PostgresStorage(engine))
        assert await is_stored(PostgresStorage(engine), payment)
    finally:
        await engine.dispose()
