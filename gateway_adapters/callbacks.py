"""What every gateway's callbacks have in common. Pure: no network, no grpc, no settings."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from gateway_adapters.errors import CallbackRefusedError, CallbackUnreadableError
from gateway_adapters.form_body import FormBodyError, read_form
from gateway_adapters.json_body import JsonBodyError, JsonObject, read_json_object

__all__ = [
    "Callback",
    "CallbackHeaders",
    "CallbackRefusedError",
    "CallbackUnreadableError",
    "CallbackVerifier",
    "body_digest",
    "is_one_of",
    "only_header",
    "read_callback",
    "read_form_callback",
]

# What the payments service stores; real callbacks have a few KiB.
MAX_CALLBACK_BYTES: Final = 64 * 1024

# As ASGI has them (`request.headers.raw`): every occurrence, and the bytes that were sent.
CallbackHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A hint that something happened at a gateway; never a fact.

    `event_key`: what makes two deliveries the same one, at most 200 characters. `event_type`: the
    gateway's own name. `reference`: ours, as the body has it. `gateway_transaction_id`: the
    gateway's. `status_hint`: the status that the body claims. All but the key may be empty.
    `sent_time`: when the gateway says that it sent the callback, or None where it does not say.
    `recognised`: whether it is of a kind that the gateway documents.
    """

    event_key: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    status_hint: str
    sent_time: datetime | None = None
    recognised: bool = True


class CallbackVerifier(Protocol):
    """Proves who sent a callback and reads it. Neither touches the network."""

    def verify(self, raw_body: bytes, headers: CallbackHeaders) -> None:
        """Return when the sender knows the secret; raise `CallbackRefusedError` otherwise."""
        ...

    def parse(self, raw_body: bytes, headers: CallbackHeaders) -> Callback:
        """Read a verified body. An event of an unknown kind is a callback with empty identifiers.

        Raises `CallbackUnreadableError` when the body is not a JSON object.
        """
        ...


def only_header(headers: CallbackHeaders, *names: bytes) -> tuple[bytes, bytes]:
    """Return the one header that is called one of `names` (lower case): its name and value.

    Raises `CallbackRefusedError` when there is none, or more than one of them all: which of two
    proofs counts must never depend on who reads them.
    """
    present = [(key.lower(), value) for key, value in headers if key.lower() in names]
    if len(present) != 1:
        raise CallbackRefusedError("the callback is not signed as the gateway signs")
    return present[0]


def is_one_of(presented: bytes, proofs: Iterable[bytes]) -> bool:
    """Tell whether `presented` equals one of `proofs`, byte for byte.

    Every proof is compared, each in constant time, so that the time tells nothing.
    """
    matches = [hmac.compare_digest(proof, presented) for proof in proofs]
    return any(matches)


def read_callback(raw_body: bytes) -> JsonObject:
    """Read the JSON body of a callback. Raises `CallbackUnreadableError`."""
    try:
        return read_json_object(raw_body, limit=MAX_CALLBACK_BYTES)
    except JsonBodyError as error:
        raise CallbackUnreadableError(str(error)) from error


def read_form_callback(raw_body: bytes) -> JsonObject:
    """Read the form-encoded body of a callback. Raises `CallbackUnreadableError`."""
    try:
        return read_form(raw_body, limit=MAX_CALLBACK_BYTES)
    except FormBodyError as error:
        raise CallbackUnreadableError(str(error)) from error


def body_digest(raw_body: bytes) -> str:
    """Return the SHA-256 of the exact bytes, in lower-case hexadecimal."""
    return hashlib.sha256(raw_body).hexdigest()
