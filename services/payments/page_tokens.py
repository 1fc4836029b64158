"""Page tokens: where a list goes on, bound to the filters that it began with."""

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from services.payments.domain.errors import invalid
from services.payments.domain.payment import Payment
from services.payments.ports import After, PaymentFilter

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


class _Token(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID
    filters: bytes


def page_size(asked: int) -> int:
    """Return how many rows to send. Raises `InvalidRequestError` for a negative number."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


def next_page_token(last: Payment, wanted: PaymentFilter) -> str:
    """Return the token of the page after `last`."""
    return page_token(last.created_at, last.id, _filters(wanted))


def keyset_of(token: str, wanted: PaymentFilter) -> tuple[datetime, UUID] | None:
    """Return where to go on; None for the first page.

    Raises `InvalidRequestError` for a token that is not ours or came with other filters.
    """
    return keyset_in(token, _filters(wanted))


def page_token(at: datetime, row_id: UUID, filters: object) -> str:
    """Return the token of the page after the row with this time and identifier.

    `filters`: everything that chose the list, its name at least.
    """
    token = _Token(at, row_id, _digest(filters))
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode()


def after_of(token: str, filters: object) -> After | None:
    """Return where a queue goes on; None for the first page. Raises as `keyset_of` does."""
    keyset = keyset_in(token, filters)
    return After(*keyset) if keyset else None


def keyset_in(token: str, filters: object) -> tuple[datetime, UUID] | None:
    """Return where a list goes on; None for the first page. Raises as `keyset_of` does."""
    if not token:
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        parsed = msgspec.msgpack.decode(raw, type=_Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise invalid("page_token", "is not a page token of this list") from error
    if parsed.filters != _digest(filters):
        raise invalid("page_token", "belongs to a list with other filters")
    return parsed.at, parsed.id


def _filters(wanted: PaymentFilter) -> object:
    return (
        wanted.user_id,
        wanted.status,
        wanted.gateway,
        wanted.created_from,
        wanted.created_before,
    )


def _digest(filters: object) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(filters)).digest()[:16]
