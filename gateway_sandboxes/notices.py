"""A webhook as a gateway means to send it, and what faults turn it into before it leaves."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from gateway_sandboxes.amounts import parse_amount, plain
from gateway_sandboxes.faults import Faults, Subject
from gateway_sandboxes.json_http import dump_json, parse_json

DEFAULT_HOLD_SECONDS = 30.0
_TAMPERING_FACTOR = 10
_AMOUNTS = ("amount", "AmountRefunded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A webhook, signed over exactly these bytes in the header named `signature_header`.

    `url` is where it goes; None: to the address that is configured.
    """

    subject: Subject
    event: str
    body: bytes
    headers: dict[str, str]
    signature_header: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What really leaves: how many copies (0: lost), after how many seconds, and in what shape.

    `held` means: after the next webhook, or after `delay_seconds` when none comes.
    """

    notice: Notice
    copies: int = 1
    delay_seconds: float = 0.0
    held: bool = False
    faults: tuple[str, ...] = field(default=())


def apply_faults(faults: Faults, dispatch: Dispatch) -> Dispatch:
    """Let every webhook fault that is set and matches have its way with the dispatch."""
    subject = dispatch.notice.subject
    if faults.take(("webhook_drop",), subject):
        return _marked(replace(dispatch, copies=0), "webhook_drop")
    if rule := faults.take(("webhook_delay",), subject):
        seconds = DEFAULT_HOLD_SECONDS if rule.seconds is None else rule.seconds
        dispatch = _marked(replace(dispatch, delay_seconds=seconds), rule.fault)
    if rule := faults.take(("webhook_reorder",), subject):
        seconds = DEFAULT_HOLD_SECONDS if rule.seconds is None else rule.seconds
        dispatch = _marked(replace(dispatch, delay_seconds=seconds, held=True), rule.fault)
    if rule := faults.take(("webhook_duplicate",), subject):
        dispatch = _marked(replace(dispatch, copies=dispatch.copies + 1), rule.fault)
    for name, alter in (
        ("webhook_tampered_amount", _tamper),
        ("webhook_bad_signature", _break_signature),
        ("webhook_missing_signature", _remove_signature),
    ):
        if faults.take((name,), subject):
            dispatch = _marked(replace(dispatch, notice=alter(dispatch.notice)), name)
    return dispatch


def _marked(dispatch: Dispatch, fault: str) -> Dispatch:
    return replace(dispatch, faults=(*dispatch.faults, fault))


def _break_signature(notice: Notice) -> Notice:
    """Put another signature of the same length in its place."""
    right = notice.headers.get(notice.signature_header, "")
    wrong = "0" * len(right) if right else "not-the-signature"
    return replace(notice, headers={**notice.headers, notice.signature_header: wrong})


def _remove_signature(notice: Notice) -> Notice:
    kept = {k: v for k, v in notice.headers.items() if k != notice.signature_header}
    return replace(notice, headers=kept)


def _tamper(notice: Notice) -> Notice:
    """Multiply the amount after signing, as somebody on the way would."""
    body = parse_json(notice.body)
    holder = body["data"] if isinstance(body.get("data"), dict) else body
    key = next((name for name in _AMOUNTS if name in holder), _AMOUNTS[0])
    raised = (parse_amount(holder.get(key)) or Decimal(0)) * _TAMPERING_FACTOR
    holder[key] = plain(raised) if isinstance(holder.get(key), str) else raised
    return replace(notice, body=dump_json(body))
