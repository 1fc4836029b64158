"""Members' JSON Web Tokens: which member does a token speak for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from kit.clock import Clock
from kit.errors import ErrorCode, ServiceError
from kit.strict_json import parse_strict_json
from kit.tokens_jws import (
    TokenRefusedError,
    UnverifiedToken,
    read_token,
    verified_payload,
)
from kit.tokens_keys import VerificationKey, shared_secret

# Clocks differ; what is a few seconds early or late is on time.
_LEEWAY_SECONDS = 30
_MAX_USER_ID_LENGTH = 100
_LATEST_TIME = 2**53


class KeySource(Protocol):
    """Where verification keys come from."""

    async def keys_for(self, token: UnverifiedToken) -> Sequence[VerificationKey]:
        """Return the keys that `token` may be verified with; none when there are none.

        Raises `ServiceError` (UNAVAILABLE) when the keys cannot be had now.
        """
        ...


class SharedSecret:
    """The key of an identity provider that signs with a shared secret (HS256)."""

    def __init__(self, secret: str) -> None:
        self._keys = (shared_secret(secret),)

    async def keys_for(self, token: UnverifiedToken) -> Sequence[VerificationKey]:
        """Return the one key."""
        del token
        return self._keys


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must say.

    `algorithms`: where the keys of each allowed algorithm come from; tokens that name another one
    are refused. `audience`: the required `aud`. `issuer`: the required `iss`, or None for any.
    """

    algorithms: Mapping[str, KeySource]
    audience: str = "authenticated"
    issuer: str | None = None


class UserTokens:
    """Verifies tokens of one identity provider, for example Supabase: `sub` is the user's id."""

    def __init__(self, rules: TokenRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock

    async def user_id(self, token: str) -> str:
        """Return the member that `token` is about.

        Raises `ServiceError`: UNAUTHENTICATED when the token is malformed, forged, by or for
        somebody else, not yet valid or expired, or names no member; UNAVAILABLE when the keys to
        tell cannot be had.
        """
        try:
            unverified = read_token(token)
            source = self._rules.algorithms.get(unverified.algorithm)
            if source is None:
                raise _refused()
            keys = await source.keys_for(unverified)
            claims = parse_strict_json(verified_payload(unverified, keys))
        except (TokenRefusedError, ValueError) as error:
            raise _refused() from error
        if not isinstance(claims, dict) or not self._are_for_us_now(claims):
            raise _refused()
        return _subject(claims)

    def _are_for_us_now(self, claims: Mapping[str, Any]) -> bool:
        now = self._clock.now().timestamp()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires = claims.get("exp")
        return (
            self._rules.audience in audiences
            and self._rules.issuer in (None, claims.get("iss"))
            and _is_time(expires)
            and now - _LEEWAY_SECONDS < expires
            and all(_is_past(claims.get(name, 0), now) for name in ("nbf", "iat"))
        )


def _is_past(at: Any, now: float) -> bool:
    return _is_time(at) and at <= now + _LEEWAY_SECONDS


def _is_time(value: Any) -> TypeGuard[float]:
    """Whether a claim is a NumericDate (RFC 7519 §2)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= _LATEST_TIME


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_USER_ID_LENGTH:
        raise _refused()
    # What could not be stored or told apart in a log names nobody.
    if not subject.isprintable() or subject != subject.strip():
        raise _refused()
    return subject


def _refused() -> ServiceError:
    return ServiceError(
        ErrorCode.UNAUTHENTICATED,
        "USER_TOKEN_INVALID",
        "the member's token is missing, malformed, expired or not for this service",
    )
