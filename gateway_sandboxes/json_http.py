"""JSON over HTTP without binary floats: exact decimals both ways."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import plain

_LONGEST_PLAIN_NUMBER = 40


class InvalidJsonError(Exception):
    """The request's body is not JSON."""


def parse_json(raw: bytes | str) -> Any:
    """Parse JSON text; fractions become `Decimal`.

    Raises:
        InvalidJsonError: the text is not JSON, or has a number or a depth no gateway would accept.

    """
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError("the body is not valid JSON") from error


async def read_json(request: Request) -> Any:
    """Parse the request's body as JSON (`InvalidJsonError` when it is not)."""
    return parse_json(await request.body())


async def read_object(request: Request) -> dict[str, Any]:
    """Parse the request's body as a JSON object; an empty body is an empty object."""
    raw = await request.body()
    value = parse_json(raw) if raw else {}
    if not isinstance(value, dict):
        raise InvalidJsonError("the body is not a JSON object")
    return value


def dump_json(value: object, *, pretty: bool = False) -> bytes:
    """Serialise to JSON; a `Decimal` becomes a plain number such as `12500.5`."""
    return orjson.dumps(value, default=_encode, option=orjson.OPT_INDENT_2 if pretty else None)


def json_reply(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a JSON body."""
    return Response(dump_json(value), status, headers, media_type="application/json")


def _encode(value: object) -> object:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} does not belong in JSON")
    short = value.is_finite() and abs(value.adjusted()) < _LONGEST_PLAIN_NUMBER
    return orjson.Fragment(plain(value) if short else str(value))


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
