"""Tokens that are signed with a provider's published keys: the key decides, never the token."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import Key, OKPKey

from kit.tokens_jws import TokenRefusedError, verify
from kit.tokens_keys import KeySetError, parse_key_set
from tests.kit.published_keys import ANOTHER_KEY, KEYS, key_set, published, signed
from tests.kit.tokens import encoded, made

ALLOWED = ("RS256", "ES256", "EdDSA")
ALL = parse_key_set(key_set(*map(published, ALLOWED)), ALLOWED)
CLAIMS = {"sub": "member-1"}
_PAYLOAD = json.dumps(CLAIMS).encode()


def _pem(key: Key) -> str:
    public: Any = key.get_op_key("verify")
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _confused(algorithm: str, secret: str) -> str:
    header = {"alg": "HS256", "kid": f"key-{algorithm}"}
    return made(header, CLAIMS, secret=secret, digest=hashlib.sha256)


REFUSED: dict[str, Callable[[], str]] = {
    "another key": lambda: signed(CLAIMS, key=ANOTHER_KEY),
    "another key that it brings": lambda: signed(
        CLAIMS, key=ANOTHER_KEY, jwk=ANOTHER_KEY.as_dict(private=False)
    ),
    "another key that it points to": lambda: signed(
        CLAIMS, key=ANOTHER_KEY, jku="https://attacker.example/jwks.json"
    ),
    "a certificate that it points to": lambda: signed(
        CLAIMS, key=ANOTHER_KEY, x5u="https://attacker.example/chain.pem"
    ),
    "a certificate that it brings": lambda: signed(CLAIMS, key=ANOTHER_KEY, x5c=["MIIB"]),
    "an unknown name": lambda: signed(CLAIMS, kid="key-unknown"),
    "a path as a name": lambda: signed(CLAIMS, kid="../../../dev/null"),
    "a query as a name": lambda: signed(CLAIMS, kid="x' UNION SELECT 'AA"),
    "the name of another key": lambda: signed(CLAIMS, kid="key-RS256"),
    "the algorithm of another key": lambda: signed(CLAIMS, alg="RS256"),
    "none": lambda: f"{encoded({'alg': 'none'})}.{encoded(CLAIMS)}.",
    "none with the name of a key": lambda: (
        f"{encoded({'alg': 'none', 'kid': 'key-ES256'})}.{encoded(CLAIMS)}."
    ),
    "public RSA key as the secret": lambda: _confused("RS256", _pem(KEYS["RS256"])),
    "public EC key as the secret": lambda: _confused("ES256", _pem(KEYS["ES256"])),
    "published entry as the secret": lambda: _confused("ES256", json.dumps(published())),
    "empty secret": lambda: _confused("ES256", ""),
    "a weaker family": lambda: signed(CLAIMS, "RS256", alg="PS256"),
    "a critical extension": lambda: signed(CLAIMS, crit=["exp"]),
    "an unencoded payload": lambda: signed(CLAIMS, crit=["b64"], b64=False),
    "no signature": lambda: signed(CLAIMS).rpartition(".")[0] + ".",
    "a signature of zeros": lambda: signed(CLAIMS).rpartition(".")[0] + "." + encoded(b"\x00" * 64),
    "a signature in another form": lambda: (
        signed(CLAIMS).rpartition(".")[0] + "." + encoded(b"\x30\x06\x02\x01\x01\x02\x01\x01")
    ),
    "a payload exchanged": lambda: ".".join(
        (signed(CLAIMS).split(".")[0], encoded({"sub": "victim"}), signed(CLAIMS).split(".")[2])
    ),
    "huge": lambda: signed({"sub": "m", "x": "y" * 5000}),
}


@pytest.mark.parametrize("algorithm", ALLOWED)
@pytest.mark.parametrize("named", [True, False])
def test_each_allowed_algorithm_is_verified_with_its_key(algorithm: str, named: bool) -> None:  # noqa: FBT001 - a case
    kid = f"key-{algorithm}" if named else None
    header = {} if named else {"kid": None}
    assert kid is None or kid in {key.kid for key in ALL}
    assert verify(signed(CLAIMS, algorithm, **header), ALL) == _PAYLOAD


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_every_trick_is_refused(make: Callable[[], str]) -> None:
    with pytest.raises(TokenRefusedError):
        verify(make(), ALL)


def test_an_algorithm_that_is_not_allowed_has_no_key() -> None:
    only_rsa = parse_key_set(key_set(*map(published, ALLOWED)), ["RS256"])

    assert [key.kid for key in only_rsa] == ["key-RS256"]
    with pytest.raises(TokenRefusedError):
        verify(signed(CLAIMS), only_rsa)


def test_a_token_without_a_name_is_refused_when_two_keys_could_be_meant() -> None:
    both = parse_key_set(key_set(published(), published(key=ANOTHER_KEY, kid="another")), ["ES256"])

    assert verify(signed(CLAIMS), both) == _PAYLOAD
    assert verify(signed(CLAIMS, key=ANOTHER_KEY, kid="another"), both) == _PAYLOAD
    with pytest.raises(TokenRefusedError):
        verify(signed(CLAIMS, kid=None), both)


@pytest.mark.parametrize(
    "changes",
    [
        {"use": None, "alg": None},
        {"key_ops": ["verify"]},
        {"kid": None},
        {"x5t": "abc", "unknown": {"a": 1}},
    ],
)
def test_a_key_may_say_less_or_more_about_itself(changes: dict[str, Any]) -> None:
    keys = parse_key_set(key_set(published(**changes)), ALLOWED)

    assert verify(signed(CLAIMS), keys) == _PAYLOAD


_USELESS: dict[str, dict[str, Any]] = {
    "for encryption": {"use": "enc"},
    "for signing only": {"key_ops": ["sign"]},
    "operations are text": {"key_ops": "verify"},
    "another algorithm": {"alg": "ES384"},
    "unknown algorithm": {"alg": "ES224"},
    "another type": {"kty": "RSA"},
    "another curve": {"crv": "P-384"},
    "an unknown curve": {"crv": "secp256k1", "alg": "ES256K"},
    "not on the curve": {"y": encoded(b"\x01" * 32)},
    "no point": {"x": None},
    "a point of text": {"x": "!!!"},
    "a point of numbers": {"x": 7},
    "its private half published": {"d": encoded(b"\x01" * 32)},
    "named by a number": {"kid": 1},
    "named by nothing": {"kid": ""},
}


@pytest.mark.parametrize("changes", _USELESS.values(), ids=_USELESS)
def test_a_key_for_something_else_verifies_nothing(changes: dict[str, Any]) -> None:
    alone = key_set(published(**changes))
    beside = parse_key_set(key_set(published("RS256"), published(**changes)), ALLOWED)

    with pytest.raises(KeySetError):
        parse_key_set(alone, ALLOWED)
    assert [key.kid for key in beside] == ["key-RS256"]


_WEAK_RSA: dict[str, dict[str, Any]] = {
    "1024 bits": {"n": encoded((2**1023 + 1).to_bytes(128))},
    "16384 bits": {"n": encoded((2**16383 + 1).to_bytes(2048))},
    "exponent 1": {"e": encoded(b"\x01")},
    "no modulus": {"n": ""},
    "modulus is a list": {"n": []},
    # 65537 to any power is what the faulty generator makes, whatever the prime.
    "traces of a faulty generator": {"n": encoded(pow(65537, 128).to_bytes(257))},
}


@pytest.mark.parametrize("changes", _WEAK_RSA.values(), ids=_WEAK_RSA)
def test_a_weak_key_verifies_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(KeySetError):
        parse_key_set(key_set(published("RS256", **changes)), ALLOWED)


_NO_KEY_SETS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "HTML": b"<html>",
    "a list": b"[]",
    "no keys": b"{}",
    "keys are an object": b'{"keys": {}}',
    "empty": b'{"keys": []}',
    "keys twice": b'{"keys": [], "keys": []}',
    "texts": b'{"keys": ["a"]}',
    "far too many": key_set(*[published()] * 65),
    "two of one name": key_set(published(), published(key=ANOTHER_KEY)),
    "a secret among public keys": key_set(published(), {"kty": "oct", "k": "A" * 43}),
    "a secret": key_set({"kty": "oct", "k": "A" * 43, "alg": "HS256"}),
    "nested deeply": b'{"keys":' + b"[" * 50_000,
}


@pytest.mark.parametrize("document", _NO_KEY_SETS.values(), ids=_NO_KEY_SETS)
def test_what_is_no_sound_key_set_is_refused_as_a_whole(document: bytes) -> None:
    with pytest.raises(KeySetError):
        parse_key_set(document, ALLOWED)


def test_a_secret_in_a_key_set_counts_only_where_secrets_are_allowed() -> None:
    document = key_set({"kty": "oct", "k": "A" * 43, "alg": "HS256", "kid": "s"})

    assert [key.kid for key in parse_key_set(document, ["HS256"])] == ["s"]
    short = key_set({"kty": "oct", "k": "A" * 42, "alg": "HS256", "kid": "s"})
    with pytest.raises(KeySetError):
        parse_key_set(short, ["HS256"])


def test_keys_of_one_curve_do_not_fit_the_other() -> None:
    x25519 = OKPKey.generate_key("X25519")

    with pytest.raises(KeySetError):
        parse_key_set(key_set(published("EdDSA", key=x25519)), ALLOWED)
