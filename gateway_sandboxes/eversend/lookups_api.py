"""Transactions and wallets, read only (sections 4 and 6)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import plain
from gateway_sandboxes.eversend.account import Account
from gateway_sandboxes.eversend.bodies import looked_up, wallet
from gateway_sandboxes.eversend.corridors import OPENING_WALLETS
from gateway_sandboxes.eversend.ledger import subject_of
from gateway_sandboxes.eversend.records import Payout, Row, Wallet
from gateway_sandboxes.eversend.replies import RefusedError, success
from gateway_sandboxes.faults import LookupStage, Subject
from gateway_sandboxes.machinery import Machinery

_RANGES = {"day": 1, "week": 7, "month": 31, "year": 366}
_LARGEST_PAGE = 100
_MOST_DIGITS = 6

Condition = Callable[[Row], bool]


class LookupsApi:
    """The endpoints that tell what became of money, and what the wallets hold."""

    def __init__(self, account: Account, machinery: Machinery) -> None:
        self._statement = account.statement
        self._balances = account.wallets
        self._machinery = machinery

    async def wallets(self, _: Request) -> Response:
        """List the wallets."""
        return success([wallet(self._wallet(currency)) for currency in OPENING_WALLETS])

    async def wallet(self, request: Request) -> Response:
        """Return one wallet."""
        currency = request.path_params["currency"].upper()
        if currency not in OPENING_WALLETS:
            raise RefusedError("Wallet not found", 404)
        return success({"wallet": wallet(self._wallet(currency))})

    async def transaction(self, request: Request) -> Response:
        """Return one transaction, in the shape that the settings say now."""
        stage: LookupStage = request.state.lookup_stage
        row = self._statement.row(request.path_params["id"])
        if row is None or stage is LookupStage.NOT_FOUND:
            raise RefusedError("Transaction not found", 404)
        body = looked_up(_as_seen(row, stage))
        as_list = self._machinery.behaviour.current.lookup_shape == "list"
        return success({"transactions": [body]} if as_list else body)

    async def transactions(self, request: Request) -> Response:
        """Search, filter and page, newest first."""
        stage: LookupStage = request.state.lookup_stage
        known = [] if stage is LookupStage.NOT_FOUND else self._statement.rows()
        conditions = self._conditions(request)
        seen = (_as_seen(row, stage) for row in reversed(known))
        rows = [row for row in seen if all(condition(row) for condition in conditions)]
        page = _whole(request, "page", 1)
        limit = min(_whole(request, "limit", 10), _LARGEST_PAGE)
        return success(
            {
                "total_payouts": _total(rows, "payout"),
                "total_collections": _total(rows, "collection"),
                "balance": 0,
                "transactions": [looked_up(row) for row in rows[(page - 1) * limit : page * limit]],
                "total": len(rows),
                "limit": limit,
                "page": page,
            }
        )

    async def describe_transaction(self, request: Request) -> Subject:
        """Say which payment an id belongs to."""
        return self._subject(request.path_params["id"])

    async def describe_search(self, request: Request) -> Subject:
        """Say which payment a search is after."""
        return self._subject(request.query_params.get("search", ""))

    async def describe_other(self, _: Request) -> Subject:
        """Say that a request is none of the operations which faults can name."""
        return Subject(operation="other")

    def _subject(self, sought: str) -> Subject:
        found = self._statement.row(sought)
        found = found or next(iter(self._statement.under_reference(sought)), None)
        if found is None:
            return Subject(operation="lookup", reference=sought or None)
        return subject_of(found, "lookup")

    def _wallet(self, currency: str) -> Wallet:
        return Wallet(currency=currency, amount=self._balances.balance(currency))

    def _conditions(self, request: Request) -> list[Condition]:
        wanted = request.query_params
        conditions: list[Condition] = []
        if search := wanted.get("search", "").lower():
            conditions.append(
                lambda row: search in row.transaction_id.lower() or search in row.reference.lower()
            )
        if kind := wanted.get("type"):
            conditions.append(lambda row: row.kind == kind)
        if currency := wanted.get("currency"):
            conditions.append(lambda row: row.currency == currency)
        if status := wanted.get("status"):
            conditions.append(lambda row: row.status == status)
        since, until = self._period(request)
        conditions.append(lambda row: since <= row.created_at.date() <= until)
        return conditions

    def _period(self, request: Request) -> tuple[date, date]:
        wanted = request.query_params
        since, until = _day(wanted.get("from"), date.min), _day(wanted.get("to"), date.max)
        if (name := wanted.get("range")) is not None:
            if name not in _RANGES:
                raise RefusedError(f'"range" must be one of [{", ".join(_RANGES)}]')
            today: datetime = self._machinery.clock.now()
            since = max(since, (today - timedelta(days=_RANGES[name])).date())
        return since, until


def _total(rows: list[Row], kind: str) -> str:
    """Return what succeeded among the rows of a kind, whatever the currencies."""
    amounts = (row.amount for row in rows if row.kind == kind and row.status == "successful")
    return plain(sum(amounts, Decimal(0)))


def _as_seen(row: Row, stage: LookupStage) -> Row:
    """Return the row as a look-up that lags behind shows it."""
    if stage is LookupStage.TRUTH:
        return row
    if isinstance(row, Payout):
        return replace(row, status="pending", reason=None)
    return replace(
        row,
        status="pending",
        reason=None,
        fees=None,
        balance_before=None,
        balance_after=None,
    )


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise RefusedError(f'"{name}" must be a positive number')
    return int(text)


def _day(text: str | None, default: date) -> date:
    try:
        return date.fromisoformat(text) if text else default
    except ValueError as problem:
        raise RefusedError('"from" and "to" must be dates such as 2026-11-20') from problem
