"""Callbacks as the two gateways send them, signed here by hand from their contracts."""

import base64
import hashlib
import hmac
import json

FLUTTERWAVE_SECRET = "flutterwave-sandbox-hash-0001"
FLUTTERWAVE_V4_SECRET = "flutterwave-sandbox-key-0004"
EVERSEND_SECRET = "eversend-sandbox-secret-0001"

FLUTTERWAVE_BODY = json.dumps(
    {
        "event": "charge.completed",
        "data": {
            "id": 408136545,
            "tx_ref": "cp0b1c2d3f4g5h6j7k8m9n0p1q",
            "flw_ref": "FLW-SANDBOX-0001",
            "amount": 25000,
            "currency": "UGX",
            "status": "successful",
            "customer": {"email": "member@example.com", "phone_number": "+256772123456"},
        },
        "event.type": "MOBILEMONEYUG_TRANSACTION",
    }
).encode()
EVERSEND_BODY = json.dumps(
    {
        "eventType": "wallet.load",
        "status": "successful",
        "transactionId": "BE31700000000001",
        "transactionRef": "cp0b1c2d3f4g5h6j7k8m9n0p1q",
        "currency": "UGX",
        "amount": "25000",
    }
).encode()
V4_BODY = json.dumps(
    {
        "webhook_id": "wbk_5sandbox0001",
        "timestamp": 1_795_431_600_250,
        "type": "charge.completed",
        "data": {
            "id": "chg_5sandbox0001",
            "amount": 25000,
            "currency": "UGX",
            "reference": "cp0b1c2d3f4g5h6j7k8m9n0p1q",
            "status": "succeeded",
        },
    }
).encode()
REFERENCE = "cp0b1c2d3f4g5h6j7k8m9n0p1q"

BODIES = {"flutterwave": FLUTTERWAVE_BODY, "eversend": EVERSEND_BODY}

Headers = list[tuple[bytes, bytes]]


def eversend_signature(body: bytes, secret: str = EVERSEND_SECRET) -> bytes:
    """Sign as Eversend's reference says in prose: HMAC-SHA512 of the body, in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest().encode()


def v4_signature(body: bytes = V4_BODY, secret: str = FLUTTERWAVE_V4_SECRET) -> bytes:
    """Sign as Flutterwave's v4 does: HMAC-SHA256 of the body, in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


def signed(gateway: str, body: bytes | None = None) -> Headers:
    """Return the headers of a genuine delivery of `body`, by default of the gateway's sample."""
    if gateway == "flutterwave":
        return [(b"verif-hash", FLUTTERWAVE_SECRET.encode())]
    return [
        (b"x-eversend-signature", eversend_signature(BODIES[gateway] if body is None else body))
    ]


def request_bytes(gateway: str, headers: Headers, body: bytes | None = None) -> bytes:
    """Return a whole HTTP request, with header values that no proper client would send."""
    content = BODIES[gateway] if body is None else body
    lines = [
        b"POST /webhooks/" + gateway.encode() + b" HTTP/1.1",
        b"host: localhost",
        b"connection: close",
        b"content-length: " + str(len(content)).encode(),
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content
