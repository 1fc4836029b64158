"""Verify by id and by reference, the transaction list, events, resend-hook (A3.5, A9)."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.faults import LookupStage, Subject
from gateway_sandboxes.flutterwave.bodies import events, listed, verified
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.notifications import resend
from gateway_sandboxes.flutterwave.paging import cut_page, fits, is_between
from gateway_sandboxes.flutterwave.records import Transaction
from gateway_sandboxes.flutterwave.replies import NOT_FOUND, RefusedError, success
from gateway_sandboxes.flutterwave.subjects import subject_of
from gateway_sandboxes.machinery import Machinery

_PAGE_SIZE = 10
_FETCHED = "Transaction fetched successfully"


class TransactionsApi:
    """The endpoints that tell what became of attempts; `hosted_url` is where hosted pages live."""

    def __init__(self, ledger: Ledger, machinery: Machinery, hosted_url: str) -> None:
        self._ledger = ledger
        self._machinery = machinery
        self._hosted_url = hosted_url

    async def verify(self, request: Request) -> Response:
        """Verify by id."""
        return self._verified(request, self._ledger.transaction(request.path_params["id"]))

    async def verify_by_reference(self, request: Request) -> Response:
        """Verify by the merchant's own reference."""
        tx_ref = request.query_params.get("tx_ref")
        if not tx_ref:
            raise RefusedError("please provide one of tx Ref or flw Ref")
        return self._verified(request, self._ledger.deciding_transaction(tx_ref))

    async def list_all(self, request: Request) -> Response:
        """List attempts, newest first."""
        rows = [row for row in reversed(self._candidates(request)) if _matches(row, request)]
        page = cut_page(request, rows, _PAGE_SIZE)
        return success(
            "Transactions fetched",
            [listed(row) for row in page.rows],
            meta={"page_info": page.info},
        )

    async def events(self, request: Request) -> Response:
        """Tell what happened to an attempt, step by step."""
        transaction = self._ledger.transaction(request.path_params["id"])
        if transaction is None:
            raise RefusedError(NOT_FOUND)
        return success("Transaction events fetched", events(transaction))

    async def resend_hook(self, request: Request) -> Response:
        """Send the webhook of an attempt once more."""
        transaction = self._ledger.transaction(request.path_params["id"])
        if transaction is None:
            raise RefusedError(NOT_FOUND)
        behaviour = self._machinery.behaviour.current
        resend(transaction, self._machinery.outbox, behaviour, self._hosted_url)
        return success("hook sent successfully", "hook sent")

    async def describe_by_id(self, request: Request) -> Subject:
        """Say which payment an id belongs to."""
        return _subject(self._ledger.transaction(request.path_params["id"]), None)

    async def describe_by_reference(self, request: Request) -> Subject:
        """Say which payment a reference belongs to."""
        tx_ref = request.query_params.get("tx_ref")
        known = self._ledger.deciding_transaction(tx_ref) if tx_ref else None
        return _subject(known, tx_ref)

    async def describe_resend(self, request: Request) -> Subject:
        """Say which payment a resend is about; it is none of the named operations."""
        return replace(await self.describe_by_id(request), operation="resend")

    def _verified(self, request: Request, transaction: Transaction | None) -> Response:
        stage: LookupStage = request.state.lookup_stage
        if transaction is None or stage is LookupStage.NOT_FOUND:
            raise RefusedError(NOT_FOUND)
        return success(_FETCHED, verified(_as_seen(transaction, stage), self._hosted_url))

    def _candidates(self, request: Request) -> list[Transaction]:
        stage: LookupStage = request.state.lookup_stage
        if stage is LookupStage.NOT_FOUND:
            return []
        rows = self._ledger.transactions(request.query_params.get("tx_ref") or None)
        return [_as_seen(row, stage) for row in rows]


def _as_seen(transaction: Transaction, stage: LookupStage) -> Transaction:
    """Return the transaction as a look-up that lags behind shows it."""
    if stage is LookupStage.TRUTH:
        return transaction
    return replace(
        transaction,
        status="pending",
        processor_response="Transaction in progress",
        amount_settled=None,
    )


def _subject(transaction: Transaction | None, tx_ref: str | None) -> Subject:
    if transaction is None:
        return Subject(operation="lookup", reference=tx_ref)
    return subject_of(transaction, "lookup")


def _matches(row: Transaction, request: Request) -> bool:
    values: dict[str, object] = {
        "tx_ref": row.tx_ref,
        "status": row.status,
        "currency": row.currency,
        "customer_fullname": row.customer.name,
    }
    if not row.customer.email.endswith(request.query_params.get("customer_email", "")):
        return False
    return fits(request, values) and is_between(request, row.created_at)
