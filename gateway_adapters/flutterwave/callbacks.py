"""Flutterwave's callbacks: the constant `verif-hash` header and the shapes of v3 (contract A14)."""

import hmac
from collections.abc import Sequence

from gateway_adapters.callbacks import (
    Callback,
    CallbackHeaders,
    CallbackRefusedError,
    body_digest,
    only_header,
    read_callback,
)
from gateway_adapters.json_body import JsonObject, identifier_at, object_at

_HEADER = b"verif-hash"
_DIGEST_CHARACTERS = 32
# Their own flat shapes have no event name; these are ours.
_LEGACY_CHARGE = "legacy.charge"
_REFUND = "refund"


class FlutterwaveCallbackVerifier:
    """Checks and reads Flutterwave's callbacks.

    `secrets`: the secret hashes that are accepted; two of them while one replaces the other.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not all(secrets) or not secrets:
            raise ValueError("an empty secret would accept every callback")
        self._secrets = [secret.encode() for secret in secrets]

    def verify(self, raw_body: bytes, headers: CallbackHeaders) -> None:  # noqa: ARG002 - the header is the whole proof; it does not cover the body
        """Require exactly one `verif-hash` header that equals a secret.

        Raises `CallbackRefusedError`. Every secret is compared, so the time tells nothing.
        """
        presented = only_header(headers, _HEADER)
        matches = [hmac.compare_digest(secret, presented) for secret in self._secrets]
        if not any(matches):
            raise CallbackRefusedError("the callback is not signed as the gateway signs")

    def parse(self, raw_body: bytes, headers: CallbackHeaders) -> Callback:  # noqa: ARG002 - other gateways' bodies may need their headers
        """Read a body of the v3 shape, the legacy flat shape or the flat refund shape.

        The event key holds a digest of the body beside the id and status that the contract names
        (part C, rule 3): the header does not bind the body, so whoever has seen one callback can
        forge another with the id and status of a real one, and must not take its place.

        Raises `CallbackUnreadableError`.
        """
        document = read_callback(raw_body)
        event_type, node, transaction_key = _shape(document)
        identifier, status = identifier_at(node, "id"), identifier_at(node, "status")
        digest = body_digest(raw_body)[:_DIGEST_CHARACTERS]
        return Callback(
            event_key=f"{event_type[:40]}:{identifier[:40]}:{status[:40]}:{digest}",
            event_type=event_type,
            reference=identifier_at(node, "tx_ref", "txRef"),
            gateway_transaction_id=identifier_at(node, transaction_key),
            status_hint=status,
        )


def _shape(document: JsonObject) -> tuple[str, JsonObject, str]:
    """Return the event's name, the object that describes it, and where that has the transaction."""
    event = identifier_at(document, "event")
    if event:
        transaction_key = "id" if event.startswith("charge.") else "TransactionId"
        return event, object_at(document, "data") or {}, transaction_key
    if "txRef" in document and "flwRef" in document:
        return _LEGACY_CHARGE, document, "id"
    if "AmountRefunded" in document:
        return _REFUND, document, "TransactionId"
    return identifier_at(document, "event.type"), {}, "id"
