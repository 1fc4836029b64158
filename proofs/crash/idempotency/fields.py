"""Every field of a request changed, one at a time, as the protobuf descriptor lists them."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

_KEY = "idempotency_key"
# Other values that are as valid as the first; every text is changed to nonsense and to nothing too.
_VALID: dict[str, tuple[str, ...]] = {
    "amount.currency_code": ("KES",),
    "country_code": ("KE",),
    "currency_code": ("KES", "NGN"),
    "customer.country_code": ("KE",),
    "customer.email": ("somebody.else@example.com",),
    "customer.phone_number": ("+256772123457", "+254722123456"),
    "mobile_money_network": ("MTN",),
    "otp": ("654321",),
    "payment_option": ("bank_transfer",),
    "phone_number": ("+256772123457",),
    "return_url": ("http://127.0.0.1:8080/return?other=1",),
    "tier": ("starter", "studio"),
}


def changed(request: Message, **further: str) -> Iterator[tuple[str, Message]]:
    """Yield the request with one field changed, as often as there are other values for a field.

    Each comes with the field's path. `further`: another valid value, by path. The idempotency key
    is left alone: under another key it would be another request.
    """
    for path in _paths(request.DESCRIPTOR, ""):
        for value in _others(request, path, further.get(path, "")):
            other = _copy(request)
            setattr(_holder(other, path), path.rpartition(".")[2], value)
            yield path, other
    for field in request.DESCRIPTOR.fields:
        if field.message_type is not None and request.HasField(field.name):
            other = _copy(request)
            other.ClearField(field.name)
            yield field.name, other


def _paths(descriptor: Any, prefix: str) -> Iterator[str]:
    """Yield the path of every field that holds a value."""
    for field in descriptor.fields:
        if field.message_type is not None:
            yield from _paths(field.message_type, f"{prefix}{field.name}.")
        elif field.name != _KEY:
            yield f"{prefix}{field.name}"


def _copy(request: Message) -> Message:
    other = type(request)()
    other.CopyFrom(request)
    return other


def _holder(request: Message, path: str) -> Any:
    """Return the message that holds a field."""
    holder: Any = request
    for part in path.split(".")[:-1]:
        holder = getattr(holder, part)
    return holder


def _others(request: Message, path: str, further: str) -> list[Any]:
    """Return other values of a field than the one that it has."""
    holder = _holder(request, path)
    field = holder.DESCRIPTOR.fields_by_name[path.rpartition(".")[2]]
    value = getattr(holder, field.name)
    if field.enum_type is not None:
        candidates = [each.number for each in field.enum_type.values]
    elif isinstance(value, str):
        candidates = ["", f"{value}x", *_VALID.get(path, ()), further]
    else:
        candidates = [0, value - 1, value + 1]
    return [each for each in dict.fromkeys(candidates) if each != value]
