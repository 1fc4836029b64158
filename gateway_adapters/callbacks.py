"""What every gateway's callbacks have in common. Pure: no network, no grpc, no settings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gateway_adapters.errors import CallbackRefusedError, CallbackUnreadableError
from gateway_adapters.json_body import JsonBodyError, JsonObject, read_json_object

__all__ = [
    "Callback",
    "CallbackHeaders",
    "CallbackRefusedError",
    "CallbackUnreadableError",
    "CallbackVerifier",
    "body_digest",
    "only_header",
    "read_callback",
]

# As ASGI has them (`request.headers.raw`): every occurrence, and the bytes that were sent.
CallbackHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A hint that something happened at a gateway; never a fact.

    `event_key`: what makes two deliveries the same one, at most 200 characters. `event_type`: the
    gateway's own name. `reference`: ours, as the body has it. `gateway_transaction_id`: the
    gateway's. `status_hint`: the status that the body claims. All but the key may be empty.
    """

    event_key: str
    event_type: str
    reference: str
    gateway_transaction_id: str
    status_hint: str


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


def only_header(headers: CallbackHeaders, name: bytes) -> bytes:
    """Return the value of the one header called `name` (lower case).

    Raises `CallbackRefusedError` when it is missing or repeated: which of two signatures counts
    must never depend on who reads them.
    """
    values = [value for key, value in headers if key.lower() == name]
    if len(values) != 1:
        raise CallbackRefusedError("the callback is not signed as the gateway signs")
    return values[0]


def read_callback(raw_body: bytes) -> JsonObject:
    """Read the body of a callback. Raises `CallbackUnreadableError`."""
    try:
        return read_json_object(raw_body)
    except JsonBodyError as error:
        raise CallbackUnreadableError(str(error)) from error


def body_digest(raw_body: bytes) -> str:
    """Return the SHA-256 of the exact bytes, in lower-case hexadecimal."""
    return hashlib.sha256(raw_body).hexdigest()
