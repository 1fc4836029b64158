"""The errors of payments that callers see, and the two that only our own code sees."""

from collections.abc import Sequence
from uuid import UUID

from kit.errors import ErrorCode, FieldViolation, InvalidRequestError, ServiceError


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
