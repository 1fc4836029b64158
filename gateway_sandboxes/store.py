"""What outlives a request: in-memory collections written through to one SQLite file."""

import sqlite3
from collections.abc import Iterator, ValuesView
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from gateway_sandboxes.documents import from_document, to_document

R = TypeVar("R")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (collection, key)
)
"""
_UPSERT = """
INSERT INTO documents (collection, key, body) VALUES (?, ?, ?)
ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body
"""


class Store:
    """One SQLite file, or nothing at all when no path is given.

    Writes are small and synchronous on purpose: what the sandbox answered has been written, so a
    killed process forgets nothing that a client was told.
    """

    def __init__(self, path: Path | None) -> None:
        self._connection: sqlite3.Connection | None = None
        self._collections: list[Collection[Any]] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything inside the block or nothing of it; the block must not await."""
        if self._connection is None or self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def load(self, collection: str) -> list[tuple[str, bytes]]:
        """Return the collection's documents, oldest first."""
        if self._connection is None:
            return []
        query = "SELECT key, body FROM documents WHERE collection = ? ORDER BY rowid"
        return list(self._connection.execute(query, (collection,)))

    def write(self, collection: str, key: str, body: bytes) -> None:
        """Insert or replace one document."""
        if self._connection is not None:
            self._connection.execute(_UPSERT, (collection, key, body))

    def register(self, collection: "Collection[Any]") -> None:
        """Make the collection one of those that `clear` empties."""
        self._collections.append(collection)

    def clear(self) -> None:
        """Forget every document, in the file and in the collections."""
        for collection in self._collections:
            collection.forget()
        if self._connection is not None:
            self._connection.execute("DELETE FROM documents")

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


class Collection(Generic[R]):
    """Records of one kind by key, in order of arrival; every `put` is written through."""

    def __init__(self, store: Store, name: str, kind: type[R]) -> None:
        store.register(self)
        self._store = store
        self._name = name
        self._records = {key: from_document(kind, body) for key, body in store.load(name)}

    def put(self, key: str, record: R) -> R:
        """Insert or replace the record under `key`, and return it."""
        self._store.write(self._name, key, to_document(record))
        self._records[key] = record
        return record

    def get(self, key: str) -> R | None:
        """Return the record under `key`, if there is one."""
        return self._records.get(key)

    def __getitem__(self, key: str) -> R:
        return self._records[key]

    def __len__(self) -> int:
        return len(self._records)

    def values(self) -> ValuesView[R]:
        """Return the records, oldest first."""
        return self._records.values()

    def forget(self) -> None:
        """Drop the records in memory; `Store.clear` does so for all, and empties the file."""
        self._records.clear()
