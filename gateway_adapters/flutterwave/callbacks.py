"""Flutterwave's callbacks: who may deliver one (contract A14 for v3, B7 for v4)."""

import base64
import hmac
from collections.abc import Sequence

from gateway_adapters.callbacks import (
    Callback,
    CallbackHeaders,
    CallbackRefusedError,
    body_digest,
    is_one_of,
    only_header,
    read_callback,
    read_form_callback,
)
from gateway_adapters.flutterwave.callback_shapes import Event, read_event

_V3_HEADER = b"verif-hash"
_V4_HEADER = b"flutterwave-signature"
_FORM = b"application/x-www-form-urlencoded"
_DIGEST_CHARACTERS = 32


class FlutterwaveCallbackVerifier:
    """Checks and reads Flutterwave's callbacks.

    `secrets`: the secret hashes that v3's header may have; two of them while one replaces the
    other. `v4_secrets`: the keys of v4's signatures. Whatever has no secret is not accepted.
    `v4_signed`: False compares v4's header with the secret itself, as some samples of Flutterwave
    do; the header then proves as little about the body as v3's.
    """

    def __init__(
        self, secrets: Sequence[str], *, v4_secrets: Sequence[str] = (), v4_signed: bool = True
    ) -> None:
        if not all((*secrets, *v4_secrets)) or not (secrets or v4_secrets):
            raise ValueError("an empty secret would accept every callback")
        self._hashes = [secret.encode() for secret in secrets]
        self._v4_secrets = [secret.encode() for secret in v4_secrets]
        self._v4_signed = v4_signed

    def verify(self, raw_body: bytes, headers: CallbackHeaders) -> None:
        """Require exactly one proof: v3's `verif-hash` or v4's `flutterwave-signature`.

        A request with both is refused, whichever of them is right. v4's is compared as text, so
        that nothing but the canonical base64 of the signature is the signature.

        Raises `CallbackRefusedError`.
        """
        name, presented = only_header(headers, _V3_HEADER, _V4_HEADER)
        proofs = self._hashes if name == _V3_HEADER else self._v4_proofs(raw_body)
        if not is_one_of(presented, proofs):
            raise CallbackRefusedError("the callback is not signed as the gateway signs")

    def parse(self, raw_body: bytes, headers: CallbackHeaders) -> Callback:
        """Read a verified body of any of Flutterwave's shapes, JSON or form-encoded.

        v4's signature covers the body, so its event key is the id and the status (contract part C,
        rule 3). No other header does: whoever has seen one callback can forge another with the id
        and status of a real one. Those keys have a digest of the body too, so that a forged body
        cannot take the place of the real one.

        Raises `CallbackUnreadableError`.
        """
        read = read_form_callback if _is_form(headers) else read_callback
        event = read_event(read(raw_body))
        return Callback(
            event_key=self._event_key(event, raw_body, headers),
            event_type=event.event_type,
            reference=event.reference,
            gateway_transaction_id=event.gateway_transaction_id,
            status_hint=event.status,
            sent_time=event.sent_time,
            recognised=event.recognised,
        )

    def _v4_proofs(self, raw_body: bytes) -> list[bytes]:
        if not self._v4_signed:
            return self._v4_secrets
        return [signature(secret, raw_body) for secret in self._v4_secrets]

    def _event_key(self, event: Event, raw_body: bytes, headers: CallbackHeaders) -> str:
        if self._v4_signed and event.event_id and _has(headers, _V4_HEADER):
            return f"v4:{event.event_id}:{event.status[:40]}"
        digest = body_digest(raw_body)[:_DIGEST_CHARACTERS]
        return f"{event.event_type[:40]}:{event.event_id[:40]}:{event.status[:40]}:{digest}"


def signature(secret: bytes, raw_body: bytes) -> bytes:
    """Return the header that signs a body for v4: the base64 of its HMAC-SHA256 (contract B7)."""
    return base64.b64encode(hmac.digest(secret, raw_body, "sha256"))


def _has(headers: CallbackHeaders, name: bytes) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _is_form(headers: CallbackHeaders) -> bool:
    return any(
        key.lower() == b"content-type" and value.partition(b";")[0].strip().lower() == _FORM
        for key, value in headers
    )
