"""Verified deliveries on disk, for as long as the payments service cannot take them."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, TypeVar

import orjson

from webhook_receiver.recorder import Delivery

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    event_key TEXT NOT NULL,
    event_type TEXT NOT NULL,
    reference TEXT NOT NULL,
    gateway_transaction_id TEXT NOT NULL,
    raw_body BLOB NOT NULL,
    headers BLOB NOT NULL,
    received_time TEXT NOT NULL,
    request_id TEXT NOT NULL,
    set_aside_until TEXT NOT NULL DEFAULT '',
    UNIQUE (gateway, event_key)
) STRICT
"""
_COLUMNS: Final = (
    "gateway, event_key, event_type, reference, gateway_transaction_id, raw_body, headers,"
    " received_time, request_id"
)
# What a row takes beside its body, generously.
_ROW_BYTES: Final = 1024
_LOCK_SECONDS: Final = 5.0

ResultT = TypeVar("ResultT")


class SpoolError(Exception):
    """The spool cannot do what was asked; its message says why, for whoever operates it."""


class SpoolFullError(SpoolError):
    """The spool has as much as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """The most that a spool may hold; a row counts as its body and 1 KiB."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A delivery in the spool. `number`: in the order of arrival."""

    number: int
    delivery: Delivery


class Spool:
    """Keeps deliveries in one SQLite file; what `put` has returned from survives a power cut.

    One process at a time may have the file, and one thread of it does all the work, so that
    nothing waits for the disk on the event loop. A call that is cancelled is carried out all the
    same. Every method raises `SpoolError` when the disk or the file fails.
    """

    def __init__(
        self, database: sqlite3.Connection, thread: ThreadPoolExecutor, limits: SpoolLimits
    ) -> None:
        self._database = database
        self._thread = thread
        self._limits = limits
        self.rows = 0
        self.bytes = 0
        self.filled = asyncio.Event()

    @classmethod
    async def open(cls, path: Path, limits: SpoolLimits) -> Self:
        """Open the file, or make it, readable for nobody else.

        Raises `SpoolError` when another process has it, or it is not a sound spool.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        loop = asyncio.get_running_loop()
        try:
            database = await loop.run_in_executor(thread, _open, path)
        except (sqlite3.Error, OSError) as error:
            thread.shutdown(wait=False)
            raise SpoolError(f"cannot use the spool {path}: {error}") from error
        spool = cls(database, thread, limits)
        await spool._run(spool._count)
        return spool

    async def put(self, delivery: Delivery) -> None:
        """Keep a delivery; return once it is on the disk. One that is there already stays once.

        Raises `SpoolFullError`.
        """
        await self._run(lambda: self._insert(delivery))
        self.filled.set()

    async def oldest(self, most: int, now: datetime) -> Sequence[Spooled]:
        """Return up to `most` deliveries in the order of arrival, but none that is set aside."""
        rows = await self._run(
            lambda: self._database.execute(
                f"SELECT id, {_COLUMNS} FROM deliveries WHERE set_aside_until <= ?"  # noqa: S608 - our own column names
                " ORDER BY id LIMIT ?",
                (_text(now), most),
            ).fetchall()
        )
        return [_spooled(row) for row in rows]

    async def remove(self, spooled: Sequence[Spooled]) -> None:
        """Forget deliveries that are stored elsewhere."""
        numbers = [(each.number,) for each in spooled]
        await self._run(lambda: self._delete(numbers))

    async def set_aside(self, spooled: Spooled, until: datetime) -> None:
        """Let the others pass a delivery that nobody takes."""
        await self._run(
            lambda: self._database.execute(
                "UPDATE deliveries SET set_aside_until = ? WHERE id = ?",
                (_text(until), spooled.number),
            )
        )

    async def close(self) -> None:
        """Finish what was asked for and let go of the file."""
        await self._run(self._database.close)
        self._thread.shutdown(wait=False)

    @property
    def fullness(self) -> float:
        """How much of the limits is used, from 0 to 1."""
        return max(self.rows / self._limits.rows, self.bytes / self._limits.bytes)

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise SpoolError(str(error)) from error

    def _insert(self, delivery: Delivery) -> None:
        size = len(delivery.raw_body) + _ROW_BYTES
        if self.rows + 1 > self._limits.rows or self.bytes + size > self._limits.bytes:
            raise SpoolFullError(f"{self.rows} rows, {self.bytes} bytes")
        inserted = self._database.execute(
            f"INSERT INTO deliveries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own column names
            " ON CONFLICT DO NOTHING",
            _row(delivery),
        ).rowcount
        self.rows += inserted
        self.bytes += inserted * size

    def _delete(self, numbers: Sequence[tuple[int]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany("DELETE FROM deliveries WHERE id = ?", numbers)
        except sqlite3.Error:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        self._count()

    def _count(self) -> None:
        self.rows, self.bytes = self._database.execute(
            "SELECT count(*), coalesce(sum(length(raw_body) + ?), 0) FROM deliveries", (_ROW_BYTES,)
        ).fetchone()


def _open(path: Path) -> sqlite3.Connection:
    # Bodies hold personal data; SQLite gives its journal the permissions of the file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(
        path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(database)
    except sqlite3.Error:
        database.close()
        raise
    _make_lasting(path.parent)
    return database


def _prepare(database: sqlite3.Connection) -> None:
    """Take the file for this process alone, check it, and let nothing wait in a cache."""
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    with closing(database.execute("PRAGMA quick_check(1)")) as check:
        if check.fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the file is damaged; move it away and start again")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"the file is of version {version}, not {_VERSION}")
    database.execute(_SCHEMA)
    database.execute(f"PRAGMA user_version = {_VERSION}")
    # Another version of the service may take today what it did not take yesterday.
    database.execute("UPDATE deliveries SET set_aside_until = ''")


def _make_lasting(folder: Path) -> None:
    """Have the folder itself remember the new file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(moment: datetime) -> str:
    """Write a time so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _row(delivery: Delivery) -> tuple[str | bytes, ...]:
    return (
        delivery.gateway,
        delivery.event_key,
        delivery.event_type,
        delivery.reference,
        delivery.gateway_transaction_id,
        delivery.raw_body,
        orjson.dumps(dict(delivery.headers)),
        _text(delivery.received_time),
        delivery.request_id,
    )


def _spooled(row: tuple[int, str, str, str, str, str, bytes, bytes, str, str]) -> Spooled:
    number, gateway, event_key, event_type, reference, transaction, body, headers, received, by = (
        row
    )
    delivery = Delivery(
        gateway=gateway,
        event_key=event_key,
        event_type=event_type,
        reference=reference,
        gateway_transaction_id=transaction,
        raw_body=body,
        headers=orjson.loads(headers),
        received_time=datetime.fromisoformat(received),
        request_id=by,
    )
    return Spooled(number=number, delivery=delivery)
