"""Reads a gateway's own record to its very end: an incomplete list never looks complete."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from kit.logs import get_logger
from services.payments.domain.errors import invalid, statement_not_read
from services.payments.domain.reconciliation import Period, Settlement, Subject, Transaction
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import NotListed, SettlementPage, TransactionPage

_log = get_logger(__name__)

# Rows of either side that are held in memory at once.
MOST_ROWS = 200_000
_MARGIN = timedelta(days=1)
_SECOND = timedelta(seconds=1)

PageT = TypeVar("PageT", TransactionPage, SettlementPage)


async def read_statement(
    deps: Dependencies, gateway: str, period: Period, elsewhere: Sequence[datetime]
) -> list[Transaction]:
    """Read what a gateway recorded in a period and a day around it, every row once.

    `elsewhere`: moments outside of it whose rows are read too. Raises `ServiceError`:
    STATEMENT_NOT_READ when a single page is missing, INVALID_REQUEST when there is more than is
    held in memory.
    """
    wide = Period(start=period.start - _MARGIN, end=period.end + _MARGIN)
    moments = sorted({at for at in elsewhere if not wide.contains(at)})
    rows: dict[tuple[Subject, str], Transaction] = {}
    for window in (wide, *(Period(start=at, end=at + _SECOND) for at in moments)):
        async for page in _pages(gateway, _transactions_of(deps, gateway, window)):
            rows.update({(row.subject, row.transaction_id): row for row in page.transactions})
            require_room(len(rows))
    return list(rows.values())


async def read_settlements(deps: Dependencies, gateway: str, period: Period) -> list[Settlement]:
    """Read what a gateway paid out in a period; nothing where it has no such list.

    Raises as `read_statement` does.
    """

    async def read(token: str) -> SettlementPage | NotListed:
        page = await deps.gateways.list_settlements(gateway, period, token)
        if isinstance(page, NotListed) and not page.offered:
            return SettlementPage(settlements=())
        return page

    settlements: dict[str, Settlement] = {}
    async for page in _pages(gateway, read):
        settlements.update({each.settlement_id: each for each in page.settlements})
        require_room(sum(len(each.lines) for each in settlements.values()))
    return list(settlements.values())


def require_room(rows: int) -> None:
    """Refuse to hold more rows in memory than is good. Raises `InvalidRequestError`."""
    if rows > MOST_ROWS:
        raise invalid("to", f"the period has more than {MOST_ROWS:,} rows; choose a shorter one")


def _transactions_of(
    deps: Dependencies, gateway: str, window: Period
) -> Callable[[str], Awaitable[TransactionPage | NotListed]]:
    return lambda token: deps.gateways.list_transactions(gateway, window, token)


async def _pages(
    gateway: str, read: Callable[[str], Awaitable[PageT | NotListed]]
) -> AsyncIterator[PageT]:
    token, seen = "", {""}
    while True:
        page = await read(token)
        if isinstance(page, NotListed):
            _log.warning("statement_not_read", gateway=gateway, detail=page.detail)
            raise statement_not_read(gateway)
        yield page
        token = page.next_page_token
        if not token:
            return
        if token in seen:
            _log.error("statement_goes_in_circles", gateway=gateway, page_token=token)
            raise statement_not_read(gateway)
        seen.add(token)
