"""Reads JSON that somebody else wrote: bounded, strict, and with every number exact."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias

JsonValue: TypeAlias = (
    "str | int | Decimal | bool | list[JsonValue] | Mapping[str, JsonValue] | None"
)
JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_BODY_BYTES: Final = 1024 * 1024
_MAX_IDENTIFIER: Final = 128
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)


class JsonBodyError(ValueError):
    """A body that is not one strict JSON object of acceptable size."""


def read_json_object(raw: bytes, *, limit: int = MAX_BODY_BYTES) -> JsonObject:
    """Read a JSON object from UTF-8 bytes; fractions become `Decimal`.

    `limit`: the largest accepted size in bytes. Raises `JsonBodyError` for anything larger, for
    NaN and infinities, repeated keys, a byte-order mark, absurd nesting, and what is not an object.
    """
    if len(raw) > limit:
        raise JsonBodyError(f"the body is larger than {limit} bytes")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise JsonBodyError("the body is not strict JSON") from error
    if not isinstance(value, dict):
        raise JsonBodyError("the body is not a JSON object")
    return value


def object_at(node: JsonObject, key: str) -> JsonObject | None:
    """Return the object under `key`, or None when there is none."""
    value = node.get(key)
    return value if isinstance(value, Mapping) else None


def objects_at(node: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of the list under `key`; empty when there is no list."""
    value = node.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def identifier_at(node: JsonObject, *keys: str) -> str:
    """Return the first short printable text or whole number under one of `keys`, else "".

    Gateways write the same identifier as text in one place and as a number in another.
    """
    for key in keys:
        value = node.get(key)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str) and len(text) <= _MAX_IDENTIFIER and _PRINTABLE.fullmatch(text):
            return text
    return ""


def amount_at(node: JsonObject, key: str) -> Decimal | str | int | None:
    """Return the amount under `key` as it was written, unchecked; None when there is none."""
    value = node.get(key)
    return value if isinstance(value, Decimal | str | int) and not isinstance(value, bool) else None


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Refuse repeated keys: two readers of one body must not see two amounts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonBodyError("a key is repeated")
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise JsonBodyError("NaN and infinities are not JSON")
