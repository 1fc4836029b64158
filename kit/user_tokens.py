"""Members' JSON Web Tokens: verification, and issuing for development."""

from datetime import timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from kit.clock import Clock
from kit.errors import ErrorCode, ServiceError

_ALGORITHM = "HS256"
_LEEWAY_SECONDS = 30
_MAX_TOKEN_LENGTH = 4096
_MAX_USER_ID_LENGTH = 100


class UserTokens:
    """Verifies HS256 tokens as Supabase issues them: `aud` "authenticated", `sub` the user's id.

    `secret`: the shared secret. `audience`: the required `aud`. The algorithm is pinned: a token
    that names another one is refused.
    """

    def __init__(self, secret: str, clock: Clock, audience: str = "authenticated") -> None:
        self._key = OctKey.import_key(secret)
        self._clock = clock
        self._audience = audience

    def user_id(self, token: str) -> str:
        """Return the member that `token` is about.

        Raises `ServiceError` (UNAUTHENTICATED) when the token is malformed, forged, for another
        audience, not yet valid or expired, or names no member.
        """
        if len(token) > _MAX_TOKEN_LENGTH:
            raise _refused()
        try:
            decoded = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            self._registry().validate(decoded.claims)
        except (JoseError, ValueError, RecursionError) as error:
            raise _refused() from error
        subject = decoded.claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_USER_ID_LENGTH:
            raise _refused()
        # What could not be stored or told apart in a log names nobody.
        if not subject.isprintable() or subject != subject.strip():
            raise _refused()
        return subject

    def issue(self, user_id: str, lifetime: timedelta = timedelta(hours=8)) -> str:
        """Return a token for a member, for development and tests."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, object] = {
            "sub": user_id,
            "aud": self._audience,
            "role": self._audience,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
        }
        return jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, claims, self._key)

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=_LEEWAY_SECONDS,
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )


def _refused() -> ServiceError:
    return ServiceError(
        ErrorCode.UNAUTHENTICATED,
        "USER_TOKEN_INVALID",
        "the member's token is missing, malformed, expired or not for this service",
    )
