"""The keys that tokens are verified with: which ones may be used, for which algorithm alone."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jwk import Key, OctKey

from kit.strict_json import parse_strict_json

_MAX_KEYS = 64
_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192
_MIN_RSA_EXPONENT = 3
_PUBLIC_MEMBERS = ("kty", "crv", "n", "e", "x", "y", "k")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What kind of key an algorithm needs (RFC 7518 §3.1, RFC 8037 §3.1).

    `kty`: the key type. `crv`: the curve, where there are several. `min_octets`: the shortest
    shared secret (RFC 7518 §3.2: as long as the hash).
    """

    kty: str
    crv: str = ""
    min_octets: int = 0


ALGORITHMS: Mapping[str, KeyKind] = {
    "HS256": KeyKind("oct", min_octets=32),
    "HS384": KeyKind("oct", min_octets=48),
    "HS512": KeyKind("oct", min_octets=64),
    "RS256": KeyKind("RSA"),
    "RS384": KeyKind("RSA"),
    "RS512": KeyKind("RSA"),
    "PS256": KeyKind("RSA"),
    "PS384": KeyKind("RSA"),
    "PS512": KeyKind("RSA"),
    "ES256": KeyKind("EC", "P-256"),
    "ES384": KeyKind("EC", "P-384"),
    "ES512": KeyKind("EC", "P-521"),
    "EdDSA": KeyKind("OKP", "Ed25519"),
    "Ed25519": KeyKind("OKP", "Ed25519"),
}

# Generators of weak RSA keys leave this trace: the modulus is a power of 65537 modulo each small
# prime (Nemec et al., "The Return of Coppersmith's Attack", ACM CCS 2017, §3.3).
_ROCA_GENERATOR = 65537
_ROCA_PRIMES = (
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
)  # fmt: skip


class KeySetError(ValueError):
    """A published key set that cannot be used as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """One key and what it may verify.

    `kid`: its name in the set, None when it has none. `algorithms`: the only ones that a token
    signed with it may name.
    """

    kid: str | None
    algorithms: frozenset[str]
    key: Key


def shared_secret(secret: str, algorithm: str = "HS256") -> VerificationKey:
    """Return the key of a shared secret. Raises `KeySetError` for one that is too short."""
    raw = secret.encode()
    if len(raw) < ALGORITHMS[algorithm].min_octets:
        raise KeySetError(
            f"{algorithm} needs a secret of at least {ALGORITHMS[algorithm].min_octets} bytes"
        )
    key = OctKey.import_key(raw)
    return VerificationKey(kid=None, algorithms=frozenset({algorithm}), key=key)


def parse_key_set(document: bytes, algorithms: Collection[str]) -> Sequence[VerificationKey]:
    """Return the keys of a JWK Set (RFC 7517 §5) that may verify one of `algorithms`.

    Keys for something else are left out, as that section asks. Raises `KeySetError` when the
    document is no key set, mixes shared secrets with public keys, names two usable keys alike, or
    has no usable key.
    """
    try:
        parsed = parse_strict_json(document)
    except ValueError as error:
        raise KeySetError("the key set is not JSON") from error
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise KeySetError("the key set has no list of keys, or far too many")
    members = [each for each in entries if isinstance(each, dict)]
    if len({each.get("kty") == "oct" for each in members}) > 1:
        raise KeySetError("the key set mixes shared secrets with public keys")
    candidates = [each for each in members if _fitting(each, algorithms)]
    names = [each.get("kid") for each in candidates]
    if any(names.count(name) > 1 for name in names):
        raise KeySetError("two keys of the set have the same name")
    keys = [key for each in candidates if (key := _imported(each, algorithms))]
    if not keys:
        raise KeySetError("the key set has no usable key")
    return keys


def _fitting(members: Mapping[str, Any], algorithms: Collection[str]) -> frozenset[str]:
    """Return which of `algorithms` a JWK is meant for."""
    kid = members.get("kid")
    operations = members.get("key_ops", ["verify"])
    meant_for_this = (
        (kid is None or (isinstance(kid, str) and kid != ""))
        and members.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
    return frozenset(name for name in algorithms if meant_for_this and _fits(members, name))


def _fits(members: Mapping[str, Any], algorithm: str) -> bool:
    kind = ALGORITHMS[algorithm]
    return (
        members.get("alg", algorithm) == algorithm
        and members.get("kty") == kind.kty
        and members.get("crv", "") == kind.crv
    )


def _imported(members: Mapping[str, Any], algorithms: Collection[str]) -> VerificationKey | None:
    """Read a key; None when it is broken or weak, or its private half is published."""
    fitting = _fitting(members, algorithms)
    shared = members.get("kty") == "oct"
    if not shared and members.keys() & _PRIVATE_MEMBERS:
        return None
    wanted = {name: members[name] for name in _PUBLIC_MEMBERS if name in members}
    try:
        if not _is_strong(wanted, fitting):
            return None
        key = jwk.import_key(wanted)
        if not shared:
            # Only now a point that is not on its curve is noticed.
            key.get_op_key("verify")
    except (JoseError, ValueError, TypeError):
        return None
    return VerificationKey(kid=members.get("kid"), algorithms=fitting, key=key)


def _is_strong(members: Mapping[str, Any], algorithms: Collection[str]) -> bool:
    """Whether a JWK's numbers can protect anything. Raises `ValueError` for none at all."""
    if members["kty"] == "oct":
        shortest = max(ALGORITHMS[name].min_octets for name in algorithms)
        return len(_octets(members, "k")) >= shortest
    if members["kty"] != "RSA":
        return True
    modulus = int.from_bytes(_octets(members, "n"))
    exponent = int.from_bytes(_octets(members, "e"))
    return (
        _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS
        and exponent >= _MIN_RSA_EXPONENT
        and not _has_roca_trace(modulus)
    )


def _octets(members: Mapping[str, Any], name: str) -> bytes:
    value = members.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")  # noqa: TRY004 - the caller's one kind of error
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _has_roca_trace(modulus: int) -> bool:
    return all(
        modulus % prime in {pow(_ROCA_GENERATOR, power, prime) for power in range(prime)}
        for prime in _ROCA_PRIMES
    )
