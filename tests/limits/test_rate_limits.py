"""Calls of a member are counted exactly, over replicas and at any speed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from db.engine import DatabaseOptions, open_engine
from db.rate_limits import PostgresRateLimits
from dev.postgres import connect
from kit.errors import ErrorCode, ServiceError
from services.payments.ports.limits import Ask, Rate
from tests.databases import Database

FIVE = Rate.per_minute(5)


@pytest.fixture
async def replicas(database: Database) -> AsyncIterator[list[PostgresRateLimits]]:
    """Open two replicas, each with its own pool."""
    async with AsyncExitStack() as stack:
        engines = [open_engine(DatabaseOptions(url=database.app_url)) for _ in range(2)]
        for engine in engines:
            stack.push_async_callback(engine.dispose)
        yield [PostgresRateLimits(engine) for engine in engines]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database.owner_url)
    yield connection
    await connection.close()


def ask(number: int, user_id: str = "member-1", *, free: bool = False) -> Ask:
    return Ask(bucket="payments", user_id=user_id, request=b"%d" % number, repeats_are_free=free)


async def let_pass(owner: asyncpg.Connection, seconds: float) -> None:
    """Let time pass, as far as the stored limits can tell."""
    await owner.execute(
        "UPDATE rate_limits SET next_at = next_at - make_interval(secs => $1)", seconds
    )


@pytest.mark.parametrize("burst", [1, 5, 20])
async def test_64_callers_at_two_replicas_at_once_are_admitted_exactly(
    replicas: list[PostgresRateLimits], burst: int
) -> None:
    rate = Rate.per_minute(burst)
    for round_number in range(3):
        user_id = f"member-{round_number}"
        waits = await asyncio.gather(
            *(replicas[number % 2].take(ask(number, user_id), rate) for number in range(64))
        )
        assert waits.count(0.0) == burst
        # A caller's clock is that of its own statement, which may have waited for the others'.
        assert all(wait < 2 * rate.seconds for wait in waits)


async def test_members_and_buckets_do_not_share_a_limit(
    replicas: list[PostgresRateLimits],
) -> None:
    one = Rate.per_minute(1)
    checks = Ask(bucket="checks", user_id="member-1", request=b"1")

    assert await replicas[0].take(ask(1), one) == 0
    assert await replicas[0].take(ask(1, "member-2"), one) == 0
    assert await replicas[0].take(checks, one) == 0
    assert await replicas[0].take(ask(2), one) > 0


async def test_after_the_burst_one_call_is_admitted_each_interval(
    replicas: list[PostgresRateLimits], owner: asyncpg.Connection
) -> None:
    for number in range(5):
        assert await replicas[0].take(ask(number), FIVE) == 0
    assert 11 < await replicas[1].take(ask(5), FIVE) <= 12

    await let_pass(owner, 12)
    assert await replicas[1].take(ask(6), FIVE) == 0
    assert await replicas[0].take(ask(7), FIVE) > 11

    await let_pass(owner, 3600)
    admitted = [await replicas[0].take(ask(number), FIVE) for number in range(8, 20)].count(0.0)
    assert admitted == 5


async def test_refused_calls_do_not_lengthen_the_wait(
    replicas: list[PostgresRateLimits], owner: asyncpg.Connection
) -> None:
    for number in range(50):
        await replicas[0].take(ask(number), FIVE)

    await let_pass(owner, 12)
    assert await replicas[0].take(ask(99), FIVE) == 0


async def test_a_call_repeated_at_once_is_free_where_that_is_allowed(
    replicas: list[PostgresRateLimits],
) -> None:
    free = [await replicas[number % 2].take(ask(1, free=True), FIVE) for number in range(30)]
    assert free == [0.0] * 30
    for number in range(2, 6):
        assert await replicas[0].take(ask(number, free=True), FIVE) == 0

    assert await replicas[0].take(ask(6, free=True), FIVE) > 0
    # Refused calls do not become free by being repeated, and an admitted one stays so.
    assert await replicas[0].take(ask(6, free=True), FIVE) > 0
    assert await replicas[0].take(ask(5, free=True), FIVE) == 0
    assert await replicas[0].take(ask(1, free=True), FIVE) > 0


async def test_a_repeated_call_counts_where_it_may_reach_a_gateway(
    replicas: list[PostgresRateLimits],
) -> None:
    admitted = [await replicas[0].take(ask(1), FIVE) for _ in range(10)].count(0.0)
    assert admitted == 5


async def test_what_cannot_be_counted_is_not_admitted(database: Database) -> None:
    engine = open_engine(DatabaseOptions(url=database.app_url.replace("@127.0.0.1", "@127.0.0.2")))
    try:
        with pytest.raises(ServiceError) as refused:
            await PostgresRateLimits(engine).take(ask(1), FIVE)
    finally:
        await engine.dispose()
    assert refused.value.code is ErrorCode.UNAVAILABLE
