"""Whoever does not know the secret is answered 401, learns nothing, and leaves no trace."""

import base64
import hashlib
import hmac

import pytest

from tests.kit.raw_http import send_raw
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import (
    EVERSEND_BODY,
    EVERSEND_SECRET,
    FLUTTERWAVE_BODY,
    FLUTTERWAVE_SECRET,
    Headers,
    eversend_signature,
    request_bytes,
)
from tests.receiver.scripted_payments import ScriptedPayments

HASH = FLUTTERWAVE_SECRET.encode()
SIGNATURE = eversend_signature(EVERSEND_BODY)


def _hmac(digest: str, body: bytes = EVERSEND_BODY, secret: bytes = b"") -> bytes:
    return hmac.new(secret or EVERSEND_SECRET.encode(), body, digest).hexdigest().encode()


def _changed(proof: bytes, position: int) -> bytes:
    """Exchange one character for another that may stand there."""
    other = b"0" if proof[position : position + 1] != b"0" else b"1"
    return proof[:position] + other + proof[position + 1 :]


FLUTTERWAVE: dict[str, Headers] = {
    "no header": [],
    "empty": [(b"verif-hash", b"")],
    "a space": [(b"verif-hash", b" ")],
    "right one twice": [(b"verif-hash", HASH), (b"verif-hash", HASH)],
    "right, then wrong": [(b"verif-hash", HASH), (b"verif-hash", b"wrong")],
    "wrong, then right": [(b"verif-hash", b"wrong"), (b"verif-hash", HASH)],
    "right, then empty": [(b"verif-hash", HASH), (b"verif-hash", b"")],
    "twice in two spellings": [(b"verif-hash", HASH), (b"VERIF-HASH", HASH)],
    "two in one, comma": [(b"verif-hash", HASH + b"," + HASH)],
    "two in one, comma and space": [(b"verif-hash", HASH + b", " + HASH)],
    "first character missing": [(b"verif-hash", HASH[1:])],
    "last character missing": [(b"verif-hash", HASH[:-1])],
    "first character only": [(b"verif-hash", HASH[:1])],
    "half": [(b"verif-hash", HASH[: len(HASH) // 2])],
    "one character more": [(b"verif-hash", HASH + b"0")],
    "one character before": [(b"verif-hash", b"0" + HASH)],
    "last character changed": [(b"verif-hash", HASH[:-1] + b"2")],
    "first character changed": [(b"verif-hash", b"F" + HASH[1:])],
    "upper case": [(b"verif-hash", HASH.upper())],
    "title case": [(b"verif-hash", HASH.title())],
    "reversed": [(b"verif-hash", HASH[::-1])],
    "quoted": [(b"verif-hash", b'"' + HASH + b'"')],
    "single quotes": [(b"verif-hash", b"'" + HASH + b"'")],
    "bearer": [(b"verif-hash", b"Bearer " + HASH)],
    "sha256=": [(b"verif-hash", b"sha256=" + HASH)],
    "base64": [(b"verif-hash", base64.b64encode(HASH))],
    "hexadecimal": [(b"verif-hash", HASH.hex().encode())],
    "percent-encoded": [(b"verif-hash", HASH.replace(b"-", b"%2D"))],
    "sha256 of the secret": [(b"verif-hash", hashlib.sha256(HASH).hexdigest().encode())],
    "md5 of the secret": [
        (b"verif-hash", hashlib.md5(HASH, usedforsecurity=False).hexdigest().encode())
    ],
    "hmac of the body": [(b"verif-hash", _hmac("sha256", FLUTTERWAVE_BODY, HASH))],
    "in v4's header": [(b"flutterwave-signature", HASH)],
    "v4's hmac in v4's header": [
        (
            b"flutterwave-signature",
            base64.b64encode(hmac.digest(HASH, FLUTTERWAVE_BODY, "sha256")),
        )
    ],
    "in the other gateway's header": [(b"x-eversend-signature", HASH)],
    "the other gateway's signature": [(b"x-eversend-signature", SIGNATURE)],
    "the other gateway's secret": [(b"verif-hash", EVERSEND_SECRET.encode())],
    "under an underscore": [(b"verif_hash", HASH)],
    "under a prefix": [(b"x-verif-hash", HASH)],
    "under authorization": [(b"authorization", HASH)],
    "under a cookie": [(b"cookie", b"verif-hash=" + HASH)],
    "non-ASCII latin": [(b"verif-hash", HASH[:-1] + b"\xe9")],
    "non-ASCII utf-8": [(b"verif-hash", "flütterwave-sandbox-hash-0001".encode())],
    "full-width digits": [
        (b"verif-hash", "flutterwave-sandbox-hash-\uff10\uff10\uff10\uff11".encode())
    ],
    "invalid utf-8": [(b"verif-hash", b"\xff\xfe\xfd")],
    "no-break space after": [(b"verif-hash", HASH + b"\xa0")],
    "tab inside": [(b"verif-hash", HASH[:5] + b"\t" + HASH[5:])],
    "space inside": [(b"verif-hash", HASH[:5] + b" " + HASH[5:])],
    "null": [(b"verif-hash", b"null")],
    "undefined": [(b"verif-hash", b"undefined")],
    "None": [(b"verif-hash", b"None")],
    "true": [(b"verif-hash", b"true")],
    "wildcard": [(b"verif-hash", b"*")],
    "very long": [(b"verif-hash", HASH * 500)],
    **{
        f"character {position} changed": [(b"verif-hash", _changed(HASH, position))]
        for position in range(len(HASH))
    },
}

EVERSEND: dict[str, Headers] = {
    "no header": [],
    "empty": [(b"x-eversend-signature", b"")],
    "a space": [(b"x-eversend-signature", b" ")],
    "right one twice": [
        (b"x-eversend-signature", SIGNATURE),
        (b"x-eversend-signature", SIGNATURE),
    ],
    "right, then wrong": [
        (b"x-eversend-signature", SIGNATURE),
        (b"x-eversend-signature", b"0" * 128),
    ],
    "wrong, then right": [
        (b"x-eversend-signature", b"0" * 128),
        (b"x-eversend-signature", SIGNATURE),
    ],
    "twice in two spellings": [
        (b"x-eversend-signature", SIGNATURE),
        (b"X-Eversend-Signature", SIGNATURE.upper()),
    ],
    "two in one, comma": [(b"x-eversend-signature", SIGNATURE + b"," + SIGNATURE)],
    "first digit missing": [(b"x-eversend-signature", SIGNATURE[1:])],
    "last digit missing": [(b"x-eversend-signature", SIGNATURE[:-1])],
    "truncated to sha256's length": [(b"x-eversend-signature", SIGNATURE[:64])],
    "one digit only": [(b"x-eversend-signature", SIGNATURE[:1])],
    "one digit more": [(b"x-eversend-signature", SIGNATURE + b"0")],
    "twice as long": [(b"x-eversend-signature", SIGNATURE * 2)],
    "last digit changed": [
        (b"x-eversend-signature", SIGNATURE[:-1] + (b"0" if SIGNATURE[-1:] != b"0" else b"1"))
    ],
    "first digit changed": [
        (b"x-eversend-signature", (b"0" if SIGNATURE[:1] != b"0" else b"1") + SIGNATURE[1:])
    ],
    "not hexadecimal at the end": [(b"x-eversend-signature", SIGNATURE[:-1] + b"g")],
    "zeros": [(b"x-eversend-signature", b"0" * 128)],
    "reversed": [(b"x-eversend-signature", SIGNATURE[::-1])],
    "quoted": [(b"x-eversend-signature", b'"' + SIGNATURE + b'"')],
    "0x": [(b"x-eversend-signature", b"0x" + SIGNATURE)],
    "sha512=": [(b"x-eversend-signature", b"sha512=" + SIGNATURE)],
    "t=,v1=": [(b"x-eversend-signature", b"t=1700000000,v1=" + SIGNATURE)],
    "bearer": [(b"x-eversend-signature", b"Bearer " + SIGNATURE)],
    "base64": [(b"x-eversend-signature", base64.b64encode(bytes.fromhex(SIGNATURE.decode())))],
    "base64 of the hexadecimal": [(b"x-eversend-signature", base64.b64encode(SIGNATURE))],
    "colons between bytes": [
        (b"x-eversend-signature", b":".join(SIGNATURE[i : i + 2] for i in range(0, 128, 2)))
    ],
    "unkeyed sha512 of the body": [
        (b"x-eversend-signature", hashlib.sha512(EVERSEND_BODY).hexdigest().encode())
    ],
    "unkeyed sha512 of secret and body": [
        (
            b"x-eversend-signature",
            hashlib.sha512(EVERSEND_SECRET.encode() + EVERSEND_BODY).hexdigest().encode(),
        )
    ],
    "hmac-sha256": [(b"x-eversend-signature", _hmac("sha256"))],
    "hmac-sha384": [(b"x-eversend-signature", _hmac("sha384"))],
    "hmac-sha3-512": [(b"x-eversend-signature", _hmac("sha3_512"))],
    "another secret": [(b"x-eversend-signature", _hmac("sha512", secret=b"another-secret-0001"))],
    "the other gateway's secret": [(b"x-eversend-signature", _hmac("sha512", secret=HASH))],
    "secret in upper case": [
        (b"x-eversend-signature", _hmac("sha512", secret=EVERSEND_SECRET.upper().encode()))
    ],
    "of another body": [(b"x-eversend-signature", eversend_signature(b'{"amount":"1"}'))],
    "of the empty body": [(b"x-eversend-signature", eversend_signature(b""))],
    "of the body and a newline": [
        (b"x-eversend-signature", eversend_signature(EVERSEND_BODY + b"\n"))
    ],
    "of the re-spaced body": [
        (b"x-eversend-signature", eversend_signature(EVERSEND_BODY.replace(b", ", b",")))
    ],
    "the secret itself": [(b"x-eversend-signature", EVERSEND_SECRET.encode())],
    "in the other gateway's header": [(b"verif-hash", SIGNATURE)],
    "the other gateway's proof": [(b"verif-hash", HASH)],
    "under an underscore": [(b"x_eversend_signature", SIGNATURE)],
    "without the x": [(b"eversend-signature", SIGNATURE)],
    "under authorization": [(b"authorization", SIGNATURE)],
    "non-ASCII latin": [(b"x-eversend-signature", SIGNATURE[:-1] + b"\xe9")],
    "full-width digits": [(b"x-eversend-signature", "\uff10".encode() * 128)],
    "128 non-ASCII bytes": [(b"x-eversend-signature", b"\xff" * 128)],
    "space inside": [(b"x-eversend-signature", SIGNATURE[:64] + b" " + SIGNATURE[64:])],
    "tab inside": [(b"x-eversend-signature", SIGNATURE[:64] + b"\t" + SIGNATURE[65:])],
    "null": [(b"x-eversend-signature", b"null")],
    "None": [(b"x-eversend-signature", b"None")],
    "wildcard": [(b"x-eversend-signature", b"*")],
    **{
        f"digit {position} changed": [(b"x-eversend-signature", _changed(SIGNATURE, position))]
        for position in range(0, 128, 4)
    },
}

CASES = [
    pytest.param(gateway, headers, id=f"{gateway}: {name}")
    for gateway, cases in (("flutterwave", FLUTTERWAVE), ("eversend", EVERSEND))
    for name, headers in cases.items()
]


def test_there_are_enough_hostile_cases_for_each_gateway() -> None:
    assert min(len(FLUTTERWAVE), len(EVERSEND)) >= 60


@pytest.mark.parametrize(("gateway", "headers"), CASES)
async def test_a_delivery_without_the_one_right_signature_is_refused(
    receiver: Receiver, payments: ScriptedPayments, gateway: str, headers: Headers
) -> None:
    answer = await send_raw(receiver.port, request_bytes(gateway, headers))

    assert answer.status == 401
    assert payments.metadata == []


@pytest.mark.parametrize("change", [b" ", b"\n", b"\x00"], ids=repr)
async def test_a_signature_does_not_cover_a_body_that_was_changed_after_signing(
    receiver: Receiver, payments: ScriptedPayments, change: bytes
) -> None:
    response = await receiver.deliver(
        "eversend", [(b"x-eversend-signature", SIGNATURE)], EVERSEND_BODY + change
    )

    assert response.status_code == 401
    assert payments.metadata == []


async def test_all_refusals_look_the_same(receiver: Receiver) -> None:
    answers = set()
    for headers in (FLUTTERWAVE["no header"], FLUTTERWAVE["empty"], FLUTTERWAVE["upper case"]):
        document = (await receiver.deliver("flutterwave", headers)).json()
        document.pop("request_id")
        answers.add(str(document))

    assert len(answers) == 1
    assert FLUTTERWAVE_SECRET not in answers.pop()
