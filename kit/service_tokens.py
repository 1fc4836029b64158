"""Which service calls: tokens that name their holder, compared in constant time."""

import hmac
from collections.abc import Iterable

from kit.errors import ErrorCode, ServiceError
from kit.settings import NamedSecret

_SCHEME = "bearer "


class ServiceTokens:
    """The callers that a process knows."""

    def __init__(self, tokens: Iterable[NamedSecret]) -> None:
        self._tokens = [(each.name, each.secret.encode()) for each in tokens]

    def caller(self, authorization: str | None) -> str:
        """Return the name of the service that presents `authorization` ("Bearer <token>").

        Every known token is compared, so the time tells nothing about which one was close.
        Raises `ServiceError` (UNAUTHENTICATED) without a known token.
        """
        presented = authorization or ""
        scheme, token = presented[: len(_SCHEME)], presented[len(_SCHEME) :].encode()
        matches = [name for name, known in self._tokens if hmac.compare_digest(known, token)]
        if scheme.lower() != _SCHEME or not matches:
            raise ServiceError(
                ErrorCode.UNAUTHENTICATED,
                "SERVICE_TOKEN_INVALID",
                "send `authorization: Bearer <service token>` with a token this service knows",
            )
        return matches[0]
