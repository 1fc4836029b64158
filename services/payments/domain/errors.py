"""The errors of payments that callers see, and the two that only our own code sees."""

from collections.abc import Sequence
from uuid import UUID

from kit.errors import ErrorCode, FieldViolation, InvalidRequestError, ServiceError
from kit.money import Money


class StaleWriteError(Exception):
    """Somebody else changed the row meanwhile, or holds its lease now: this write is dropped."""


class CommitUnknownError(ServiceError):
    """The connection broke during a commit: it may or may not have happened; re-read to decide."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.UNAVAILABLE,
            "STORAGE_UNAVAILABLE",
            "the database went away; try again with the same idempotency key",
        )


def storage_unavailable() -> ServiceError:
    """Return the error for a database that is away; nothing was stored."""
    return ServiceError(
        ErrorCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", "the database is not reachable; try again"
    )


def gateways_unavailable() -> ServiceError:
    """Return the error for adapters that are all away; nothing was stored."""
    return ServiceError(
        ErrorCode.UNAVAILABLE,
        "GATEWAYS_UNAVAILABLE",
        "no gateway for this payment is reachable now; nothing was recorded, try again",
    )


def payment_not_found(payment_id: UUID) -> ServiceError:
    """Return the error for a payment that is missing, or that the caller may not see."""
    return ServiceError(
        ErrorCode.NOT_FOUND, "PAYMENT_NOT_FOUND", f"there is no payment {payment_id}"
    )


def invalid(field: str, description: str) -> InvalidRequestError:
    """Return the error for one wrong field."""
    return InvalidRequestError([FieldViolation(field, description)])


def invalid_fields(violations: Sequence[FieldViolation]) -> InvalidRequestError:
    """Return the error for several wrong fields."""
    return InvalidRequestError(violations)


def idempotency_key_reused() -> ServiceError:
    """Return the error for a key that came with another request before."""
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        "IDEMPOTENCY_KEY_REUSED",
        "this idempotency key was used with other parameters; choose a new key",
        violations=[FieldViolation("idempotency_key", "was used with other parameters")],
    )


def request_in_progress() -> ServiceError:
    """Return the error for a request whose first copy is still running."""
    return ServiceError(
        ErrorCode.ABORTED,
        "REQUEST_IN_PROGRESS",
        "the same request is being worked on; retry with the same idempotency key",
    )


def payment_already_open(payment_id: UUID) -> ServiceError:
    """Return the error for a purchase that is already being paid in another way."""
    return ServiceError(
        ErrorCode.ALREADY_EXISTS,
        "PAYMENT_ALREADY_OPEN",
        "the member is already paying for this tier; finish or cancel that payment first",
        metadata={"payment_id": str(payment_id)},
    )


def tier_already_active(tier: str) -> ServiceError:
    """Return the error for buying again what is already paid for."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "TIER_ALREADY_ACTIVE",
        f"the member already has {tier} for this billing cycle; it can be renewed in its last days",
    )


def not_cancellable(status: str) -> ServiceError:
    """Return the error for cancelling a payment that is no longer open."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "PAYMENT_NOT_CANCELLABLE",
        f"a payment that is {status} cannot be cancelled",
        metadata={"status": status},
    )


def attempt_not_closed(why: str) -> ServiceError:
    """Return the error for an attempt that the gateway does not take back."""
    return ServiceError(ErrorCode.FAILED_PRECONDITION, "ATTEMPT_NOT_CLOSED", why)


def stream_interrupted() -> ServiceError:
    """Return the error that ends a stream whose server stops; its reader resumes elsewhere."""
    return ServiceError(
        ErrorCode.UNAVAILABLE,
        "STREAM_INTERRUPTED",
        "the server is stopping; watch again with the last version seen",
    )


def gateway_not_asked() -> ServiceError:
    """Return the error for a check that got no answer; the payment is unchanged."""
    return ServiceError(
        ErrorCode.UNAVAILABLE,
        "GATEWAY_NOT_REACHABLE",
        "the gateway could not be asked now; the payment is unchanged and is checked again soon",
    )


def not_retryable(why: str) -> ServiceError:
    """Return the error for retrying a payment that is not failed or expired."""
    return ServiceError(ErrorCode.FAILED_PRECONDITION, "PAYMENT_NOT_RETRYABLE", why)


def no_action_expected() -> ServiceError:
    """Return the error for a one-time password that nobody waits for."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "NO_ACTION_EXPECTED",
        "the payment waits for no one-time password",
    )


def otp_refused(message: str) -> ServiceError:
    """Return the error for a wrong one-time password. `message`: for the member."""
    return ServiceError(ErrorCode.FAILED_PRECONDITION, "OTP_REFUSED", message)


def not_refundable(status: str) -> ServiceError:
    """Return the error for refunding a payment that kept no money."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "PAYMENT_NOT_REFUNDABLE",
        f"a payment that is {status} has nothing to refund",
        metadata={"status": status},
    )


def refund_too_large(left: Money) -> ServiceError:
    """Return the error for refunding more than is left."""
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        "REFUND_TOO_LARGE",
        f"at most {left} can be refunded",
        metadata={"currency_code": left.currency, "left_minor": str(left.minor)},
        violations=[FieldViolation("amount", f"at most {left} can be refunded")],
    )


def refund_not_found(refund_id: UUID) -> ServiceError:
    """Return the error for a refund that is missing, or that the caller may not see."""
    return ServiceError(ErrorCode.NOT_FOUND, "REFUND_NOT_FOUND", f"there is no refund {refund_id}")


def refund_not_failed(status: str) -> ServiceError:
    """Return the error for trying a refund again that did not fail."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "REFUND_NOT_FAILED",
        f"only a failed refund is tried again; this one is {status}",
        metadata={"status": status},
    )


def payment_not_held() -> ServiceError:
    """Return the error for deciding about a payment whose money is not held."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION, "PAYMENT_NOT_HELD", "the payment is not held for review"
    )


def review_cannot_grant(why: str) -> ServiceError:
    """Return the error for granting with held money what it cannot buy any more."""
    return ServiceError(ErrorCode.FAILED_PRECONDITION, "REVIEW_CANNOT_GRANT", why)


def event_not_found(event_id: UUID) -> ServiceError:
    """Return the error for a callback that is not stored."""
    return ServiceError(ErrorCode.NOT_FOUND, "EVENT_NOT_FOUND", f"there is no event {event_id}")


def event_not_unattributed(status: str) -> ServiceError:
    """Return the error for attributing a callback that belongs to a payment already."""
    return ServiceError(
        ErrorCode.FAILED_PRECONDITION,
        "EVENT_NOT_UNATTRIBUTED",
        f"the event is {status}; only unattributed events are attributed",
        metadata={"status": status},
    )


def no_money_found(why: str) -> ServiceError:
    """Return the error for a callback behind which the gateway has no money for us."""
    return ServiceError(ErrorCode.FAILED_PRECONDITION, "NO_MONEY_FOUND", why)


def statement_not_read(gateway: str) -> ServiceError:
    """Return the error for a gateway's list that could not be read to its end."""
    return ServiceError(
        ErrorCode.UNAVAILABLE,
        "STATEMENT_NOT_READ",
        f"{gateway} did not list all that it recorded or paid out; try again",
    )


def run_too_long() -> ServiceError:
    """Return the error for a reconciliation that did not end in time; what it healed stays so."""
    return ServiceError(
        ErrorCode.UNAVAILABLE,
        "RECONCILIATION_TOO_LONG",
        "the reconciliation did not end in time; what it healed stays so, choose a shorter period",
    )
