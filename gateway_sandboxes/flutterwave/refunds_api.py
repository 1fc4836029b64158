"""`POST /v3/transactions/{id}/refund`, `GET /v3/refunds` and `/v3/refunds/{id}` (contract A4)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import has_too_many_decimals, parse_amount
from gateway_sandboxes.faults import LookupStage, Subject
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.paging import cut_page, fits, is_between
from gateway_sandboxes.flutterwave.records import Refund, Transaction
from gateway_sandboxes.flutterwave.refund_bodies import fetched, initiated, listed
from gateway_sandboxes.flutterwave.refunds import Refunds, RefundWish
from gateway_sandboxes.flutterwave.replies import NOT_FOUND, RefusedError, success
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.subjects import subject_of
from gateway_sandboxes.json_http import read_object
from gateway_sandboxes.settings import Switchable

_PAGE_SIZE = 10
_SMALLEST_NAIRA = 100
_NO_REFUND = "No refund was found for this id"


class RefundsApi:
    """The endpoints that give money back and tell what became of it."""

    def __init__(self, ledger: Ledger, refunds: Refunds, behaviour: Switchable[Behaviour]) -> None:
        self._ledger = ledger
        self._refunds = refunds
        self._behaviour = behaviour

    async def create(self, request: Request) -> Response:
        """Accept a refund; nothing has arrived yet when the reply says `completed`."""
        transaction = self._ledger.transaction(request.path_params["id"])
        if transaction is None:
            raise RefusedError(NOT_FOUND)
        payload = await read_object(request)
        if transaction.status != "successful":
            raise RefusedError("Only successful transactions can be refunded")
        wish = RefundWish(
            amount=self._amount(payload, transaction),
            comments=_text(payload, "comments"),
            callback_url=_callback_url(payload),
        )
        refund = self._refunds.accept(transaction, wish)
        reply = success("Transaction refund initiated", initiated(refund))
        self._refunds.proceed(refund)
        return reply

    async def fetch(self, request: Request) -> Response:
        """Return one refund."""
        refund = self._refunds.get(request.path_params["id"])
        stage: LookupStage = request.state.lookup_stage
        if refund is None or stage is LookupStage.NOT_FOUND:
            raise RefusedError(_NO_REFUND)
        return success("Refund fetched", fetched(_as_seen(refund, stage)))

    async def list_all(self, request: Request) -> Response:
        """List refunds, newest first; the parameter `id` means the transaction's."""
        stage: LookupStage = request.state.lookup_stage
        known = [] if stage is LookupStage.NOT_FOUND else self._refunds.all()
        seen = [_as_seen(refund, stage) for refund in reversed(known)]
        page = cut_page(request, [row for row in seen if _matches(row, request)], _PAGE_SIZE)
        casing = self._behaviour.current.refund_list_casing
        rows = [
            listed(row, ("snake", "pascal")[at % 2] if casing == "mixed" else casing)
            for at, row in enumerate(page.rows)
        ]
        return success("Refunds fetched", rows, meta={"page_info": page.info})

    async def describe_creation(self, request: Request) -> Subject:
        """Say which payment a refund is about; its amount is the refund's own."""
        transaction = self._ledger.transaction(request.path_params["id"])
        payload = await read_object(request)
        amount, comments = parse_amount(payload.get("amount")), payload.get("comments")
        if transaction is None:
            return Subject(operation="refund", amount=amount)
        subject = subject_of(transaction, "refund", amount=amount)
        return replace(subject, mark=comments if isinstance(comments, str) else None)

    async def describe_by_id(self, request: Request) -> Subject:
        """Say which payment a refund belongs to."""
        refund = self._refunds.get(request.path_params["id"])
        if refund is None:
            return Subject(operation="lookup")
        return self._lookup(str(refund.transaction_id))

    async def describe_list(self, request: Request) -> Subject:
        """Say which payment a list is about, if it is about one."""
        return self._lookup(request.query_params.get("id", ""))

    def _lookup(self, number: str) -> Subject:
        transaction = self._ledger.transaction(number)
        return subject_of(transaction, "lookup") if transaction else Subject(operation="lookup")

    def _amount(self, payload: dict[str, Any], transaction: Transaction) -> Decimal:
        """Read how much goes back; left out, it is all that is left."""
        left, currency = self._refunds.refundable(transaction), transaction.currency
        if left <= 0:
            raise RefusedError("This transaction has already been refunded")
        if payload.get("amount") in (None, ""):
            return left
        amount = parse_amount(payload["amount"])
        if amount is None or amount <= 0:
            raise RefusedError("amount must be a number greater than 0")
        if currency == "NGN" and amount < _SMALLEST_NAIRA:
            raise RefusedError(f"Amount should be above NGN{_SMALLEST_NAIRA}")
        strict = self._behaviour.current.fractions_of_whole_currencies == "reject"
        if strict and has_too_many_decimals(amount, currency):
            raise RefusedError(f"amount has too many decimals for {currency}")
        if amount > left:
            raise RefusedError("Refund amount is more than what is left of the transaction")
        return amount


def _as_seen(refund: Refund, stage: LookupStage) -> Refund:
    """Return the refund as a look-up that lags behind shows it."""
    return refund if stage is LookupStage.TRUTH else replace(refund, status="completed")


def _matches(row: Refund, request: Request) -> bool:
    values: dict[str, object] = {
        "id": row.transaction_id,
        "status": row.status,
        "currency": row.currency,
    }
    return fits(request, values) and is_between(request, row.created_at)


def _text(payload: dict[str, Any], name: str) -> str | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError(f"{name} must be a string")
    return value or None


def _callback_url(payload: dict[str, Any]) -> str | None:
    url = _text(payload, "callbackurl")
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        raise RefusedError("callbackurl must be an absolute URL")
    return url
