"""Eversend's words and what they mean: statuses, declines, refusals (contract §3, §6)."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Protocol, TypeVar

from gateway_adapters.charges import Charge, ChargeReport, Failure, Outcome
from gateway_adapters.errors import GatewayFailureError, NotCreatedError, OutcomeUnknownError
from gateway_adapters.json_body import JsonObject, amount_at, identifier_at, object_at
from gateway_adapters.refunds import RefundReport
from gateway_adapters.verdicts import DUPLICATE_REFERENCE, HttpReply, Verdict, failure_of_creation
from gateway_adapters.wording import code_for, detail_of, exact_money, outcome_for

# Codes of payouts. The wallet is the merchant's own: somebody has to fill it.
QUOTATION_REFUSED = "quotation_refused"
WALLET_TOO_POOR = "wallet_balance_too_low"

# Contract §6: three documented words, the rest tolerated.
_OUTCOMES = {
    "pending": Outcome.PENDING,
    "successful": Outcome.SUCCEEDED,
    "completed": Outcome.SUCCEEDED,
    "success": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.FAILED,
    "declined": Outcome.FAILED,
    "error": Outcome.FAILED,
    "expired": Outcome.FAILED,
    "reversed": Outcome.FAILED,
}

# `reason` is free text: the most telling phrase first.
_DECLINES = (
    ("insufficient", "insufficient_funds"),
    ("pin", "incorrect_pin"),
    ("expired", "prompt_expired"),
    ("timed out", "prompt_expired"),
    ("timeout", "prompt_expired"),
    ("in time", "prompt_expired"),
    ("not approve", "payer_declined"),
    ("declined", "payer_declined"),
    ("rejected", "payer_declined"),
    ("cancel", "payer_declined"),
)

# There are no machine-readable error codes (§3): the status first, then keywords.
_REFUSALS = (
    ("already", DUPLICATE_REFERENCE),
    ("duplicate", DUPLICATE_REFERENCE),
    ("otp is required", "otp_required"),
    ("otp", "incorrect_otp"),
    ("pinid", "incorrect_otp"),
    ("insufficient", "insufficient_funds"),
    ("phone", "invalid_phone_number"),
    ("currency", "currency_not_supported"),
    ("country", "country_not_supported"),
    ("not supported", "country_not_supported"),
    ("amount", "amount_not_supported"),
    ("minimum", "amount_not_supported"),
    ("maximum", "amount_not_supported"),
    ("limit", "amount_not_supported"),
)

# What a payout is refused for besides (§7.2). A token that was used up means that a payout was
# made with it: nothing is proven.
_PAYOUT_REFUSALS = (
    ("already", DUPLICATE_REFERENCE),
    ("duplicate", DUPLICATE_REFERENCE),
    ("quotation", QUOTATION_REFUSED),
    ("insufficient", WALLET_TOO_POOR),
    ("recipient", "recipient_not_found"),
    *_REFUSALS,
)

_PAYOUT_FAILURES = (
    ("recipient", "recipient_not_found"),
    ("beneficiary", "recipient_not_found"),
    ("insufficient", WALLET_TOO_POOR),
    ("limit", "recipient_limit_reached"),
    ("timed out", "gateway_timeout"),
    ("timeout", "gateway_timeout"),
)


def outcome_of(status: str) -> Outcome:
    """Return what a transaction's `status` means; an unknown one is pending, with a warning."""
    return outcome_for(status, _OUTCOMES, "eversend")


def decline_code(reason: str) -> str:
    """Return the code of a decline."""
    return code_for(reason, _DECLINES, "declined")


def refusal_words(reply: HttpReply) -> str:
    """Return the message of an error body, "" when there is none.

    `message` is text, or an object that holds the text under the same name (§3).
    """
    document = reply.document or {}
    message = document.get("message")
    if message is not None and not isinstance(message, str):
        message = (object_at(document, "message") or {}).get("message")
    return message if isinstance(message, str) else ""


def is_origin_refused(reply: HttpReply) -> bool:
    """Tell whether the network gate refused us: no other token would help (§2)."""
    words = refusal_words(reply).lower()
    gate = "origin" in words or "whitelist" in words
    return reply.status == HTTPStatus.UNAUTHORIZED and gate


def creation_failure(reply: HttpReply) -> GatewayFailureError | None:
    """Return what a reply to creating a collection proves went wrong, or None."""
    return _failure_of_post(reply, _REFUSALS)


def payout_failure(reply: HttpReply) -> GatewayFailureError | None:
    """Return what a reply to creating a payout proves went wrong, or None (§7.2).

    A quotation that is refused has a 401 of its own, which is not about our credentials.
    """
    words = refusal_words(reply)
    if reply.status == HTTPStatus.UNAUTHORIZED and "quotation" in words.lower():
        return NotCreatedError(QUOTATION_REFUSED, detail_of(words))
    failure = _failure_of_post(reply, _PAYOUT_REFUSALS)
    if isinstance(failure, NotCreatedError) and failure.code == WALLET_TOO_POOR:
        return NotCreatedError(failure.code, failure.detail, operator_alert=True)
    return failure


def read_payout(node: JsonObject) -> RefundReport:
    """Read one payout (§7.2); `amount` is what arrives, `fee` what the wallet pays on top.

    A payout that came back is a failure whatever its status says. Raises `OutcomeUnknownError` when
    a success has no exact amount.
    """
    status = identifier_at(node, "status")
    outcome = Outcome.FAILED if node.get("isRefunded") is True else outcome_of(status)
    amount = exact_money(
        identifier_at(node, "destinationCurrency", "currency"),
        _first_amount(node, "destinationAmount", "amount"),
    )
    if outcome is Outcome.SUCCEEDED and amount is None:
        raise OutcomeUnknownError(
            "unreadable_reply", "a successful payout without an exact amount", operator_alert=True
        )
    reason = node.get("reason")
    words = reason if isinstance(reason, str) else ""
    failed = Failure(
        code=code_for(words, _PAYOUT_FAILURES, "payout_failed"), detail=detail_of(words)
    )
    return RefundReport(
        outcome=outcome,
        gateway_refund_id=identifier_at(node, "transactionId"),
        amount=amount,
        fee=exact_money(identifier_at(node, "sourceCurrency", "currency"), amount_at(node, "fees")),
        failure=failed if outcome is Outcome.FAILED else None,
        gateway_status=status,
    )


def read_transaction(node: JsonObject) -> ChargeReport:
    """Read one transaction (§6); amounts are major units, usually as text.

    Raises `OutcomeUnknownError` when a success has no exact amount or no identifier.
    """
    status = identifier_at(node, "status")
    outcome = outcome_of(status)
    currency = identifier_at(node, "currency")
    amount = exact_money(currency, amount_at(node, "amount"))
    transaction_id = identifier_at(node, "transactionId")
    if outcome is Outcome.SUCCEEDED and (amount is None or not transaction_id):
        # Without its own name, the same money could be counted twice.
        missing = "an exact amount" if amount is None else "an identifier"
        raise OutcomeUnknownError(
            "unreadable_reply", f"a successful charge without {missing}", operator_alert=True
        )
    reason = node.get("reason")
    words = reason if isinstance(reason, str) else ""
    failed = Failure(code=decline_code(words), detail=detail_of(words))
    return ChargeReport(
        outcome=outcome,
        charge=Charge(
            reference=identifier_at(node, "transactionRef"),
            gateway_transaction_id=transaction_id,
            amount=amount,
            fee=exact_money(currency, amount_at(node, "fees")),
            failure=failed if outcome is Outcome.FAILED else None,
            gateway_status=status,
        ),
    )


class Report(Protocol):
    """What a gateway says about a charge or a refund."""

    @property
    def outcome(self) -> Outcome:
        """Success, pending or failure."""
        ...


R = TypeVar("R", bound=Report)


def most_hopeful(found: Sequence[R]) -> R:
    """Return what several transactions under one reference mean: money first, then hope.

    `found`: at least one. What a repeated reference does is not documented (§5.4).
    """
    ranks = (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.FAILED)
    return min(found, key=lambda report: ranks.index(report.outcome))


def _failure_of_post(
    reply: HttpReply, refusals: Sequence[tuple[str, str]]
) -> GatewayFailureError | None:
    """Return what a reply to a POST proves went wrong, or None.

    A 2xx that says `success: false` contradicts itself and proves nothing: it may have been done.
    """
    words = refusal_words(reply)
    if reply.verdict is Verdict.ANSWERED and (reply.document or {}).get("success") is not True:
        return OutcomeUnknownError("unreadable_reply", detail_of(words) or "no success in a 2xx")
    default = "declined" if reply.status == HTTPStatus.PAYMENT_REQUIRED else "invalid_request"
    return failure_of_creation(reply, words, lambda text: code_for(text, refusals, default))


def _first_amount(node: JsonObject, *keys: str) -> Decimal | str | int | None:
    """Return the amount under the first of `keys` that has one, unchecked."""
    amounts = (amount_at(node, key) for key in keys)
    return next((amount for amount in amounts if amount is not None), None)
