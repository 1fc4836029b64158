"""What belongs to the request that is being served: its id, its deadline and who asks."""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, replace

_SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

REQUEST_ID_KEY = "x-request-id"
PAYMENT_ID_KEY = "x-payment-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestScope:
    """One served request.

    `request_id`: the same in every process's log. `deadline`: on the event loop's clock (seconds),
    or None for no limit. `caller`: name of the calling service. `user_id`: the member it acts for
    (verified), or None. `payment_id`: the payment it is about, once that is known.
    """

    request_id: str
    deadline: float | None = None
    caller: str = "anonymous"
    user_id: str | None = None
    payment_id: str | None = None


_current: ContextVar[RequestScope | None] = ContextVar("request_scope", default=None)


def current_scope() -> RequestScope:
    """Return the scope of the request being served, or a fresh one outside of any request."""
    return _current.get() or RequestScope(request_id=new_request_id())


def current_scope_or_none() -> RequestScope | None:
    """Return the scope of the request being served, or None outside of any request."""
    return _current.get()


def enter_scope(scope: RequestScope) -> None:
    """Make `scope` the current one for this task and the tasks it starts."""
    _current.set(scope)


def about_payment(payment_id: str) -> None:
    """Note which payment the request is about: its log lines and calls carry it from now on."""
    enter_scope(replace(current_scope(), payment_id=payment_id))


def new_request_id() -> str:
    """Return a fresh request id. It identifies log lines and decides nothing."""
    return secrets.token_hex(16)


def safe_request_id(candidate: str | None) -> str:
    """Return the caller's request id when it is short and harmless, else a fresh one."""
    return harmless_id(candidate) or new_request_id()


def harmless_id(candidate: str | None) -> str | None:
    """Return an identifier from outside when it is short and plain enough for a log, else None."""
    return candidate if candidate and _SAFE_REQUEST_ID.fullmatch(candidate) else None
