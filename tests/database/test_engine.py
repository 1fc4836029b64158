"""The connection pool, directly and behind a transaction-mode pooler."""

from sqlalchemy import text

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from tests.databases import Database


async def test_behind_a_pooler_no_statement_outlives_its_transaction(database: Database) -> None:
    engine = open_engine(DatabaseOptions(url=database.app_url, pool_size=1, statement_cache=False))
    storage = PostgresStorage(engine)
    for _ in range(8):
        async with storage.work() as work:
            assert (await work.prices.current()).tiers
    async with engine.connect() as connection:
        left = await connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))
        assert left.scalar_one() == 0
    await engine.dispose()


async def test_no_statement_and_no_lock_is_waited_for_without_end(database: Database) -> None:
    engine = open_engine(DatabaseOptions(url=database.app_url, pool_size=1))
    async with engine.connect() as connection:
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            value = (await connection.execute(text(f"SHOW {setting}"))).scalar_one()
            assert value != "0", setting
    await engine.dispose()
