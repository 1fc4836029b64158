"""`GET /v3/chargebacks` and `PUT /v3/chargebacks/{id}` (contract A10)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.chargebacks import Chargebacks
from gateway_sandboxes.flutterwave.paging import cut_page, fits, is_between
from gateway_sandboxes.flutterwave.records import Chargeback, ChargebackStatus
from gateway_sandboxes.flutterwave.replies import RefusedError, success
from gateway_sandboxes.json_http import read_object

_PAGE_SIZE = 20
_ANSWERS: dict[str, ChargebackStatus] = {"accept": "accepted", "decline": "declined"}


class ChargebacksApi:
    """The endpoints that list chargebacks and take the merchant's answer."""

    def __init__(self, chargebacks: Chargebacks) -> None:
        self._chargebacks = chargebacks

    async def list_all(self, request: Request) -> Response:
        """List chargebacks, newest first."""
        rows = [row for row in reversed(self._chargebacks.all()) if _matches(row, request)]
        page = cut_page(request, rows, _PAGE_SIZE, tells_size=True)
        return success(
            "Chargebacks fetched",
            [listed(row) for row in page.rows],
            meta={"page_info": page.info},
        )

    async def answer(self, request: Request) -> Response:
        """Accept a chargeback or decline it, which lets the bank decide."""
        chargeback = self._chargebacks.get(request.path_params["id"])
        if chargeback is None:
            raise RefusedError("No chargeback was found for this id")
        payload = await read_object(request)
        status = _ANSWERS.get(str(payload.get("action")))
        if status is None:
            raise RefusedError("action must be accept or decline")
        if chargeback.status != "initiated":
            raise RefusedError(f"This chargeback is already {chargeback.status}")
        self._chargebacks.move(chargeback, status, "merchant", str(payload.get("comment") or ""))
        return success(f"Chargeback {status}", None)

    async def describe_list(self, _: Request) -> Subject:
        """Say that the list is a look-up."""
        return Subject(operation="lookup")

    async def describe_answer(self, request: Request) -> Subject:
        """Say which payment a chargeback belongs to; answering is none of the named operations."""
        chargeback = self._chargebacks.get(request.path_params["id"])
        if chargeback is None:
            return Subject(operation="chargeback")
        return Subject(
            operation="chargeback", reference=chargeback.tx_ref, amount=chargeback.amount
        )


def listed(chargeback: Chargeback) -> dict[str, object]:
    """Return a row of the list."""
    history = [
        {
            "initiator": step.initiator,
            "date": isoformat(step.at),
            "description": step.description,
            "action": step.action,
            "stage": "new",
            "source": "dashboard",
        }
        for step in chargeback.history
    ]
    settlement = chargeback.settlement_id
    return {
        "id": chargeback.id,
        "amount": chargeback.amount,
        "flw_ref": chargeback.flw_ref,
        "status": chargeback.status,
        "stage": "new",
        "comment": chargeback.comment,
        "meta": {"uploaded_proof": None, "history": history},
        "due_date": isoformat(chargeback.due_at),
        "settlement_id": "NEW" if settlement is None else str(settlement),
        "created_at": isoformat(chargeback.created_at),
        "transaction_id": chargeback.transaction_id,
        "tx_ref": chargeback.tx_ref,
    }


def _matches(row: Chargeback, request: Request) -> bool:
    values: dict[str, object] = {
        "id": row.id,
        "status": row.status,
        "currency": row.currency,
        "flw_ref": row.flw_ref,
    }
    return fits(request, values) and is_between(request, row.created_at)
