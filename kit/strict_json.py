"""JSON from outside: what two readers could understand differently is refused."""

import json
import math
from typing import Any, NoReturn


def parse_strict_json(raw: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Raises `ValueError` for what is not UTF-8 or not JSON, and for what is read differently by
    different readers: a repeated name, NaN, infinity, half a surrogate pair, a byte order mark.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
        if "\\u" in text:
            # Half a pair has no UTF-8 form; this is the one way to find it wherever it is.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name appears twice in an object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
