"""Issuing members' tokens for development and tests, as an identity provider would."""

from datetime import timedelta

from joserfc import jwt
from joserfc.jwk import OctKey

from kit.clock import Clock

_ALGORITHM = "HS256"


def issue_token(
    secret: str,
    user_id: str,
    clock: Clock,
    *,
    lifetime: timedelta = timedelta(hours=8),
    audience: str = "authenticated",
) -> str:
    """Return a token that says it comes from `user_id`, signed with the shared secret (HS256)."""
    now = int(clock.now().timestamp())
    claims: dict[str, object] = {
        "sub": user_id,
        "aud": audience,
        "role": audience,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
    }
    return jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, claims, OctKey.import_key(secret))
