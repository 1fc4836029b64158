"""What is fuzzed: one function of bytes each, which lets no error out but a defect's."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from gateway_adapters.callbacks import (
    Callback,
    CallbackHeaders,
    CallbackRefusedError,
    CallbackUnreadableError,
    CallbackVerifier,
)
from gateway_adapters.eversend.callbacks import EversendCallbackVerifier
from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from gateway_adapters.form_body import FormBodyError, read_form
from gateway_adapters.json_body import JsonBodyError, read_json
from kit.money import EXPONENTS, Money, MoneyError, parse_decimal
from webhook_receiver.freshness import freshness_of

LARGEST: Final = 64 * 1024
_KEY: Final = "fuzzing-key-that-opens-nothing"
_V3_HASH: Final = "fuzzing-hash-that-opens-nothing"
_NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
_LONGEST_KEY: Final = 200
_CURRENCIES: Final = sorted(EXPONENTS)

_EVERSEND: Final = EversendCallbackVerifier([_KEY])
_FLUTTERWAVE: Final = FlutterwaveCallbackVerifier([_V3_HASH], v4_secrets=[_KEY])


class DefectError(Exception):
    """The code under test did something that it promises never to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something to fuzz.

    `run`: returns for every input, unless there is a defect. `examples`: inputs that reach far.
    """

    run: Callable[[bytes], None]
    examples: tuple[bytes, ...]


def _require(holds: bool, promise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise DefectError(promise)


def _verify_eversend(data: bytes) -> None:
    header, _, body = data.partition(b"\n")
    expected = hmac.new(_KEY.encode(), body, hashlib.sha512).hexdigest().encode()
    accepted = _accepts(_EVERSEND, body, [(b"x-eversend-signature", header)])
    _require(accepted == (header.lower() == expected), "the signature alone decides")


def _verify_flutterwave(data: bytes) -> None:
    header, _, body = data.partition(b"\n")
    expected = base64.b64encode(hmac.new(_KEY.encode(), body, hashlib.sha256).digest())
    v3, v4 = (b"verif-hash", header), (b"flutterwave-signature", header)
    _require(_accepts(_FLUTTERWAVE, body, [v4]) == (header == expected), "v4's signature decides")
    _require(
        _accepts(_FLUTTERWAVE, body, [v3]) == (header == _V3_HASH.encode()), "v3's hash decides"
    )
    _require(not _accepts(_FLUTTERWAVE, body, [v3, v4]), "two proofs are none")


def _accepts(verifier: CallbackVerifier, body: bytes, headers: CallbackHeaders) -> bool:
    try:
        verifier.verify(body, headers)
    except CallbackRefusedError:
        return False
    return True


def _parse_eversend(data: bytes) -> None:
    _parse(_EVERSEND, data, [])


def _parse_flutterwave(data: bytes) -> None:
    for headers in (
        [],
        [(b"flutterwave-signature", b"")],
        [(b"content-type", b"application/x-www-form-urlencoded")],
    ):
        _parse(_FLUTTERWAVE, data, headers)


def _parse(verifier: CallbackVerifier, data: bytes, headers: CallbackHeaders) -> None:
    try:
        callback = verifier.parse(data, headers)
    except CallbackUnreadableError:
        return
    _require(0 < len(callback.event_key) <= _LONGEST_KEY, "an event key is short")
    for text in _texts(callback):
        _require(text.isascii() and (text == "" or text.isprintable()), "texts are printable ASCII")
    _require(verifier.parse(data, headers) == callback, "reading twice gives the same")
    freshness_of(callback.sent_time, _NOW)


def _texts(callback: Callback) -> tuple[str, ...]:
    return (
        callback.event_key,
        callback.event_type,
        callback.reference,
        callback.gateway_transaction_id,
        callback.status_hint,
    )


def _read_json(data: bytes) -> None:
    try:
        value = read_json(data)
    except JsonBodyError:
        return
    _require(json.loads(data, parse_float=Decimal) == value, "it reads what the standard reads")
    json.dumps(value, default=str, ensure_ascii=False).encode()


def _read_form(data: bytes) -> None:
    try:
        document = read_form(data, limit=LARGEST)
    except FormBodyError:
        return
    _require("\0" not in json.dumps(document, ensure_ascii=False), "no NUL gets in")
    json.dumps(document, ensure_ascii=False).encode()


def _read_money(data: bytes) -> None:
    currency = _CURRENCIES[data[0] % len(_CURRENCIES)] if data else "UGX"
    text = data[1:].decode("utf-8", "surrogateescape")
    try:
        parse_decimal(text)
        money = Money.from_major(currency, text)
    except MoneyError:
        return
    _require(Money.from_major(currency, money.to_major()) == money, "an amount survives a round")
    _require(money.to_major() == Decimal(text), "nothing is rounded")


_V3_BODY = (
    b'{"event":"charge.completed","data":{"id":408136545,"tx_ref":"cpfuzz01","amount":25000.50,'
    b'"currency":"UGX","status":"successful","customer":{"name":"\\u00e9\\ud83d\\ude00"}},'
    b'"event.type":"CARD_TRANSACTION"}'
)
_V4_BODY = (
    b'{"webhook_id":"wbk_fuzz","timestamp":1795431600250,"created_datetime":1795431600.25,'
    b'"type":"refund.completed","data":{"id":"rfd_1","charge_id":"chg_1","status":"succeeded"}}'
)
_LEGACY_BODY = b'{"id":7,"txRef":"cpfuzz01","flwRef":"FLW-1","status":"failed","amount":1e2}'
_REFUND_BODY = b'{"id":5,"AmountRefunded":1.5,"status":"completed","TransactionId":7,"meta":null}'
_FORM_BODY = b"id=7&txRef=cpfuzz01&flwRef=F%2d1&customer%5Bname%5D=N%C3%A9+x&data[id]=9&a[b][c]=d"
_FLAT_BODY = b'{"eventType":"wallet.load","transactionId":"BE1","transactionRef":"cpfuzz01"}'
_NESTED_BODY = b'{"type":"transaction.success","data":{"transaction":{"transactionId":"BE1"}}}'
_BODIES = (_V3_BODY, _V4_BODY, _LEGACY_BODY, _REFUND_BODY, _FORM_BODY, _FLAT_BODY, _NESTED_BODY)
_HEX = hmac.new(_KEY.encode(), _FLAT_BODY, hashlib.sha512).hexdigest().encode()
_BASE64 = base64.b64encode(hmac.new(_KEY.encode(), _V4_BODY, hashlib.sha256).digest())

TARGETS: Final[Mapping[str, Target]] = {
    "eversend-verifier": Target(
        run=_verify_eversend,
        examples=(_HEX + b"\n" + _FLAT_BODY, _HEX.upper() + b"\n" + _FLAT_BODY),
    ),
    "flutterwave-verifier": Target(
        run=_verify_flutterwave,
        examples=(_BASE64 + b"\n" + _V4_BODY, _V3_HASH.encode() + b"\n" + _V3_BODY),
    ),
    "eversend-parser": Target(run=_parse_eversend, examples=_BODIES),
    "flutterwave-parser": Target(run=_parse_flutterwave, examples=_BODIES),
    "json": Target(run=_read_json, examples=(*_BODIES, b"[]", b'"x"', b"-1.5e-3", b"null")),
    "form": Target(run=_read_form, examples=(_FORM_BODY, b"a=1&b=2&c=")),
    "money": Target(
        run=_read_money,
        examples=(
            b"\x00499.00",
            b"\x05-0.001",
            b"\x1725000",
            b"\x021e5",
            b"\x01999999999999999.99",
        ),
    ),
}
