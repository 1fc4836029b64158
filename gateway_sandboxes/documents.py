"""Frozen dataclasses to JSON documents and back, so that the state file stays readable."""

import dataclasses
import types
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gateway_sandboxes.json_http import dump_json, parse_json

R = TypeVar("R")


def to_document(record: object) -> bytes:
    """Serialise a record: a dataclass of plain values, decimals, moments, tuples and records."""
    return dump_json(record)


def from_document(kind: type[R], document: bytes) -> R:
    """Rebuild the record that `to_document` wrote; fields added since take their defaults."""
    record: R = _revive(kind, parse_json(document))
    return record


def _revive(kind: Any, value: Any) -> Any:
    if value is None or kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _revive(hints[name], value[name]) for name in hints if name in value})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _revive(next(part for part in arguments if part is not types.NoneType), value)
    if origin is tuple:
        return tuple(_revive(arguments[0], item) for item in value)
    if origin in (dict, Literal):
        return value
    return _revive_scalar(kind, value)


def _revive_scalar(kind: Any, value: Any) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind in (Decimal, float):
        return kind(value)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
