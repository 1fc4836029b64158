"""The spool keeps what it has taken, in order, once, within its limits, and for one process."""

import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webhook_receiver.recorder import Delivery
from webhook_receiver.spool import Spool, SpoolError, SpoolFullError, SpoolLimits

ROOMY = SpoolLimits(rows=1000, bytes=10 * 1024 * 1024)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DELIVERY = Delivery(
    gateway="flutterwave",
    event_key="key-0",
    event_type="charge.completed",
    reference="cpspool",
    gateway_transaction_id="77",
    raw_body=b'{"a":"\x00\xff"}',
    headers={"content-type": "application/json"},
    received_time=NOW - timedelta(microseconds=1),
    request_id="request-1",
)


_STRANGE = b"not a database, and long enough to be one" * 100


def delivery(number: int, size: int = 10) -> Delivery:
    return replace(DELIVERY, event_key=f"key-{number}", raw_body=b"x" * size)


@asynccontextmanager
async def opened(path: Path, limits: SpoolLimits = ROOMY) -> AsyncIterator[Spool]:
    spool = await Spool.open(path, limits)
    try:
        yield spool
    finally:
        await spool.close()


async def keys(spool: Spool, now: datetime = NOW) -> list[str]:
    return [each.delivery.event_key for each in await spool.oldest(1000, now)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


async def test_what_was_put_in_is_there_after_a_restart_field_by_field(path: Path) -> None:
    async with opened(path) as spool:
        await spool.put(DELIVERY)
    async with opened(path) as spool:
        (spooled,) = await spool.oldest(10, NOW)

        assert spooled.delivery == DELIVERY
        assert spool.rows == 1
        assert spool.filled.is_set() is False


async def test_deliveries_come_out_in_the_order_in_which_they_went_in(path: Path) -> None:
    async with opened(path) as spool:
        for number in (3, 1, 2):
            await spool.put(delivery(number))

        assert await keys(spool) == ["key-3", "key-1", "key-2"]
        assert [each.delivery.event_key for each in await spool.oldest(2, NOW)] == [
            "key-3",
            "key-1",
        ]


async def test_a_delivery_that_is_there_already_stays_once(path: Path) -> None:
    async with opened(path) as spool:
        await spool.put(delivery(1))
        await spool.put(delivery(1))
        await spool.put(replace(delivery(1), gateway="eversend"))

        assert await keys(spool) == ["key-1", "key-1"]
        assert spool.rows == 2


async def test_what_is_removed_makes_room_and_nothing_else_goes(path: Path) -> None:
    async with opened(path) as spool:
        for number in range(5):
            await spool.put(delivery(number))
        before = spool.bytes
        await spool.remove((await spool.oldest(10, NOW))[1:3])

        assert await keys(spool) == ["key-0", "key-3", "key-4"]
        assert (spool.rows, spool.bytes) == (3, before * 3 // 5)


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        (SpoolLimits(rows=3, bytes=10**9), 10),
        (SpoolLimits(rows=1000, bytes=3 * (1024 + 500)), 500),
    ],
    ids=["rows", "bytes"],
)
async def test_a_full_spool_takes_nothing_until_there_is_room(
    path: Path, limits: SpoolLimits, size: int
) -> None:
    async with opened(path, limits) as spool:
        for number in range(3):
            await spool.put(delivery(number, size))
        assert spool.fullness == 1
        with pytest.raises(SpoolFullError):
            await spool.put(delivery(3, size))
        await spool.remove(await spool.oldest(1, NOW))
        await spool.put(delivery(4, size))

        assert await keys(spool) == ["key-1", "key-2", "key-4"]


async def test_limits_count_what_an_earlier_process_left(path: Path) -> None:
    async with opened(path) as spool:
        await spool.put(delivery(0, 500))
        left = (spool.rows, spool.bytes)
    async with opened(path, SpoolLimits(rows=1, bytes=10**9)) as spool:
        assert (spool.rows, spool.bytes) == left
        with pytest.raises(SpoolFullError):
            await spool.put(delivery(1))


async def test_what_is_set_aside_lets_others_pass_until_its_time(path: Path) -> None:
    until = NOW + timedelta(minutes=5)
    async with opened(path) as spool:
        for number in range(2):
            await spool.put(delivery(number))
        await spool.set_aside((await spool.oldest(1, NOW))[0], until)

        assert await keys(spool) == ["key-1"]
        assert await keys(spool, until - timedelta(microseconds=1)) == ["key-1"]
        assert await keys(spool, until) == ["key-0", "key-1"]
        assert spool.rows == 2
    async with opened(path) as spool:
        assert await keys(spool) == ["key-0", "key-1"]


async def test_no_second_process_may_use_the_file(path: Path) -> None:
    async with opened(path):
        with sqlite3.connect(path, timeout=0) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("SELECT count(*) FROM deliveries")
        other.close()


async def test_the_file_and_its_journal_are_for_its_owner_alone(path: Path) -> None:
    async with opened(path) as spool:
        await spool.put(DELIVERY)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert path.name in modes


async def test_every_commit_waits_for_the_disk(path: Path) -> None:
    async with opened(path) as spool:
        journal, synchronous = await spool._run(
            lambda: (
                spool._database.execute("PRAGMA journal_mode").fetchone()[0],
                spool._database.execute("PRAGMA synchronous").fetchone()[0],
            )
        )
    assert (journal, synchronous) == ("wal", 2)


@pytest.fixture
def stranger(path: Path) -> Path:
    path.write_bytes(_STRANGE)
    return path


async def test_a_file_that_is_no_spool_is_refused_and_left_alone(stranger: Path) -> None:
    with pytest.raises(SpoolError, match=stranger.name):
        await Spool.open(stranger, ROOMY)
    with stranger.open("rb") as file:
        assert file.read() == _STRANGE


async def test_a_damaged_file_is_refused(path: Path) -> None:
    async with opened(path) as spool:
        for number in range(200):
            await spool.put(delivery(number, 2000))
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * 32768)

    with pytest.raises(SpoolError, match="cannot use the spool"):
        await Spool.open(path, ROOMY)


async def test_a_file_of_another_version_is_refused(path: Path) -> None:
    async with opened(path):
        pass
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()

    with pytest.raises(SpoolError, match="version 7"):
        await Spool.open(path, ROOMY)


@pytest.mark.parametrize("where", ["missing/spool.sqlite", "."])
async def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(SpoolError, match="cannot use the spool"):
        await Spool.open(tmp_path / where, ROOMY)
