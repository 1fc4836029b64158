"""What may be inside a signed body: anything. It is kept as it came, and read as nothing."""

import json

import pytest
from structlog.testing import capture_logs

from gateway_adapters.callbacks import CallbackUnreadableError, CallbackVerifier
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import BODIES, signed
from tests.receiver.scripted_payments import ScriptedPayments

_V3 = b'{"event":"charge.completed","data":{"id":7,"tx_ref":"cpx","status":"successful",%s}}'

UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "not JSON": b"not json",
    "HTML": b"<html><body>502</body></html>",
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"1",
    "null": b"null",
    "cut off": BODIES["flutterwave"][:-1],
    "two in one": b"{}{}",
    "something after": b"{} x",
    "a repeated key": b'{"event":"a","event":"b"}',
    "a key repeated by an escape": b'{"event":"a","\\u0065vent":"b"}',
    "a repeated key inside": _V3 % b'"amount":1,"amount":2',
    "a repeated key in a list": b'{"a":[{"b":1,"b":1}]}',
    "NaN": _V3 % b'"amount":NaN',
    "Infinity": _V3 % b'"amount":Infinity',
    "-Infinity": _V3 % b'"amount":-Infinity',
    "a huge exponent": _V3 % b'"amount":1e999999',
    "a tiny exponent": _V3 % b'"amount":1e-999999',
    "an exponent beyond Decimal": _V3 % b'"amount":1e9999999999999999999',
    "zero with a huge exponent": _V3 % b'"amount":0e999999',
    "a number of 101 digits": _V3 % (b'"amount":' + b"9" * 101),
    "a number of 60,000 digits": _V3 % (b'"amount":' + b"9" * 60_000),
    "a fraction of 60,000 digits": _V3 % (b'"amount":0.' + b"1" * 60_000),
    "hexadecimal": _V3 % b'"amount":0x10',
    "a leading zero": _V3 % b'"amount":010',
    "a plus": _V3 % b'"amount":+1',
    "33 levels": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "60,000 levels of lists": b"[" * 60_000,
    "12,000 levels of objects": b'{"a":' * 12_000,
    "30,000 closed levels": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "half a surrogate pair": _V3 % b'"name":"\\ud800"',
    "the other half": _V3 % b'"name":"\\udc00"',
    "a pair the wrong way round": _V3 % b'"name":"\\udc00\\ud800"',
    "half a pair in a key": _V3 % b'"\\ud800":1',
    "an encoded surrogate": _V3 % b'"name":"\xed\xa0\x80"',
    "an escaped NUL": _V3 % b'"name":"a\\u0000b"',
    "an escaped NUL in a key": _V3 % b'"a\\u0000b":1',
    "a NUL": _V3 % b'"name":"a\x00b"',
    "NULs after the end": b"{}\x00\x00",
    "a line break in a text": _V3 % b'"name":"a\nb"',
    "a byte-order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"event":"x"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"event":"x"}'.encode("utf-16-le"),
    "UTF-32": '{"event":"x"}'.encode("utf-32"),
    "Latin-1": _V3 % b'"name":"Nak\xe9"',
    "an overlong encoding": _V3 % b'"name":"\xc0\xaf"',
    "beyond Unicode": _V3 % b'"name":"\xf4\x90\x80\x80"',
    "a comment": b"{} // x",
    "a trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "a form": b"event=charge.completed&data%5Bid%5D=7",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00",
}


def test_the_table_is_long_enough() -> None:
    assert len(UNREADABLE) >= 50


@pytest.mark.parametrize("gateway", BODIES)
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_hostile_body_is_refused_by_an_error_of_our_own(
    verifiers: dict[str, CallbackVerifier], gateway: str, body: bytes
) -> None:
    with pytest.raises(CallbackUnreadableError) as refusal:
        verifiers[gateway].parse(body, [])
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_signed_hostile_body_is_kept_byte_for_byte(
    receiver: Receiver, payments: ScriptedPayments, body: bytes
) -> None:
    response = await receiver.deliver("eversend", signed("eversend", body), body)

    assert response.status_code == 200
    (event,) = payments.received
    assert (event.event_type, event.raw_body) == ("unreadable", body)
    assert len(event.event_key) == 64


@pytest.mark.parametrize("gateway", BODIES)
@pytest.mark.parametrize(
    "document",
    [
        {},
        {"event": "", "data": {}},
        {"event": {"deep": []}, "data": "text"},
        {"event": "x" * 129, "data": {"id": "1" * 129}},
        {"event": "x\u202ey", "eventType": "x\u202ey", "type": "x\u202ey"},
        {"event": "line\nbreak", "eventType": "line\nbreak"},
        {"event": "\x1b[31mred", "eventType": "\x1b[31mred"},
        {"event": "charge.completed", "data": {"id": True, "tx_ref": ["x"], "status": {}}},
        {"eventType": 5.5, "transactionId": None, "transactionRef": 1e30},
        {"type": "x", "data": {"transaction": []}},
        {"type": {"x": 1}, "data": {"id": "y"}},
        {"event": "'; DROP TABLE webhook_events; --"},
        {"__proto__": {"event": "x"}, "constructor": 1},
        {"data": [{"id": 1}], "event": ["charge.completed"]},
    ],
    ids=lambda document: json.dumps(document)[:40],
)
async def test_an_odd_body_is_kept_and_nothing_unprintable_is_taken_from_it(
    receiver: Receiver, payments: ScriptedPayments, gateway: str, document: object
) -> None:
    body = json.dumps(document).encode()
    with capture_logs() as logs:
        response = await receiver.deliver(gateway, signed(gateway, body), body)

    assert response.status_code == 200
    (event,) = payments.received
    assert event.raw_body == body
    assert event.reference == ""
    assert 0 < len(event.event_key) <= 200
    taken = [event.event_key, event.event_type, event.gateway_transaction_id]
    logged = [str(value) for line in logs for value in line.values()]
    for text in (*taken, *logged):
        assert text.isascii()
        assert text.isprintable()
