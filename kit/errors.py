"""The typed errors that cross a process boundary. Pure: `kit.status` knows their gRPC form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """What a caller can do about an error; each is the gRPC code of the same name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNKNOWN = "UNKNOWN"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing that is wrong with a request.

    `field`: path of the field in the request, for example "customer.email".
    `description`: what is wrong and what would be right, without repeating the value.
    """

    field: str
    description: str


class ServiceError(Exception):
    """An error that a caller may see.

    `code`: what kind of error. `reason`: a stable UPPER_SNAKE name for programs. `message`: a
    sentence for people, without secrets or personal data. `metadata`: further facts for programs.
    """

    def __init__(
        self,
        code: ErrorCode,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)


class InvalidRequestError(ServiceError):
    """A request that can never succeed as it is, with everything that is wrong with it."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        fields = ", ".join(violation.field for violation in violations)
        super().__init__(
            ErrorCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            f"the request is not valid: {fields}",
            violations=violations,
        )


class NotYetOfferedError(ServiceError):
    """A call whose shape is published and whose function is not built yet."""

    def __init__(self, what: str) -> None:
        super().__init__(
            ErrorCode.UNIMPLEMENTED,
            "NOT_YET_OFFERED",
            f"{what} is part of the published interface but this version does not offer it yet;"
            " see the status table in README.md",
        )
