"""Reads the stored log of callbacks, raw bytes and all, as it was received."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

_PAGE = 500
_QUERY = """
SELECT id, source, event_id, event_type, reference, gateway_transaction_id, status, headers,
    raw_body, request_id, received_at, payment_id
FROM public.webhook_events
WHERE received_at >= :start AND received_at < :end AND (received_at, id) > (:after, :after_id)
ORDER BY received_at, id
LIMIT :page
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCallback:
    """One stored callback with the bytes that were verified."""

    id: UUID
    gateway: str
    event_key: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    status: str
    headers: dict[str, str]
    raw_body: bytes
    request_id: str
    received_at: datetime
    payment_id: UUID | None


async def stored_callbacks(
    engine: AsyncEngine, start: datetime, end: datetime
) -> AsyncIterator[StoredCallback]:
    """Yield the callbacks received in a time range, oldest first, a page at a time."""
    after, after_id = start, UUID(int=0)
    while True:
        async with engine.connect() as connection:
            found = await connection.execute(
                text(_QUERY),
                {"start": start, "end": end, "after": after, "after_id": after_id, "page": _PAGE},
            )
            page = [_stored(row) for row in found]
        for callback in page:
            yield callback
        if len(page) < _PAGE:
            return
        after, after_id = page[-1].received_at, page[-1].id


def _stored(row: Row[Any]) -> StoredCallback:
    return StoredCallback(
        id=row.id,
        gateway=row.source,
        event_key=row.event_id,
        event_type=row.event_type,
        reference=row.reference,
        gateway_transaction_id=row.gateway_transaction_id,
        status=row.status,
        headers=dict(row.headers),
        raw_body=row.raw_body,
        request_id=row.request_id,
        received_at=row.received_at,
        payment_id=row.payment_id,
    )
