"""Flutterwave's words and what they mean: statuses, declines, refusals (contract A3, A12)."""

from collections.abc import Sequence

from gateway_adapters.charges import Charge, ChargeReport, Failure, Outcome
from gateway_adapters.errors import GatewayFailureError, NotCreatedError, OutcomeUnknownError
from gateway_adapters.json_body import JsonObject, amount_at, identifier_at
from gateway_adapters.verdicts import (
    DUPLICATE_REFERENCE,
    GATEWAY_CONFIGURATION,
    HttpReply,
    Verdict,
    failure_of_creation,
    refusal,
)
from gateway_adapters.wording import code_for, detail_of, exact_money, outcome_for

# Contract A3.7. Only the documented word is a success; the legacy "success" is left to the
# warning below, because a wrong success gives something away and a wrong pending is asked again.
_OUTCOMES = {
    "successful": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.FAILED,
    "pending": Outcome.PENDING,
    "pending auth": Outcome.PENDING,
    "pending-validation": Outcome.PENDING,
    "success-pending-validation": Outcome.PENDING,
}

# `processor_response` is free text (contract A3.7): the most telling phrase first.
_DECLINES = (
    ("insufficient", "insufficient_funds"),
    ("incorrect pin", "incorrect_pin"),
    ("invalid pin", "incorrect_pin"),
    ("otp", "incorrect_otp"),
    ("fraud", "fraud_suspected"),
    ("expired", "card_expired"),
    ("restricted", "card_restricted"),
    ("retain card", "card_restricted"),
    ("pick up", "card_restricted"),
    ("not permitted", "card_restricted"),
    ("invalid card", "invalid_card"),
    ("invalid token", "invalid_card"),
    ("cancelled by", "payer_declined"),
    ("rejected by", "payer_declined"),
    ("do not hono", "card_declined"),
    ("avs", "card_declined"),
    ("invalid transaction", "card_declined"),
)

_ALREADY_REFUNDED = "already_refunded"
_WALLET_TOO_POOR = "wallet_balance_too_low"

# What a refund is refused for (contract A4: its wording is not established).
_REFUND_REFUSALS = (
    ("already been refunded", _ALREADY_REFUNDED),
    ("already refunded", _ALREADY_REFUNDED),
    ("balance", _WALLET_TOO_POOR),
    ("merchant", GATEWAY_CONFIGURATION),
    ("not enabled", GATEWAY_CONFIGURATION),
    ("amount", "amount_not_supported"),
)

_REFUSALS = (
    ("duplicate", DUPLICATE_REFERENCE),
    ("already", DUPLICATE_REFERENCE),
    ("merchant", GATEWAY_CONFIGURATION),
    ("not enabled", GATEWAY_CONFIGURATION),
    ("currency", "currency_not_supported"),
    ("amount", "amount_not_supported"),
)


def outcome_of(status: str) -> Outcome:
    """Return what a transaction's `status` means; an unknown one is pending, with a warning."""
    return outcome_for(status, _OUTCOMES, "flutterwave")


def decline_code(processor_response: str) -> str:
    """Return the code of a decline."""
    return code_for(processor_response, _DECLINES, "declined")


def error_words(reply: HttpReply) -> str:
    """Return the message of an error envelope, "" when the body is anything else.

    The envelope is `status` "error", a message, and no data (contract A1); with data it contradicts
    itself.
    """
    document = reply.document or {}
    message = document.get("message")
    proper = document.get("status") == "error" and document.get("data") is None
    return message if proper and isinstance(message, str) else ""


def is_success(reply: HttpReply) -> bool:
    """Tell whether a reply is a success envelope."""
    return (reply.document or {}).get("status") == "success"


def creation_failure(reply: HttpReply) -> GatewayFailureError | None:
    """Return what a reply to creating a hosted link proves went wrong, or None.

    An error envelope under HTTP 200 has been seen (contract A1). It counts as a refusal: creating
    a link takes no money, and nobody can pay on a link that this reply does not contain.
    """
    words = error_words(reply)
    if reply.verdict is not Verdict.ANSWERED:
        return failure_of_creation(reply, words, _refusal_code)
    if words:
        return refusal(_refusal_code(words), detail_of(words))
    if is_success(reply):
        return None
    return OutcomeUnknownError("unreadable_reply", "a 2xx that is neither success nor error")


def refund_failure(reply: HttpReply) -> GatewayFailureError | None:
    """Return what a reply to creating a refund proves went wrong, or None.

    Unlike a hosted link, a refund moves money: an error envelope under HTTP 200 proves nothing.
    """
    words = error_words(reply)
    if reply.verdict is not Verdict.ANSWERED:
        failure = failure_of_creation(reply, words, _refund_refusal_code)
        if isinstance(failure, NotCreatedError) and failure.code == _WALLET_TOO_POOR:
            return NotCreatedError(failure.code, failure.detail, operator_alert=True)
        return failure
    if is_success(reply):
        return None
    return OutcomeUnknownError("unreadable_reply", detail_of(words) or "a 2xx without success")


def read_transaction(row: JsonObject) -> ChargeReport:
    """Read one transaction, which is one try of the payer (contract A3.4, A3.5).

    The amount is what was asked for (`amount`), not what the payer paid with the fee on top. A fee
    with more decimals than its currency has is left out: nothing is rounded. Raises
    `OutcomeUnknownError` when a success has no exact amount or no identifier.
    """
    status = identifier_at(row, "status")
    outcome = outcome_of(status)
    currency = identifier_at(row, "currency")
    amount = exact_money(currency, amount_at(row, "amount"))
    transaction_id = identifier_at(row, "id")
    if outcome is Outcome.SUCCEEDED and (amount is None or not transaction_id):
        # Without its own name, the same money could be counted twice.
        missing = "an exact amount" if amount is None else "an identifier"
        raise OutcomeUnknownError(
            "unreadable_reply", f"a successful charge without {missing}", operator_alert=True
        )
    words = row.get("processor_response")
    return ChargeReport(
        outcome=outcome,
        charge=Charge(
            reference=identifier_at(row, "tx_ref"),
            gateway_transaction_id=transaction_id,
            amount=amount,
            fee=exact_money(currency, amount_at(row, "app_fee")),
            failure=_failure(words) if outcome is Outcome.FAILED else None,
            gateway_status=status,
        ),
    )


def sum_up(tries: Sequence[ChargeReport], max_tries: int) -> ChargeReport:
    """Return what all tries under one reference mean together.

    `tries`: at least one, oldest first. Any success wins, then any pending try. Failed tries are
    the end only once the payer has no try left on the page; before, the last one shows as
    `failure` of a pending charge.
    """
    for outcome in (Outcome.SUCCEEDED, Outcome.PENDING):
        found = [each for each in tries if each.outcome is outcome]
        if found:
            return found[-1]
    last = tries[-1]
    if len(tries) >= max_tries:
        return last
    return ChargeReport(outcome=Outcome.PENDING, charge=last.charge)


def _failure(words: object) -> Failure:
    text = words if isinstance(words, str) else ""
    return Failure(code=decline_code(text), detail=detail_of(text))


def _refund_refusal_code(words: str) -> str:
    return code_for(words, _REFUND_REFUSALS, "invalid_request")


def _refusal_code(words: str) -> str:
    return code_for(words, _REFUSALS, "invalid_request")
