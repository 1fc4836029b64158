"""Refunds as the API and the webhook show them (contract A4, A14)."""

from typing import Any, Literal

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.flutterwave.bodies import ACCOUNT_ID
from gateway_sandboxes.flutterwave.records import Refund
from gateway_sandboxes.json_http import dump_json

_WALLET_ID = 691450
_SOURCE = {"source": "availablebalance"}


def initiated(refund: Refund) -> dict[str, object]:
    """Return `data` of the reply to a new refund."""
    return {**_core(refund), "meta": _SOURCE, "created_at": isoformat(refund.created_at)}


def fetched(refund: Refund) -> dict[str, object]:
    """Return `data` of the reply to a look-up by id; `meta` is JSON inside JSON here."""
    return {
        **_core(refund),
        "comments": refund.comments,
        "settlement_id": _settlement(refund),
        "meta": _meta(refund),
        "created_at": isoformat(refund.created_at),
    }


def listed(refund: Refund, casing: Literal["snake", "pascal"]) -> dict[str, object]:
    """Return a row of the list, in one of the two spellings that it is seen in."""
    if casing == "pascal":
        return refund_webhook(refund)
    return {
        "id": refund.id,
        "amount_refunded": refund.amount,
        "status": refund.status,
        "flw_ref": refund.flw_ref,
        "comment": refund.comments,
        "settlement_id": _settlement(refund),
        "meta": _meta(refund),
        "created_at": isoformat(refund.created_at),
        "account_id": ACCOUNT_ID,
        "transaction_id": refund.transaction_id,
    }


def refund_webhook(refund: Refund) -> dict[str, object]:
    """Return the webhook: flat, without an event name."""
    return {
        "id": refund.id,
        "AmountRefunded": refund.amount,
        "status": refund.status,
        "FlwRef": refund.flw_ref,
        "destination": "payment_source",
        "comments": refund.comments,
        "settlement_id": _settlement(refund),
        "meta": _meta(refund),
        "createdAt": isoformat(refund.created_at),
        "updatedAt": isoformat(refund.updated_at),
        "deletedAt": None,
        "walletId": _WALLET_ID,
        "AccountId": ACCOUNT_ID,
        "TransactionId": refund.transaction_id,
    }


def _core(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "account_id": ACCOUNT_ID,
        "tx_id": refund.transaction_id,
        "flw_ref": refund.flw_ref,
        "wallet_id": _WALLET_ID,
        "amount_refunded": refund.amount,
        "status": refund.status,
        "destination": "payment_source",
    }


def _meta(refund: Refund) -> str:
    if refund.status == "completed":
        return dump_json(_SOURCE).decode()
    status = "failed" if refund.status == "failed" else "successful"
    disbursed = {"disburse_ref": f"RF{refund.id}", "disburse_status": status}
    return dump_json({**_SOURCE, **disbursed}).decode()


def _settlement(refund: Refund) -> str:
    return "NEW" if refund.settlement_id is None else str(refund.settlement_id)
