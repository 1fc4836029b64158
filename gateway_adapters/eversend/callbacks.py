"""Eversend's callbacks: the SHA-512 signature header and both body shapes (contract §8)."""

import hashlib
import hmac
import re
from collections.abc import Sequence

from gateway_adapters.callbacks import (
    Callback,
    CallbackHeaders,
    CallbackRefusedError,
    body_digest,
    is_one_of,
    only_header,
    read_callback,
)
from gateway_adapters.json_body import JsonObject, identifier_at, object_at

_HEADER = b"x-eversend-signature"
_SIGNATURE = re.compile(rb"[0-9a-fA-F]{128}")
# What the kinds of events that are known of begin with; their users saw only some (contract §8).
_KNOWN_EVENTS = ("wallet.load", "transaction.", "collection.", "payout.")


class EversendCallbackVerifier:
    """Checks and reads Eversend's callbacks.

    `secrets`: the webhook secrets that are accepted. `keyed`: False accepts the bare SHA-512 of the
    body, which the sample code in Eversend's reference computes; anybody can make that one, so it
    is only for deployments that ask Eversend about every callback.
    """

    def __init__(self, secrets: Sequence[str], *, keyed: bool = True) -> None:
        if not all(secrets) or not secrets:
            raise ValueError("an empty secret would accept every callback")
        self._secrets = [secret.encode() for secret in secrets]
        self._keyed = keyed

    def verify(self, raw_body: bytes, headers: CallbackHeaders) -> None:
        """Require exactly one signature: 128 hexadecimal digits over the exact bytes.

        Digits are compared in lower case, as the contract says. Raises `CallbackRefusedError`.
        """
        _, presented = only_header(headers, _HEADER)
        if not _SIGNATURE.fullmatch(presented) or not is_one_of(
            presented.lower(), self._signatures(raw_body)
        ):
            raise CallbackRefusedError("the callback is not signed as the gateway signs")

    def parse(self, raw_body: bytes, headers: CallbackHeaders) -> Callback:  # noqa: ARG002 - other gateways' bodies may need their headers
        """Read a body of the flat or the nested shape.

        The event key is the digest of the body: no event id is known to exist, and no time of
        sending either (contract §8).

        Raises `CallbackUnreadableError`.
        """
        document = read_callback(raw_body)
        event_type = identifier_at(document, "eventType", "event", "type")
        node = _transaction(document)
        return Callback(
            event_key=body_digest(raw_body),
            event_type=event_type,
            reference=identifier_at(node, "transactionRef"),
            gateway_transaction_id=identifier_at(node, "transactionId"),
            status_hint=identifier_at(node, "status") or event_type.rpartition(".")[2],
            recognised=any(known in event_type for known in _KNOWN_EVENTS),
        )

    def _signatures(self, raw_body: bytes) -> list[bytes]:
        if not self._keyed:
            return [hashlib.sha512(raw_body).hexdigest().encode()]
        return [signature(secret, raw_body) for secret in self._secrets]


def signature(secret: bytes, raw_body: bytes) -> bytes:
    """Return the header that signs a body: HMAC-SHA512 in lower-case hexadecimal."""
    return hmac.new(secret, raw_body, hashlib.sha512).hexdigest().encode()


def _transaction(document: JsonObject) -> JsonObject:
    data = object_at(document, "data")
    if data is None:
        return document
    return object_at(data, "transaction") or data
