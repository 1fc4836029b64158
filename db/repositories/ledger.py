"""The double-entry journal as rows of journal_entries and journal_lines."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from db.repositories.amounts import from_columns, to_column
from db.tables import journal_entries, journal_lines
from kit.money import Money
from services.payments.domain.ledger import EntryKind, JournalEntry, Line


class LedgerRepository:
    """Implements the port `Ledger`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def post(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries; one whose source was entered before is left out."""
        for entry in entries:
            if await self._add(entry):
                await self._connection.execute(insert(journal_lines), _line_rows(entry))

    async def of_payment(self, payment_id: UUID) -> Sequence[JournalEntry]:
        """Read the entries about a payment, oldest first."""
        statement = (
            select(journal_entries, journal_lines)
            .join(journal_lines, journal_lines.c.entry_id == journal_entries.c.id)
            .where(journal_entries.c.payment_id == payment_id)
            .order_by(journal_entries.c.created_at, journal_entries.c.id, journal_lines.c.number)
        )
        rows = await self._connection.execute(statement)
        return [_entry(list(lines)) for _, lines in groupby(rows, key=lambda row: row.entry_id)]

    async def balances(self, account: str) -> Sequence[Money]:
        """Read what an account holds, one amount per currency, in the order of the codes."""
        statement = (
            select(journal_lines.c.currency, func.sum(journal_lines.c.amount).label("amount"))
            .where(journal_lines.c.account == account)
            .group_by(journal_lines.c.currency)
            .order_by(journal_lines.c.currency)
        )
        rows = await self._connection.execute(statement)
        return [from_columns(row.currency, row.amount) for row in rows]

    async def _add(self, entry: JournalEntry) -> bool:
        statement = (
            postgresql.insert(journal_entries)
            .values(
                id=entry.id,
                kind=entry.kind.value,
                source=entry.source,
                payment_id=entry.payment_id,
                summary=entry.summary,
                created_at=entry.at,
            )
            .on_conflict_do_nothing(index_elements=[journal_entries.c.source])
            .returning(journal_entries.c.id)
        )
        return (await self._connection.execute(statement)).first() is not None


def _line_rows(entry: JournalEntry) -> list[dict[str, object]]:
    return [
        {
            "entry_id": entry.id,
            "number": number,
            "account": line.account,
            "currency": line.amount.currency,
            "amount": to_column(line.amount),
        }
        for number, line in enumerate(entry.lines, start=1)
    ]


def _entry(rows: Sequence[Row[Any]]) -> JournalEntry:
    first = rows[0]
    return JournalEntry(
        id=first.id,
        kind=EntryKind(first.kind),
        source=first.source,
        summary=first.summary,
        at=first.created_at,
        payment_id=first.payment_id,
        lines=tuple(
            Line(account=row.account, amount=from_columns(row.currency, row.amount)) for row in rows
        ),
    )
