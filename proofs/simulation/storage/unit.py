"""One unit of work: its own writes, the rows that it holds, and how it ends.

As PostgreSQL does at READ COMMITTED: whoever reads sees what is committed and their own writes; a
written or locked row is held until the end; who needs a held row waits for its holder to end, and
one of those who wait for each other is refused.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from proofs.simulation.storage.conditions import CommitFate, Conditions
from proofs.simulation.storage.database import ConstraintViolationError, Database, Table
from services.payments.domain.errors import CommitUnknownError, storage_unavailable
from services.payments.ports import Share

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


class Unit:
    """An open unit of work.

    `owner`: its process. `waits_for`: whose end it waits for. `waiting`: who waits for its end.
    """

    def __init__(self, database: Database, conditions: Conditions, owner: object) -> None:
        self.database = database
        self.owner = owner
        self.committing = False
        self.writes: dict[Table[Any, Any], dict[Any, Any]] = {}
        self._conditions = conditions
        self._held: list[tuple[Table[Any, Any], Any]] = []
        self.waits_for: Unit | None = None
        self.waiting: list[asyncio.Future[None]] = []
        self._ended = False

    async def begin(self) -> None:
        """Open it. Raises `ServiceError` when the database is away."""
        await self._conditions.step("begin")
        self.database.open_units[self] = None

    async def step(self, what: str) -> None:
        """Let others run before the next statement."""
        await self._conditions.step(what)

    def seeks(self, table: Table[KeyT, RowT], share: Share) -> None:
        """Take notice of whose due rows are looked for."""
        self._conditions.seeks(table.name, share)

    def get(self, table: Table[KeyT, RowT], key: KeyT) -> RowT | None:
        """Read a row."""
        own = self.writes.get(table)
        if own is not None and key in own:
            found: RowT | None = own[key]
            return found
        return table.rows.get(key)

    def rows(self, table: Table[KeyT, RowT]) -> Iterator[tuple[KeyT, RowT]]:
        """Read all rows, in the order in which they were first stored."""
        own = self.writes.get(table, {})
        for key, row in table.rows.items():
            seen = own.get(key, row) if key in own else row
            if seen is not None:
                yield key, seen
        for key, row in own.items():
            if key not in table.rows and row is not None:
                yield key, row

    def held_by_another(self, table: Table[KeyT, RowT], key: KeyT) -> bool:
        """Whether another unit of work holds a row: SKIP LOCKED leaves it out."""
        holder = table.holders.get(key)
        return holder is not None and holder is not self

    async def hold(self, table: Table[KeyT, RowT], key: KeyT) -> None:
        """Hold a row until the end, waiting for whoever holds it now."""
        while (holder := table.holders.get(key)) is not self:
            if holder is None:
                self._take(table, key)
                return
            await self._wait_for(holder)

    def put(self, table: Table[KeyT, RowT], key: KeyT, row: RowT | None) -> None:
        """Write a row that is held, or a new one; None removes it."""
        if table.holders.get(key) is not self:
            self._take(table, key)
        self.writes.setdefault(table, {})[key] = row

    async def conflicting(
        self, table: Table[KeyT, RowT], key: KeyT, conflicts: Callable[[RowT], bool]
    ) -> RowT | None:
        """Return another row than `key` that a unique index does not allow beside a new one.

        Waits for those who are just writing such a row, or changing one.
        """
        while True:
            other = self._undecided(table, key, conflicts)
            if other is None:
                break
            await self._wait_for(other)
        rows = self.rows(table)
        return next((row for found, row in rows if found != key and conflicts(row)), None)

    async def require_unique(
        self, table: Table[KeyT, RowT], key: KeyT, conflicts: Callable[[RowT], bool]
    ) -> None:
        """Raise `ConstraintViolationError` when a unique index does not allow a row."""
        if await self.conflicting(table, key, conflicts) is not None:
            raise ConstraintViolationError(f"a row like it is in {table.name} already")

    async def commit(self) -> None:
        """Store everything. Raises `CommitUnknownError` when the connection broke meanwhile."""
        self.committing = True
        try:
            await self._conditions.pause("commit")
        except asyncio.CancelledError:
            self._end(stored=self._conditions.committed_when_interrupted())
            raise
        fate = self._conditions.commit_fate()
        self._end(stored=fate is not CommitFate.LOST)
        await self._conditions.pause("committed")
        if fate is not CommitFate.SEEN:
            raise CommitUnknownError

    def roll_back(self) -> None:
        """Forget everything."""
        self._end(stored=False)

    def interrupt(self) -> None:
        """End as the database ends it when its process was killed."""
        self._end(stored=self.committing and self._conditions.committed_when_interrupted())

    def _take(self, table: Table[Any, Any], key: object) -> None:
        table.holders[key] = self
        self._held.append((table, key))

    def _undecided(
        self, table: Table[KeyT, RowT], key: KeyT, conflicts: Callable[[RowT], bool]
    ) -> "Unit | None":
        """Return whoever writes a row so that it conflicts, or may conflict no longer."""
        for held, holder in table.holders.items():
            if holder is self or held == key:
                continue
            pending = holder.writes.get(table, {})
            if held not in pending:
                continue
            committed, written = table.rows.get(held), pending[held]
            if (written is not None and conflicts(written)) or (
                committed is not None and conflicts(committed)
            ):
                return holder
        return None

    async def _wait_for(self, other: "Unit") -> None:
        self.waits_for = other
        try:
            if self._in_a_circle():
                raise storage_unavailable()
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            other.waiting.append(ended)
            await ended
        finally:
            self.waits_for = None

    def _in_a_circle(self) -> bool:
        other = self.waits_for
        while other is not None and other is not self:
            other = other.waits_for
        return other is self

    def _end(self, *, stored: bool) -> None:
        if self._ended:
            return
        self._ended = True
        if stored and self.writes:
            self.database.on_commit(self)
            self._store()
        for table, key in self._held:
            if table.holders.get(key) is self:
                del table.holders[key]
        self.database.open_units.pop(self, None)
        for ended in self.waiting:
            if not ended.done():
                ended.set_result(None)

    def _store(self) -> None:
        self.database.commits += 1
        for table, rows in self.writes.items():
            for key, row in rows.items():
                if row is None:
                    table.rows.pop(key, None)
                else:
                    table.rows[key] = row
