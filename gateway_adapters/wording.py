"""Between a gateway's words and ours: free text, status names, amounts in major units."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway_adapters.charges import Outcome
from kit.logs import get_logger
from kit.money import Money, MoneyError
from kit.redaction import redact_text

_MAX_DETAIL = 200

_log = get_logger(__name__)


def detail_of(text: str) -> str:
    """Return a gateway's words fit for a log and a support page: bounded, without personal data."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return redact_text(printable)[:_MAX_DETAIL]


def code_for(words: str, phrases: Sequence[tuple[str, str]], default: str) -> str:
    """Return the code of the first phrase that a gateway's free text contains, else `default`.

    `phrases`: pairs of a lower-case phrase and a code, the most telling first.
    """
    lowered = words.lower()
    return next((code for phrase, code in phrases if phrase in lowered), default)


def outcome_for(status: str, known: Mapping[str, Outcome], gateway: str) -> Outcome:
    """Return what a gateway's own word for a status means.

    `known`: by lower-case word. A word that is not known proves nothing: it is PENDING, with a
    warning for operators.
    """
    outcome = known.get(status.strip().lower())
    if outcome is None:
        _log.warning("gateway_status_unknown", gateway=gateway, status=status)
        return Outcome.PENDING
    return outcome


def plain_decimal(money: Money) -> str:
    """Return an amount in major units as decimal text without exponent, for example "499.00"."""
    return format(money.to_major(), "f")


def exact_money(currency: str, major: Decimal | str | int | None) -> Money | None:
    """Return an amount that a gateway wrote in major units, or None unless it is exact."""
    if major is None:
        return None
    try:
        return Money.from_major(currency, major)
    except MoneyError:
        return None
