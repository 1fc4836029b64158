"""Who may deliver a callback, and what is read from one."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from gateway_adapters.callbacks import (
    Callback,
    CallbackHeaders,
    CallbackRefusedError,
    CallbackUnreadableError,
    CallbackVerifier,
)
from gateway_adapters.eversend.callbacks import EversendCallbackVerifier
from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from tests.adapters.rig import Rig

HASH = "flutterwave-hash-for-tests"
KEY = "eversend-webhook-key-for-tests"
BODY = b'{"eventType":"wallet.load","transactionRef":"cpscript01"}'
V3 = {
    "event": "charge.completed",
    "data": {"id": 8830142, "tx_ref": "cpscript01", "status": "successful", "amount": 499.5},
    "event.type": "CARD_TRANSACTION",
}


def signed(body: bytes = BODY, key: str = KEY, algorithm: str = "sha512") -> bytes:
    return hmac.new(key.encode(), body, algorithm).hexdigest().encode()


def flutterwave(*secrets: str) -> FlutterwaveCallbackVerifier:
    return FlutterwaveCallbackVerifier(secrets or (HASH,))


def eversend(*secrets: str, keyed: bool = True) -> EversendCallbackVerifier:
    return EversendCallbackVerifier(secrets or (KEY,), keyed=keyed)


def parsed(verifier: CallbackVerifier, document: Any) -> Callback:
    return verifier.parse(json.dumps(document).encode(), [])


@pytest.mark.parametrize(
    ("verifier", "headers"),
    [
        (flutterwave(), [(b"verif-hash", HASH.encode())]),
        (flutterwave(), [(b"Verif-Hash", HASH.encode()), (b"host", b"x")]),
        (flutterwave("the-old-secret-hash", HASH), [(b"verif-hash", HASH.encode())]),
        (flutterwave("sch\u00fctzenswertes-geheimnis"),
         [(b"verif-hash", "sch\u00fctzenswertes-geheimnis".encode())]),
        (eversend(), [(b"x-eversend-signature", signed())]),
        (eversend(), [(b"X-Eversend-Signature", signed().upper())]),
        (eversend("the-old-webhook-key", KEY), [(b"x-eversend-signature", signed())]),
        (eversend(keyed=False),
         [(b"x-eversend-signature", hashlib.sha512(BODY).hexdigest().encode())]),
    ],
)  # fmt: skip
def test_a_sender_who_knows_the_secret_is_let_in(
    verifier: CallbackVerifier, headers: CallbackHeaders
) -> None:
    verifier.verify(BODY, headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"verif-hash", b"")],
        [(b"verif-hash", HASH.encode() + b" ")],
        [(b"verif-hash", HASH.encode()[:-1])],
        [(b"verif-hash", HASH.upper().encode())],
        [(b"verif-hash", b"\xff\xfe\x00")],
        [(b"verif-hash", "ﬂutterwave-hash-for-tests".encode())],
        [(b"verif-hash", f"{HASH},{HASH}".encode())],
        [(b"verif-hash", HASH.encode()), (b"verif-hash", HASH.encode())],
        [(b"verif-hash", HASH.encode()), (b"VERIF-HASH", b"other")],
        [(b"x-verif-hash", HASH.encode())],
        [(b"flutterwave-signature", HASH.encode())],
        [(b"x-eversend-signature", signed())],
    ],
)
def test_flutterwave_callbacks_without_exactly_the_secret_are_refused(
    headers: CallbackHeaders,
) -> None:
    with pytest.raises(CallbackRefusedError):
        flutterwave().verify(BODY, headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-eversend-signature", b"")],
        [(b"x-eversend-signature", signed()[:-1])],
        [(b"x-eversend-signature", signed() + b"0")],
        [(b"x-eversend-signature", signed() + b"\n")],
        [(b"x-eversend-signature", b" " + signed())],
        [(b"x-eversend-signature", b"sha512=" + signed())],
        [(b"x-eversend-signature", signed(body=BODY + b" "))],
        [(b"x-eversend-signature", signed(key="another-webhook-key-for-tests"))],
        [(b"x-eversend-signature", signed(algorithm="sha256"))],
        [(b"x-eversend-signature", hashlib.sha512(BODY).hexdigest().encode())],
        [(b"x-eversend-signature", hashlib.sha512(KEY.encode() + BODY).hexdigest().encode())],
        [(b"x-eversend-signature", b"\xff" * 128)],
        [(b"x-eversend-signature", "\uff10".encode() * 128)],
        [(b"x-eversend-signature", signed()), (b"x-eversend-signature", signed())],
        [(b"verif-hash", KEY.encode())],
    ],
)
def test_eversend_callbacks_without_exactly_the_signature_are_refused(
    headers: CallbackHeaders,
) -> None:
    with pytest.raises(CallbackRefusedError):
        eversend().verify(BODY, headers)


def test_in_unkeyed_mode_a_keyed_signature_is_refused_too() -> None:
    with pytest.raises(CallbackRefusedError):
        eversend(keyed=False).verify(BODY, [(b"x-eversend-signature", signed())])


@pytest.mark.parametrize("kind", [FlutterwaveCallbackVerifier, EversendCallbackVerifier])
@pytest.mark.parametrize("secrets", [[], [""], ["a-good-secret-of-length", ""]])
def test_an_empty_secret_accepts_nobody(kind: Any, secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="empty secret"):
        kind(secrets)


# Reading Flutterwave's.


def test_the_v3_shape_is_read() -> None:
    callback = parsed(flutterwave(), V3)
    assert callback.event_key.startswith("charge.completed:8830142:successful:")
    assert callback.event_type == "charge.completed"
    assert callback.reference == "cpscript01"
    assert callback.gateway_transaction_id == "8830142"
    assert callback.status_hint == "successful"


def test_the_v3_shape_with_the_older_spelling_of_the_reference_is_read() -> None:
    mixed = {"event": "charge.completed", "data": {"id": "7", "txRef": "cpscript01"}}
    callback = parsed(flutterwave(), mixed)
    assert (callback.reference, callback.gateway_transaction_id) == ("cpscript01", "7")


def test_the_legacy_flat_shape_is_read() -> None:
    legacy = {"id": 7, "txRef": "cpscript01", "flwRef": "FLW-1", "status": "failed"}
    callback = parsed(flutterwave(), legacy)
    assert callback.event_type == "legacy.charge"
    assert (callback.reference, callback.gateway_transaction_id) == ("cpscript01", "7")
    assert callback.status_hint == "failed"


def test_a_refund_names_the_transaction_it_is_about_and_not_itself() -> None:
    refund = {"id": 77201, "AmountRefunded": 2.5, "status": "completed-mpgs", "TransactionId": 7}
    callback = parsed(flutterwave(), refund)
    assert callback.event_type == "refund"
    assert callback.gateway_transaction_id == "7"
    assert callback.event_key.startswith("refund:77201:completed-mpgs:")


@pytest.mark.parametrize("key", ["TransactionId", "transaction_id", "tx_id"])
def test_a_wrapped_refund_names_its_transaction_too(key: str) -> None:
    document = {"event": "refund.completed", "data": {"id": 77201, "status": "failed", key: 7}}
    callback = parsed(flutterwave(), document)
    assert callback.event_type == "refund.completed"
    assert (callback.gateway_transaction_id, callback.status_hint) == ("7", "failed")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"event": "something.new"},
        {"event": "charge.completed", "data": "odd"},
        {"event": ["charge.completed"], "data": {}},
        {"event": "charge.completed", "data": {"id": {"a": 1}, "tx_ref": 5.5, "status": None}},
        {"event": "charge.completed", "data": {"id": True, "tx_ref": "x" * 500}},
        {"event": "charge.completed", "data": {"tx_ref": "cp\u001bodd"}},
        {"CardId": "a", "MaskedPan": "5531****2950", "Otp": "123456"},
    ],
)
def test_an_unknown_event_is_a_callback_without_identifiers(document: Any) -> None:
    callback = parsed(flutterwave(), document)
    assert (callback.reference, callback.gateway_transaction_id) == ("", "")


def test_a_forged_body_cannot_take_the_event_key_of_a_real_one() -> None:
    forged = {**V3, "data": {**V3["data"], "amount": 1}}  # type: ignore[dict-item]
    assert parsed(flutterwave(), V3).event_key != parsed(flutterwave(), forged).event_key


def test_the_same_delivery_twice_has_the_same_key() -> None:
    assert parsed(flutterwave(), V3) == parsed(flutterwave(), V3)


def test_an_event_key_stays_short_whatever_the_body_says() -> None:
    hostile = {
        "event": "e" * 128,
        "data": {"id": "1" * 128, "status": "s" * 128, "tx_ref": "r" * 128},
    }
    assert len(parsed(flutterwave(), hostile).event_key) <= 200


# Reading Eversend's.


def test_the_flat_shape_is_read() -> None:
    flat = {
        "eventType": "wallet.load",
        "type": "collection",
        "status": "successful",
        "transactionId": "BE31795300012345",
        "transactionRef": "cpscript01",
    }
    callback = parsed(eversend(), flat)
    assert callback.event_type == "wallet.load"
    assert callback.reference == "cpscript01"
    assert callback.gateway_transaction_id == "BE31795300012345"
    assert callback.status_hint == "successful"


@pytest.mark.parametrize("wrap", [lambda node: node, lambda node: {"transaction": node}])
def test_the_nested_shapes_are_read(wrap: Any) -> None:
    node = {"transactionId": "BE3", "transactionRef": "cpscript01"}
    callback = parsed(eversend(), {"type": "transaction.success", "data": wrap(node)})
    assert callback.event_type == "transaction.success"
    assert (callback.reference, callback.gateway_transaction_id) == ("cpscript01", "BE3")
    assert callback.status_hint == "success"


def test_eversends_event_key_is_the_digest_of_the_exact_bytes() -> None:
    assert eversend().parse(BODY, []).event_key == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("verifier", [flutterwave(), eversend()])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"event=charge.completed&id=1",
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b'{"a":"\x00"}',
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 10_000 + b"}",
        b" " * (1024 * 1024 + 1),
    ],
)
def test_a_body_that_is_not_strict_json_is_unreadable(
    verifier: CallbackVerifier, body: bytes
) -> None:
    with pytest.raises(CallbackUnreadableError):
        verifier.parse(body, [])


@pytest.mark.parametrize("number", [b"1e999999999", b"1e999999", b"0e999999", b"9" * 5000])
def test_hostile_numbers_are_refused_before_they_cost_anything(number: bytes) -> None:
    body = b'{"event":"charge.completed","data":{"id":7,"amount":' + number + b"}}"
    with pytest.raises(CallbackUnreadableError):
        flutterwave().parse(body, [])


# What the sandboxes, which were written from the contracts alone, really send.


@pytest.mark.parametrize("shape", ["v3", "legacy"])
async def test_flutterwaves_own_callbacks_name_our_charge(
    flutterwave: Rig, reference: str, shape: str
) -> None:
    await flutterwave.sandbox.tell(
        "config", webhook_shape=shape, webhook_url="http://127.0.0.1:9/none"
    )
    callback = await _delivered(flutterwave, reference, FlutterwaveCallbackVerifier)
    found = await flutterwave.adapter.look_up(reference)
    assert callback.gateway_transaction_id == found.charge.gateway_transaction_id


@pytest.mark.parametrize("shape", ["flat", "nested"])
@pytest.mark.parametrize("mode", ["hmac-sha512", "sha512-unkeyed"])
async def test_eversends_own_callbacks_name_our_charge(
    eversend: Rig, reference: str, shape: str, mode: str
) -> None:
    await eversend.sandbox.tell(
        "config",
        webhook_shape=shape,
        signature_mode=mode,
        webhook_url="http://127.0.0.1:9/none",
    )
    callback = await _delivered(
        eversend,
        reference,
        lambda secrets: EversendCallbackVerifier(secrets, keyed=mode == "hmac-sha512"),
    )
    found = await eversend.adapter.look_up(reference)
    assert callback.gateway_transaction_id == found.charge.gateway_transaction_id


async def _delivered(rig: Rig, reference: str, verifier_of: Any) -> Callback:
    """Have a charge paid, verify the callback that the sandbox sends, and read it."""
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    [delivery] = (await rig.sandbox.ask(f"webhooks?reference={reference}"))["webhooks"]
    headers = [(name.encode(), value.encode()) for name, value in delivery["headers"].items()]
    body = delivery["body"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    secret = (await rig.sandbox.ask("config"))["webhook_secret"]
    verifier: CallbackVerifier = verifier_of([secret])
    verifier.verify(raw, headers)
    callback = verifier.parse(raw, headers)
    assert callback.reference == reference
    assert callback.status_hint == "successful"
    return callback
