"""Flutterwave's refunds, in each of the spellings that they are seen in (contract A4)."""

from datetime import datetime
from decimal import Decimal

from gateway_adapters.charges import Failure, Outcome
from gateway_adapters.json_body import (
    JsonBodyError,
    JsonObject,
    amount_at,
    identifier_at,
    moment_at,
    read_json_object,
)
from gateway_adapters.refunds import RefundReport
from gateway_adapters.wording import exact_money, outcome_for

# Contract A4. "completed" means that the refund was accepted, not that the payer has the money.
_OUTCOMES = {
    "new": Outcome.PENDING,
    "pending": Outcome.PENDING,
    "pending-momo": Outcome.PENDING,
    "processing": Outcome.PENDING,
    "completed": Outcome.PENDING,
    "completed-bank-transfer": Outcome.SUCCEEDED,
    "completed-momo": Outcome.SUCCEEDED,
    "completed-mpgs": Outcome.SUCCEEDED,
    "completed-offline": Outcome.SUCCEEDED,
    "completed-preauth": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
}
_DISBURSED = "successful"


def refund_outcome(row: JsonObject) -> Outcome:
    """Return what became of a refund; a word that is not known is pending, with a warning."""
    status = identifier_at(row, "status")
    if status.lower() == "completed" and _disburse_status(row) == _DISBURSED:
        return Outcome.SUCCEEDED
    return outcome_for(status, _OUTCOMES, "flutterwave")


def charge_id(row: JsonObject) -> str:
    """Return the identifier of the transaction that a refund belongs to, or ""."""
    return identifier_at(row, "tx_id", "transaction_id", "TransactionId")


def comment(row: JsonObject) -> str:
    """Return what was written beside a refund, or ""."""
    return identifier_at(row, "comments", "comment").strip()


def create_time(row: JsonObject) -> datetime | None:
    """Return when a refund was asked for."""
    return moment_at(row, "created_at", "createdAt")


def amount(row: JsonObject) -> Decimal | str | int | None:
    """Return what goes back, in major units and as it was written."""
    written = amount_at(row, "amount_refunded")
    return amount_at(row, "AmountRefunded") if written is None else written


def read_refund(row: JsonObject, currency: str) -> RefundReport:
    """Read one refund. `currency`: of its transaction; a refund does not name it."""
    outcome = refund_outcome(row)
    failed = Failure(code="refund_failed", detail="")
    return RefundReport(
        outcome=outcome,
        gateway_refund_id=identifier_at(row, "id"),
        amount=exact_money(currency, amount(row)),
        failure=failed if outcome is Outcome.FAILED else None,
        gateway_status=identifier_at(row, "status"),
    )


def _disburse_status(row: JsonObject) -> str:
    """Return what `meta` says of the payment to the payer; it may be JSON inside JSON."""
    meta = row.get("meta")
    if isinstance(meta, str):
        try:
            meta = read_json_object(meta.encode())
        except JsonBodyError:
            return ""
    return identifier_at(meta, "disburse_status").lower() if isinstance(meta, dict) else ""
