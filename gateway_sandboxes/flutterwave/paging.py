"""Lists in pages and between dates, as every list of the API has them (contract A1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from typing import Generic, TypeVar

from starlette.requests import Request

from gateway_sandboxes.flutterwave.replies import RefusedError

R = TypeVar("R")

_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[R]):
    """The rows of one page, and its `page_info`."""

    rows: Sequence[R]
    info: dict[str, int]


def cut_page(
    request: Request, rows: Sequence[R], size: int, *, tells_size: bool = False
) -> Page[R]:
    """Return the page that a request asks for.

    Raises:
        RefusedError: `page` is no whole number of at least 1.

    """
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and int(text)):
        raise RefusedError("page must be a whole number of at least 1")
    number = int(text)
    info = {
        "total": len(rows),
        "current_page": number,
        "total_pages": ceil(len(rows) / size),
    }
    if tells_size:
        info["page_size"] = size
    return Page(rows=rows[(number - 1) * size : number * size], info=info)


def is_between(request: Request, moment: datetime) -> bool:
    """Tell whether a moment lies on a day that `from` and `to` allow; both days count.

    Raises:
        RefusedError: one of them is no date.

    """
    wanted = request.query_params
    since = _day(wanted.get("from"), date.min)
    until = _day(wanted.get("to"), date.max)
    return since <= moment.date() <= until


def fits(request: Request, values: dict[str, object]) -> bool:
    """Tell whether a row has the values that the query names; names without a value do not count.

    `values` are the row's, by the name of the query's parameter.
    """
    wanted = request.query_params
    return all(wanted.get(name) in (None, "", str(value)) for name, value in values.items())


def _day(text: str | None, default: date) -> date:
    try:
        return date.fromisoformat(text) if text else default
    except ValueError as problem:
        raise RefusedError("from and to must be dates such as 2026-09-14") from problem
