"""Flutterwave's v4 signature: one right spelling, over the exact bytes, and no other header."""

import base64
import hashlib
import hmac

import pytest

from gateway_adapters.callbacks import CallbackRefusedError
from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from tests.kit.raw_http import send_raw
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import (
    EVERSEND_SECRET,
    FLUTTERWAVE_SECRET,
    FLUTTERWAVE_V4_SECRET,
    V4_BODY,
    Headers,
    eversend_signature,
    request_bytes,
    v4_signature,
)
from tests.receiver.scripted_payments import ScriptedPayments

NAME = b"flutterwave-signature"
KEY = FLUTTERWAVE_V4_SECRET.encode()
RIGHT = v4_signature()
DIGEST = base64.b64decode(RIGHT)
V3_HASH = FLUTTERWAVE_SECRET.encode()
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _changed(position: int) -> bytes:
    other = b"A" if RIGHT[position : position + 1] != b"A" else b"B"
    return RIGHT[:position] + other + RIGHT[position + 1 :]


def _same_bytes_other_text() -> list[bytes]:
    """Return what decodes to the very same signature and is not how it is written.

    Two bits of the last character before the padding carry nothing.
    """
    last = RIGHT[-2]
    others = [
        RIGHT[:-2] + bytes([character]) + b"=" for character in _ALPHABET if character != last
    ]
    return [text for text in others if base64.b64decode(text) == DIGEST]


def _hmac64(key: bytes, body: bytes, digest: str = "sha256") -> bytes:
    return base64.b64encode(hmac.digest(key, body, digest))


PROOFS: dict[str, bytes] = {
    "empty": b"",
    "a space": b" ",
    "padding only": b"=",
    "the secret itself": KEY,
    "v3's secret": V3_HASH,
    "v3's secret as the key": _hmac64(V3_HASH, V4_BODY),
    "another key": _hmac64(b"another-sandbox-key-0004", V4_BODY),
    "the other gateway's key": _hmac64(EVERSEND_SECRET.encode(), V4_BODY),
    "the key in upper case": _hmac64(KEY.upper(), V4_BODY),
    "an empty key": _hmac64(b"", V4_BODY),
    "of another body": _hmac64(KEY, b"{}"),
    "of the empty body": _hmac64(KEY, b""),
    "of the body and a newline": _hmac64(KEY, V4_BODY + b"\n"),
    "of the re-spaced body": _hmac64(KEY, V4_BODY.replace(b", ", b",")),
    "of the digest of the body": _hmac64(KEY, hashlib.sha256(V4_BODY).digest()),
    "key and body exchanged": _hmac64(V4_BODY, KEY),
    "hmac-sha512": _hmac64(KEY, V4_BODY, "sha512"),
    "hmac-sha1": _hmac64(KEY, V4_BODY, "sha1"),
    "hmac-sha3-256": _hmac64(KEY, V4_BODY, "sha3_256"),
    "unkeyed": base64.b64encode(hashlib.sha256(V4_BODY).digest()),
    "unkeyed, key and body": base64.b64encode(hashlib.sha256(KEY + V4_BODY).digest()),
    "hexadecimal": DIGEST.hex().encode(),
    "hexadecimal, upper case": DIGEST.hex().upper().encode(),
    "base64 of the hexadecimal": base64.b64encode(DIGEST.hex().encode()),
    "base32": base64.b32encode(DIGEST),
    "base64 twice": base64.b64encode(RIGHT),
    "bytes as a digest has them": bytes(byte | 0x80 for byte in DIGEST),
    "without padding": RIGHT.rstrip(b"="),
    "too much padding": RIGHT + b"=",
    "padding before": b"=" + RIGHT,
    "in url-safe letters": base64.urlsafe_b64encode(DIGEST).replace(b"=", b""),
    "upper case": RIGHT.upper(),
    "lower case": RIGHT.lower(),
    "exchanged case": RIGHT.swapcase(),
    "reversed": RIGHT[::-1],
    "first character missing": RIGHT[1:],
    "half": RIGHT[:22],
    "truncated to 16 bytes": base64.b64encode(DIGEST[:16]),
    "a byte more": base64.b64encode(DIGEST + b"\0"),
    "twice in one": RIGHT + RIGHT,
    "two in one, comma": RIGHT + b"," + RIGHT,
    "two in one, space": RIGHT + b" " + RIGHT,
    "space inside": RIGHT[:20] + b" " + RIGHT[20:],
    "tab inside": RIGHT[:20] + b"\t" + RIGHT[20:],
    "quoted": b'"' + RIGHT + b'"',
    "sha256=": b"sha256=" + RIGHT,
    "v1,": b"v1," + RIGHT,
    "t=,v1=": b"t=1795431600,v1=" + RIGHT,
    "bearer": b"Bearer " + RIGHT,
    "percent-encoded": RIGHT.replace(b"=", b"%3D"),
    "non-ASCII latin": RIGHT[:-2] + b"\xe9=",
    "full-width": "\uff21".encode() * 44,
    "44 non-ASCII bytes": b"\xff" * 44,
    "no-break space after": RIGHT + b"\xa0",
    "zeros": base64.b64encode(bytes(32)),
    "null": b"null",
    "undefined": b"undefined",
    "true": b"true",
    "wildcard": b"*",
    "very long": RIGHT * 300,
    **{f"written otherwise {n}": text for n, text in enumerate(_same_bytes_other_text())},
    **{f"character {position} changed": _changed(position) for position in range(43)},
}

HEADERS: dict[str, Headers] = {
    "none": [],
    "twice": [(NAME, RIGHT), (NAME, RIGHT)],
    "right, then wrong": [(NAME, RIGHT), (NAME, b"wrong")],
    "wrong, then right": [(NAME, b"wrong"), (NAME, RIGHT)],
    "twice in two spellings": [(NAME, RIGHT), (NAME.upper(), RIGHT)],
    "with v3's right one": [(NAME, RIGHT), (b"verif-hash", V3_HASH)],
    "after v3's right one": [(b"verif-hash", V3_HASH), (NAME, RIGHT)],
    "with v3's wrong one": [(NAME, RIGHT), (b"verif-hash", b"wrong")],
    "with v3's empty one": [(NAME, RIGHT), (b"verif-hash", b"")],
    "wrong, with v3's right one": [(NAME, b"wrong"), (b"verif-hash", V3_HASH)],
    "in v3's header": [(b"verif-hash", RIGHT)],
    "the key in v3's header": [(b"verif-hash", KEY)],
    "in the other gateway's header": [(b"x-eversend-signature", RIGHT)],
    "the other gateway's signature": [(b"x-eversend-signature", eversend_signature(V4_BODY))],
    "under an underscore": [(b"flutterwave_signature", RIGHT)],
    "under a prefix": [(b"x-flutterwave-signature", RIGHT)],
    "under authorization": [(b"authorization", RIGHT)],
    **{name: [(NAME, proof)] for name, proof in PROOFS.items()},
}


def test_there_are_enough_hostile_cases_and_some_decode_to_the_very_signature() -> None:
    assert len(HEADERS) >= 60
    assert len(_same_bytes_other_text()) == 3
    assert all(proof != RIGHT for proof in PROOFS.values())


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_a_v4_delivery_without_the_one_right_signature_is_refused(
    receiver: Receiver, payments: ScriptedPayments, headers: Headers
) -> None:
    answer = await send_raw(receiver.port, request_bytes("flutterwave", headers, V4_BODY))

    assert answer.status == 401
    assert payments.metadata == []


@pytest.mark.parametrize("name", [NAME, b"Flutterwave-Signature", NAME.upper()])
async def test_the_right_signature_is_taken_however_its_header_is_spelled(
    receiver: Receiver, payments: ScriptedPayments, name: bytes
) -> None:
    response = await receiver.deliver("flutterwave", [(name, RIGHT)], V4_BODY)

    assert response.status_code == 200
    assert payments.received[0].gateway_transaction_id == "chg_5sandbox0001"


def test_the_signature_is_what_another_program_computes() -> None:
    """Computed with `openssl dgst -sha256 -hmac <key> -binary | base64`."""
    verifier = FlutterwaveCallbackVerifier([], v4_secrets=["sandbox-known-answer-key"])
    verifier.verify(b'{"type":"x"}', [(NAME, b"nenI3nlVehAlQ/Rc8OVj6luH3PJI7IYuCLZ+xbg2vnI=")])


@pytest.mark.parametrize("secret", ["old-sandbox-v4-key-01", "new-sandbox-v4-key-02"])
def test_two_keys_are_accepted_while_one_replaces_the_other(secret: str) -> None:
    verifier = FlutterwaveCallbackVerifier(
        [], v4_secrets=["old-sandbox-v4-key-01", "new-sandbox-v4-key-02"]
    )
    verifier.verify(V4_BODY, [(NAME, v4_signature(V4_BODY, secret))])


def test_a_version_without_a_secret_is_not_accepted() -> None:
    only_v3 = FlutterwaveCallbackVerifier([FLUTTERWAVE_SECRET])
    only_v4 = FlutterwaveCallbackVerifier([], v4_secrets=[FLUTTERWAVE_V4_SECRET])
    with pytest.raises(CallbackRefusedError):
        only_v3.verify(V4_BODY, [(NAME, RIGHT)])
    with pytest.raises(CallbackRefusedError):
        only_v4.verify(V4_BODY, [(b"verif-hash", V3_HASH)])
    with pytest.raises(CallbackRefusedError):
        only_v4.verify(V4_BODY, [(b"verif-hash", b"")])


def test_in_plain_mode_the_header_is_the_secret_and_nothing_else() -> None:
    plain = FlutterwaveCallbackVerifier([], v4_secrets=[FLUTTERWAVE_V4_SECRET], v4_signed=False)
    plain.verify(V4_BODY, [(NAME, KEY)])
    for wrong in (RIGHT, KEY[:-1], KEY.upper(), b""):
        with pytest.raises(CallbackRefusedError):
            plain.verify(V4_BODY, [(NAME, wrong)])
