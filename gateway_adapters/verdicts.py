"""What an exchange with a gateway proves: the one classifier, by moment and by reply."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    NotSentError,
    OutcomeUnknownError,
)
from gateway_adapters.json_body import JsonObject
from gateway_adapters.wording import detail_of

# Codes that several rules share.
DUPLICATE_REFERENCE = "duplicate_reference"
GATEWAY_CONFIGURATION = "gateway_configuration"
GATEWAY_CREDENTIALS = "gateway_credentials"

_REFUSALS = frozenset({400, 402, 404, 409, 422})
_FORBIDDEN = frozenset({401, 403})


class Verdict(StrEnum):
    """What the status and form of a reply prove about a request that would have created something.

    ANSWERED: done as the body says. REFUSED: nothing was created. FORBIDDEN: nothing was created
    and the configuration or the account is at fault. UNKNOWN: it may have taken effect.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Progress:
    """How far an exchange came. Request bytes are only written once there is a connection."""

    connected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A gateway's reply. `document`: its JSON object, or None when it is anything else."""

    status: int
    document: JsonObject | None

    @property
    def verdict(self) -> Verdict:
        """What this reply proves."""
        return classify_reply(self.status, readable=self.document is not None)


def classify_reply(status: int, *, readable: bool) -> Verdict:
    """Say what a reply proves by its HTTP status and by whether its body is a JSON object.

    A 429 proves nothing: neither gateway documents that limiting comes before creation. Nor does a
    4xx in HTML: it is no answer of the gateway's application. 401 and 403 need no body: whoever
    wrote them let nothing pass.
    """
    if status in _FORBIDDEN:
        return Verdict.FORBIDDEN
    if not readable:
        return Verdict.UNKNOWN
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict.ANSWERED
    return Verdict.REFUSED if status in _REFUSALS else Verdict.UNKNOWN


def classify_break(progress: Progress, cause: str) -> GatewayFailureError:
    """Say what an exchange proves that broke before its reply was complete.

    Decided by what is known to have happened, never by the kind of error: the transport reports a
    connection that was cut after the request as a connect timeout. `cause`: for people.
    """
    if progress.connected:
        return OutcomeUnknownError("no_reply", f"the exchange broke after it began ({cause})")
    return NotSentError("gateway_unreachable", f"no connection was made ({cause})")


def failure_of_creation(
    reply: HttpReply, words: str, code_of: Callable[[str], str]
) -> GatewayFailureError | None:
    """Return what a reply to a creating request proves went wrong, or None when it was answered.

    `words`: the gateway's own error text, "" unless the body is its documented error envelope; a
    refusal without it proves nothing. `code_of`: turns those words into a code.
    """
    detail = detail_of(words) or f"HTTP {reply.status}"
    if reply.verdict is Verdict.ANSWERED:
        return None
    if reply.verdict is Verdict.FORBIDDEN:
        credentials = reply.status == HTTPStatus.UNAUTHORIZED
        code = GATEWAY_CREDENTIALS if credentials else GATEWAY_CONFIGURATION
        return NotCreatedError(code, detail, operator_alert=True)
    if reply.verdict is Verdict.REFUSED and words:
        return refusal(code_of(words), detail)
    return _proves_nothing(reply, detail)


def refusal(code: str, detail: str) -> GatewayFailureError:
    """Return the failure of a documented refusal.

    A reference that exists already is no refusal: something was created under it, so look it up.
    """
    if code == DUPLICATE_REFERENCE:
        return OutcomeUnknownError(code, detail)
    return NotCreatedError(code, detail, operator_alert=code == GATEWAY_CONFIGURATION)


def failure_of_look_up(reply: HttpReply, words: str) -> OutcomeUnknownError:
    """Return the failure of a look-up that brought no answer: it proves nothing, whatever it is."""
    return _proves_nothing(reply, detail_of(words) or f"HTTP {reply.status}")


def _proves_nothing(reply: HttpReply, detail: str) -> OutcomeUnknownError:
    if reply.status in _FORBIDDEN:
        return OutcomeUnknownError(GATEWAY_CONFIGURATION, detail, operator_alert=True)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return OutcomeUnknownError("rate_limited", detail)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OutcomeUnknownError("gateway_error", detail)
    # A route that the gateway does not have: the base URL is wrong.
    lost = reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    return OutcomeUnknownError("unreadable_reply", detail, operator_alert=lost)
