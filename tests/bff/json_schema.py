"""The part of JSON Schema (2020-12) that the OpenAPI document uses: to check and make values."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_UNDERSTOOD = {
    "$ref", "title", "description", "examples", "format", "default", "type", "enum", "anyOf",
    "properties", "required", "additionalProperties", "items", "pattern", "minLength", "maxLength",
    "minimum", "maximum",
}  # fmt: skip
# Texts that were never meant for a field; what is valid for a field stays rare among them.
_STRANGE_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", " ", "\x00", "a\nb", "\u202e", "'; --", "{{7*7}}", "x" * 3000, "-1"]),
)
_STRANGE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(2**70), max_value=2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        _STRANGE_TEXTS,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_STRANGE_TEXTS, inner, max_size=3)
    ),
    max_leaves=5,
)


def resolved(schema: Schema, document: Schema) -> Schema:
    """Follow a reference."""
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        schema = document["components"]["schemas"][name]
    return schema


def violations(value: Any, schema: Schema, document: Schema, place: str = "$") -> list[str]:
    """Return what is wrong with a value; the schema may use nothing that is not understood here."""
    schema = resolved(schema, document)
    assert set(schema) <= _UNDERSTOOD, set(schema) - _UNDERSTOOD
    return list(_violations(value, schema, document, place))


def _violations(value: Any, schema: Schema, document: Schema, place: str) -> Iterator[str]:
    if "anyOf" in schema:
        if all(violations(value, each, document, place) for each in schema["anyOf"]):
            yield f"{place} is none of the alternatives"
        return
    if not _is_a(value, schema):
        yield f"{place} is not of its type, or none of the values"
    elif isinstance(value, str):
        yield from _text_violations(value, schema, place)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from violations(each, schema["items"], document, f"{place}[{index}]")
    elif isinstance(value, dict):
        yield from _object_violations(value, schema, document, place)


def _is_a(value: Any, schema: Schema) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    if kind is None:
        return True
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _text_violations(value: str, schema: Schema, place: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{place} has a wrong length"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{place} does not match"


def _object_violations(
    value: Mapping[str, Any], schema: Schema, document: Schema, place: str
) -> Iterator[str]:
    properties = schema["properties"]
    for name in set(schema.get("required", ())) - value.keys():
        yield f"{place}.{name} is missing"
    for name in value.keys() - properties.keys():
        yield f"{place}.{name} is not described"
    for name in value.keys() & properties.keys():
        yield from violations(value[name], properties[name], document, f"{place}.{name}")


def values_of(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    """Make values that fit a schema."""
    schema = resolved(schema, document)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex(
            schema["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii")
        )
    if schema["type"] == "object":
        required = set(schema.get("required", ()))
        parts = {name: values_of(each, document) for name, each in schema["properties"].items()}
        optional = {name: each for name, each in parts.items() if name not in required}
        needed = {name: each for name, each in parts.items() if name in required}
        return st.fixed_dictionaries(needed, optional=optional)
    return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 50))


def strange_values_of(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    """Make values that mostly do not fit: wrong fields, missing ones, further ones, or anything."""
    schema = resolved(schema, document)
    if schema.get("type") != "object":
        return _STRANGE
    parts = {
        name: st.one_of(values_of(each, document), strange_values_of(each, document))
        for name, each in schema["properties"].items()
    }
    fields = st.fixed_dictionaries({}, optional=parts)
    further = st.dictionaries(_STRANGE_TEXTS, _STRANGE, max_size=2)
    mixed = st.tuples(fields, further).map(lambda both: {**both[1], **both[0]})
    return st.one_of(mixed, mixed, _STRANGE)
