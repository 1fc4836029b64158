"""Reading what a page sends: within a size and a time, as strict JSON of a known shape."""

import asyncio
import re
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from kit.strict_json import parse_strict_json
from services.bff.problems import Problem, ProblemError, invalid

_MAX_BYTES = 16 * 1024
_SECONDS = 10.0
_JSON = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
# msgspec names the place at the end of its sentence.
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)
_NAMED = re.compile(
    r"Object (?P<what>missing required|contains unknown) field `(?P<field>.*)`", re.DOTALL
)

BodyT = TypeVar("BodyT")


async def read_body(request: Request, kind: type[BodyT]) -> BodyT:
    """Return the body of a request as `kind` (a msgspec struct).

    Raises `ProblemError`: 413 when it is too large, 408 when it takes too long, 415 when it is not
    called JSON, 400 when it is not JSON or not of that shape.
    """
    if not _JSON.fullmatch(request.headers.get("content-type", "").strip()):
        raise ProblemError(Problem(status=415, reason="NOT_JSON"))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(Problem(status=415, reason="BODY_ENCODED"))
    raw = await _received(request)
    try:
        value = parse_strict_json(raw)
    except ValueError:
        raise invalid("", "must be JSON, in UTF-8, with each name once") from None
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise _shape_problem(str(error)) from None


async def _received(request: Request) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > _MAX_BYTES:
                    raise ProblemError(Problem(status=413, reason="BODY_TOO_LARGE"))
    except TimeoutError:
        raise ProblemError(Problem(status=408, reason="BODY_TOO_SLOW")) from None
    except ClientDisconnect:
        # Nobody is there to read this; it only ends the request in an orderly way.
        raise ProblemError(Problem(status=400, reason="DISCONNECTED")) from None
    return bytes(raw)


def _shape_problem(message: str) -> ProblemError:
    """Say which field is wrong, without repeating what was sent."""
    place = _PLACE.fullmatch(message)
    what, where = (place["what"], place["where"] or "") if place else (message, "")
    named = _NAMED.fullmatch(what)
    if named and named["what"] == "missing required":
        return invalid(_path(where, named["field"]), "is required")
    if named:
        return invalid(
            _path(where, ""),
            "has a field that is not known here; amounts come from the price book",
        )
    if what.startswith("Invalid enum value"):
        return invalid(where, "is not one of the values that are offered")
    return invalid(where, what.replace("`", ""))


def _path(where: str, name: str) -> str:
    return ".".join(part for part in (where, name) if part)
