"""Refunds through Flutterwave: asked for once, and found again by our mark (contract A4)."""

from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.flutterwave.client import FlutterwaveClient
from gateway_adapters.flutterwave.refund_rows import charge_id, comment, read_refund
from gateway_adapters.json_body import JsonObject, identifier_at
from gateway_adapters.refunds import REFUND_NOT_FOUND, RefundOrder, RefundQuery, RefundReport
from gateway_adapters.wording import plain_decimal
from kit.money import Money


class Refunds:
    """Creates and finds refunds. Our reference stands in `comments`: there is no other place."""

    def __init__(self, client: FlutterwaveClient) -> None:
        self._client = client

    async def create(self, order: RefundOrder) -> RefundReport:
        """Ask for a refund, once. Left out, the amount would be everything: it is always sent."""
        if not order.gateway_transaction_id:
            raise NotCreatedError("invalid_request", "a refund needs the transaction's identifier")
        body = {"amount": plain_decimal(order.amount), "comments": order.refund_reference}
        row = await self._client.create_refund(
            order.gateway_transaction_id, body, order.refund_reference
        )
        _require_charge(row, order.gateway_transaction_id)
        report = read_refund(row, order.amount.currency)
        _require_amount(report, order.amount)
        return report

    async def get(self, query: RefundQuery) -> RefundReport:
        """Look up by the refund's id when it is known, else by our mark on the transaction."""
        row = await self._found(query)
        if row is None:
            return REFUND_NOT_FOUND
        _require_charge(row, query.gateway_transaction_id)
        if query.amount is None:
            return read_refund(row, await self._currency_of(charge_id(row), query))
        report = read_refund(row, query.amount.currency)
        _require_amount(report, query.amount)
        return report

    async def _found(self, query: RefundQuery) -> JsonObject | None:
        reference = query.refund_reference
        if query.gateway_refund_id:
            row = await self._client.refund(query.gateway_refund_id, reference)
            if row is not None:
                _require_mark(row, reference)
                return row
        if not query.gateway_transaction_id:
            raise OutcomeUnknownError(
                "invalid_request", "a refund is looked for among those of its transaction"
            )
        rows = await self._client.refunds_of(query.gateway_transaction_id, reference)
        marked = [row for row in rows if comment(row) == reference]
        if len(marked) > 1:
            raise OutcomeUnknownError(
                "reference_mismatch", "several refunds carry one reference", operator_alert=True
            )
        return marked[0] if marked else None

    async def _currency_of(self, transaction_id: str, query: RefundQuery) -> str:
        charge = await self._client.verify(
            transaction_id or query.gateway_transaction_id, query.refund_reference
        )
        return identifier_at(charge or {}, "currency")


def _require_mark(row: JsonObject, reference: str) -> None:
    """Require that a refund found by id is ours, as far as the reply says whose it is."""
    if comment(row) not in ("", reference):
        raise OutcomeUnknownError("reference_mismatch", "the refund has another reference")


def _require_charge(row: JsonObject, transaction_id: str) -> None:
    if transaction_id and charge_id(row) not in ("", transaction_id):
        raise OutcomeUnknownError("reference_mismatch", "the refund is another transaction's")


def _require_amount(report: RefundReport, expected: Money) -> None:
    if report.amount != expected:
        raise OutcomeUnknownError(
            "amount_mismatch", "the refund has another amount", operator_alert=True
        )
