"""Reads a form that somebody else filled in (application/x-www-form-urlencoded), strictly."""

import re
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from gateway_adapters.json_body import JsonObject

_Form: TypeAlias = "dict[str, str | _Form]"

_MOST_FIELDS: Final = 200
_DEEPEST: Final = 4
_ENCODED = re.compile(rb"(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})+")
_NAME = re.compile(r"([^\[\]\x00-\x1f]{1,128})((?:\[[^\[\]\x00-\x1f]{1,128}\])*)")


class FormBodyError(ValueError):
    """A body that is not one strict form of acceptable size."""


def read_form(raw: bytes, *, limit: int) -> JsonObject:
    """Read a form; `data[id]=1` becomes `{"data": {"id": "1"}}`. Every value is text.

    How Flutterwave nests in its forms is not established (contract part F); brackets are what its
    libraries write, and a name without them stays as it is. `limit`: the largest accepted size in
    bytes. Raises `FormBodyError` for anything that two readers could read in two ways: a repeated
    name, a name that is both a value and a group, an encoding that is not UTF-8, a stray percent.
    """
    if len(raw) > limit:
        raise FormBodyError(f"the form is larger than {limit} bytes")
    if not _ENCODED.fullmatch(raw):
        raise FormBodyError("the form is not encoded as forms are")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise FormBodyError("the form is not strict") from error
    document: _Form = {}
    for name, value in pairs:
        _put(document, _path(name), value)
    return document


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise FormBodyError("a field has no proper name")
    path = [match[1], *match[2][1:-1].split("][")] if match[2] else [match[1]]
    if len(path) > _DEEPEST:
        raise FormBodyError(f"a field is nested more than {_DEEPEST} levels")
    return path


def _put(document: _Form, path: list[str], value: str) -> None:
    if "\0" in value:
        raise FormBodyError("a value contains NUL")
    *groups, name = path
    node = document
    for group in groups:
        inner = node.setdefault(group, {})
        if not isinstance(inner, dict):
            raise FormBodyError("a name is both a value and a group")
        node = inner
    if name in node:
        raise FormBodyError("a field is repeated")
    node[name] = value
