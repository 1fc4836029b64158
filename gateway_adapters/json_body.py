"""Reads JSON that somebody else wrote: bounded, strict, and with every number exact."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias

JsonValue: TypeAlias = (
    "str | int | Decimal | bool | list[JsonValue] | Mapping[str, JsonValue] | None"
)
JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_BODY_BYTES: Final = 1024 * 1024
# Gateways nest five deep and write amounts of ten digits; more is somebody probing.
_DEEPEST: Final = 32
_LONGEST_NUMBER: Final = 100
_LARGEST_EXPONENT: Final = 100
_MAX_IDENTIFIER: Final = 128
# What JSON may escape and no database can store as text: NUL, and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)


class JsonBodyError(ValueError):
    """A body that is not one strict JSON object of acceptable size."""


def read_json_object(raw: bytes, *, limit: int = MAX_BODY_BYTES) -> JsonObject:
    """Read a JSON object from UTF-8 bytes; fractions become `Decimal`.

    `limit`: the largest accepted size in bytes. Raises `JsonBodyError` for what `read_json`
    refuses, and for what is not an object.
    """
    value = read_json(raw, limit=limit)
    if not isinstance(value, dict):
        raise JsonBodyError("the body is not a JSON object")
    return value


def read_json(raw: bytes, *, limit: int = MAX_BODY_BYTES) -> JsonValue:
    """Read any JSON value from UTF-8 bytes; fractions become `Decimal`.

    Stricter than RFC 8259, so that two readers of one body can never disagree and no body can cost
    much: repeated keys, NaN and infinities, a byte-order mark, numbers over 100 characters or
    outside of 1e±100, more than 32 levels, and text with NUL or half a surrogate pair are refused.
    `limit`: the largest accepted size in bytes. Raises `JsonBodyError`.
    """
    if len(raw) > limit:
        raise JsonBodyError(f"the body is larger than {limit} bytes")
    try:
        value: JsonValue = json.loads(
            raw.decode("utf-8"),
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except JsonBodyError:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise JsonBodyError("the body is not strict JSON") from error
    _check_depth_and_text(value)
    return value


def object_at(node: JsonObject, key: str) -> JsonObject | None:
    """Return the object under `key`, or None when there is none."""
    value = node.get(key)
    return value if isinstance(value, Mapping) else None


def objects_at(node: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of the list under `key`; empty when there is no list."""
    value = node.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def rows_at(node: JsonObject, key: str) -> list[JsonObject] | None:
    """Return the list under `key`, or None unless it is a list of nothing but objects."""
    value = node.get(key)
    rows = objects_at(node, key)
    return rows if isinstance(value, list) and len(rows) == len(value) else None


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


def moment_at(node: JsonObject, *keys: str) -> datetime | None:
    """Return the first time with a zone (ISO 8601) under one of `keys`, or None."""
    for key in keys:
        try:
            moment = datetime.fromisoformat(identifier_at(node, key))
        except ValueError:
            continue
        if moment.tzinfo:
            return moment
    return None


def _check_depth_and_text(value: JsonValue) -> None:
    """Look at the value level by level: keys, texts, and whether it ever ends."""
    level = [value]
    for levels_left in range(_DEEPEST, -1, -1):
        below: list[JsonValue] = []
        for node in level:
            if isinstance(node, str):
                if _UNSTORABLE.search(node):
                    raise JsonBodyError("a text contains NUL or half a surrogate pair")
            elif isinstance(node, Mapping | list):
                if not levels_left:
                    raise JsonBodyError(f"the body has more than {_DEEPEST} levels")
                below += node
                below += node.values() if isinstance(node, Mapping) else ()
        level = below


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Refuse repeated keys: two readers of one body must not see two amounts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonBodyError("a key is repeated")
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise JsonBodyError("NaN and infinities are not JSON")


def _whole(text: str) -> int:
    return int(_bounded(text))


def _fraction(text: str) -> Decimal:
    number = Decimal(_bounded(text))
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise JsonBodyError("a number is out of every range")
    return number


def _bounded(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise JsonBodyError("a number is too long")
    return text
