"""The worker reconciles the day before by itself, once."""

import asyncio
from datetime import timedelta

import structlog

from services.payments.daily_reconciliation import reconcile_daily, reconcile_yesterday
from tests.operations.stories import alerts
from tests.reconciliation.listing import TODAY, Books
from tests.unit.factories import NOW

_DAY = timedelta(days=1)


async def runs_of(books: Books) -> list[tuple[object, ...]]:
    rows = await books.suite.witness.rows(
        "SELECT gateway, period_start, period_end, requested_by FROM reconciliation_runs"
        " WHERE finished_at IS NOT NULL ORDER BY period_start, gateway"
    )
    return [tuple(row.values()) for row in rows]


async def test_the_last_day_that_is_over_is_reconciled_once(books: Books) -> None:
    for _ in range(3):
        await reconcile_yesterday(books.deps, "eversend")
    expected = ("eversend", TODAY.start - _DAY, TODAY.start, "worker")
    assert await runs_of(books) == [expected]


async def test_a_day_is_over_once_its_last_minutes_are_listed(books: Books) -> None:
    books.suite.clock.move_to(TODAY.end + timedelta(minutes=30))
    await reconcile_yesterday(books.deps, "eversend")
    books.suite.clock.move_to(TODAY.end + timedelta(hours=2))
    await reconcile_yesterday(books.deps, "eversend")
    days = [(start, end) for _, start, end, _ in await runs_of(books)]
    assert days == [(TODAY.start - _DAY, TODAY.start), (TODAY.start, TODAY.end)]


async def test_what_could_not_be_read_is_tried_again(books: Books) -> None:
    books.lists.unread = {""}
    await reconcile_yesterday(books.deps, "eversend")
    assert await runs_of(books) == []
    books.lists.unread = set()
    await reconcile_yesterday(books.deps, "eversend")
    assert len(await runs_of(books)) == 1


async def test_a_defect_is_alerted_about_and_does_not_stop_the_worker(books: Books) -> None:
    books.lists.windows = None  # type: ignore[assignment]
    with structlog.testing.capture_logs() as logs:
        await reconcile_yesterday(books.deps, "eversend")
    assert alerts(logs) == ["reconciliation_failed"]
    books.lists.windows = []
    await reconcile_yesterday(books.deps, "eversend")
    assert len(await runs_of(books)) == 1


async def test_every_gateway_is_reconciled_day_after_day(books: Books) -> None:
    daily = asyncio.create_task(reconcile_daily(books.deps))
    try:
        for day in range(2):
            books.suite.clock.move_to(NOW + day * _DAY)
            async with asyncio.timeout(10):
                while len(await runs_of(books)) < 2 * (day + 1):
                    books.suite.clock.advance(3600)
                    await asyncio.sleep(0)
    finally:
        daily.cancel()
        await asyncio.gather(daily, return_exceptions=True)
    gateways = [row[0] for row in await runs_of(books)]
    assert gateways == ["eversend", "flutterwave"] * (len(gateways) // 2)
