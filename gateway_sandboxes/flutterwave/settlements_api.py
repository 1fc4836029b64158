"""`GET /v3/settlements` and `GET /v3/settlements/{id}` (contract A11)."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.bodies import ACCOUNT_ID
from gateway_sandboxes.flutterwave.methods import METHODS
from gateway_sandboxes.flutterwave.paging import cut_page, is_between
from gateway_sandboxes.flutterwave.records import Settlement, Transaction
from gateway_sandboxes.flutterwave.replies import RefusedError, success
from gateway_sandboxes.flutterwave.settlements import Settlements
from gateway_sandboxes.json_http import dump_json

_PAGE_SIZE = 20


class SettlementsApi:
    """The endpoints that tell what the merchant was paid."""

    def __init__(self, settlements: Settlements, merchant_name: str) -> None:
        self._settlements = settlements
        self._merchant_name = merchant_name

    async def list_all(self, request: Request) -> Response:
        """List settlements, newest first; the ids of transactions come as a list here."""
        rows = [
            each
            for each in reversed(self._settlements.all())
            if is_between(request, each.created_at)
        ]
        page = cut_page(request, rows, _PAGE_SIZE, tells_size=True)
        bodies = [
            {
                **self._body(row),
                "is_local": True,
                "meta": row.transaction_ids,
                "refund_meta": row.refund_ids,
                "chargeback_meta": row.chargeback_ids,
            }
            for row in page.rows
        ]
        return success("Settlements fetched", bodies, meta={"page_info": page.info})

    async def fetch(self, request: Request) -> Response:
        """Return one settlement with its transactions."""
        settlement = self._settlements.get(request.path_params["id"])
        if settlement is None:
            raise RefusedError("No settlement was found for this id")
        return success("Settlement fetched", self.detailed(settlement))

    async def describe(self, _: Request) -> Subject:
        """Say that these are look-ups."""
        return Subject(operation="lookup")

    def detailed(self, settlement: Settlement) -> dict[str, object]:
        """Return a settlement with its transactions; their ids come as JSON inside JSON here."""
        return {
            **self._body(settlement),
            "is_local": 1,
            "meta": dump_json(settlement.transaction_ids).decode(),
            "refund_meta": dump_json(settlement.refund_ids).decode(),
            "chargeback_meta": dump_json(settlement.chargeback_ids).decode(),
            "transactions": [_line(each) for each in self._settlements.transactions(settlement)],
        }

    def _body(self, settlement: Settlement) -> dict[str, Any]:
        created_at = isoformat(settlement.created_at)
        day = isoformat(_midnight(settlement.created_at))
        return {
            "id": settlement.id,
            "account_id": ACCOUNT_ID,
            "merchant_name": self._merchant_name,
            "merchant_email": "merchant@example.com",
            "settlement_account": "0690000031",
            "bank_code": "044",
            "transaction_date": day,
            "due_date": day,
            "processed_date": created_at,
            "status": "completed",
            "currency": settlement.currency,
            "gross_amount": settlement.gross_amount,
            "app_fee": settlement.app_fee,
            "merchant_fee": 0,
            "chargeback": settlement.chargeback,
            "refund": settlement.refund,
            "stampduty_charge": 0,
            "net_amount": settlement.net_amount,
            "transaction_count": len(settlement.transaction_ids),
            "processor_ref": None,
            "disburse_ref": "INSTANT_SETTLEMENT",
            "disburse_message": None,
            "channel": "web",
            "destination": "autowallet",
            "fx_data": None,
            "flag_message": None,
            "source_bankcode": None,
            "created_at": created_at,
        }


def _line(transaction: Transaction) -> dict[str, object]:
    return {
        "customer_email": transaction.customer.email,
        "flw_ref": transaction.flw_ref,
        "tx_ref": transaction.tx_ref,
        "id": transaction.id,
        "charged_amount": transaction.charged_amount,
        "app_fee": transaction.app_fee,
        "merchant_fee": 0,
        "stampduty_charge": 0,
        "settlement_amount": transaction.amount_settled,
        "status": transaction.status,
        "payment_entity": METHODS[transaction.option].payment_type,
        "transaction_date": transaction.created_at.date().isoformat(),
        "currency": transaction.currency,
        "card_locale": "LOCAL",
        "rrn": "N/A",
        "subaccount_settlement": 0,
    }


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
