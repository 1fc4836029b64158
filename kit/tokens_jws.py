"""Signed tokens (RFC 7515, compact form): read strictly, verified with a key of our choosing."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jws
from joserfc.errors import JoseError

from kit.strict_json import parse_strict_json
from kit.tokens_keys import VerificationKey

MAX_TOKEN_LENGTH = 4096
_MAX_KID_LENGTH = 200
_PART = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
# Header members that we understand. A token that brings or points to its own key (jku, jwk, x5u,
# x5c), that asks for an extension (crit, b64) or that is compressed (zip) is refused unread.
_UNDERSTOOD = frozenset({"alg", "typ", "cty", "kid"})
_IGNORABLE = re.compile(r"x5t(#S256)?")
# The library knows the algorithm of RFC 8037 under its newer name (RFC 9864).
_LIBRARY_NAMES = {"EdDSA": "Ed25519"}


class TokenRefusedError(ValueError):
    """A token that proves nothing. The message says why, for tests and never for its sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A token as it claims to be. Nothing in it is true before `verified_payload`.

    `kid`: the name of the key that it wants to be verified with, or None.
    """

    algorithm: str
    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def verify(
    token: str, keys: Sequence[VerificationKey], max_length: int = MAX_TOKEN_LENGTH
) -> bytes:
    """Return the payload of a token that one of `keys` signed.

    `max_length`: longer tokens are refused unread, in characters. Raises `TokenRefusedError`.
    """
    return verified_payload(read_token(token, max_length), keys)


def read_token(token: str, max_length: int = MAX_TOKEN_LENGTH) -> UnverifiedToken:
    """Take a token apart. Raises `TokenRefusedError` for every form but the canonical one."""
    if len(token) > max_length:
        raise TokenRefusedError("is too long")
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise TokenRefusedError("has not three parts")
    header, payload, signature = map(_decoded, parts)
    algorithm, kid = _read_header(header)
    return UnverifiedToken(
        algorithm=algorithm,
        kid=kid,
        payload=payload,
        signed=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def verified_payload(token: UnverifiedToken, keys: Sequence[VerificationKey]) -> bytes:
    """Return the payload when the one key that the token may be verified with says so.

    The key decides about the algorithm, never the token. Raises `TokenRefusedError`.
    """
    key = key_for(token, keys)
    if key is None:
        raise TokenRefusedError("is signed with no key of ours")
    algorithm = jws.default_registry.algorithms[
        _LIBRARY_NAMES.get(token.algorithm, token.algorithm)
    ]
    try:
        genuine = algorithm.verify(token.signed, token.signature, key.key)
    except (JoseError, ValueError) as error:
        raise TokenRefusedError("has an unreadable signature") from error
    if not genuine:
        raise TokenRefusedError("has a wrong signature")
    return token.payload


def key_for(token: UnverifiedToken, keys: Sequence[VerificationKey]) -> VerificationKey | None:
    """Return the only key that fits a token's algorithm and, where both have one, its name."""
    fitting = [
        key
        for key in keys
        if token.algorithm in key.algorithms and key.kid in (None, token.kid or key.kid)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _decoded(part: str) -> bytes:
    """Decode base64url without padding; its last character must not hide bits (RFC 4648 §3.5)."""
    if not _PART.fullmatch(part) or len(part) % 4 == 1:
        raise TokenRefusedError("is not base64url")
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise TokenRefusedError("is not canonical base64url")
    return raw


def _read_header(raw: bytes) -> tuple[str, str | None]:
    try:
        header = parse_strict_json(raw)
    except ValueError as error:
        raise TokenRefusedError("has an unreadable header") from error
    if not isinstance(header, dict):
        raise TokenRefusedError("has a header that is no object")
    if any(name not in _UNDERSTOOD and not _IGNORABLE.fullmatch(name) for name in header):
        raise TokenRefusedError("has a header that we do not understand")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise TokenRefusedError("names no algorithm")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _MAX_KID_LENGTH):
        raise TokenRefusedError("names its key in a strange way")
    return algorithm, kid
