"""Removes secrets and personal data from whatever is about to be logged."""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[redacted]"

# A key is compared without case, dashes and underscores, so `X-Service-Token` and `apiKey` match.
_SECRET_KEY_PARTS: Final = (
    "token", "secret", "password", "passwd", "authorization", "cookie", "signature", "verifhash",
    "apikey", "privatekey", "credential", "otp", "pin", "cvv", "cvc", "cardnumber", "pan",
    "email", "phone", "msisdn", "customername", "fullname", "firstname", "lastname", "address",
    "rawbody", "clientid",
)  # fmt: skip
# Keys that contain one of the parts above and are harmless.
_SAFE_KEYS: Final = frozenset(
    {"pagetoken", "leasetoken", "span", "spanid", "panel", "company", "pinned", "mapping",
     "peeraddress", "listenaddress", "adapteraddress", "pingms", "ping", "shipping", "typing"}
)  # fmt: skip
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+(@)")
_BEARER = re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.?[\w-]*")
_GATEWAY_KEY = re.compile(r"\b(FLW(?:SECK|PUBK)[\w-]*|flw-t1nf-[\w-]+|sk_(?:live|test)_\w+)")
_ASSIGNMENT = re.compile(
    r"(?i)([\"']?[\w-]*(?:token|secret|password|otp|cvv|cvc|pin|signature|verif-hash|api_?key)[\"']?\s*[=:]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&}]+)"
)
_EMAIL = re.compile(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?:\+|%2B|\b00)[1-9](?:[ ().-]?\d){7,14}\b")
_LOCAL_PHONE = re.compile(
    r"(?<![\w.-])(?:2\d{2}[ -]?\d{3}[ -]?\d{3}[ -]?\d{3}|0[17]\d{8})(?![\w.-])"
)
# Runs of 13 to 19 digits that begin as a card network's numbers do; the check digit decides.
_CARD = re.compile(r"(?<!\d)(?:3[04-9]|[4-6]\d)(?:[ -]?\d){11,17}(?!\d)")
# Our own identifiers: cut out first, so that their digits are never mistaken for a card.
_UUID = re.compile(r"(\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)")


def redact(value: Any, key: str = "") -> Any:
    """Return `value` without secrets, card numbers, e-mail addresses and phone numbers.

    `key` is the name under which the value is logged; a secret's name hides the value whatever it
    is. Mappings and sequences are copied; everything that is not plain data becomes redacted text.
    """
    if _names_a_secret(key):
        return value if value is None or isinstance(value, bool) else HIDDEN
    if value is None or isinstance(value, bool | float | int):
        return _redacted_number(value) if type(value) is int else value
    if isinstance(value, Mapping):
        return {redact_text(str(name)): redact(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, key) for item in value]
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    return redact_text(str(value))


def redact_text(text: str) -> str:
    """Return `text` with every secret or personal part replaced."""
    parts = _UUID.split(text)
    parts[::2] = [_redact_part(part) for part in parts[::2]]
    return "".join(parts)


def _redact_part(text: str) -> str:
    text = _URL_PASSWORD.sub(rf"\1{HIDDEN}\2", text)
    for pattern in (_BEARER, _JWT, _GATEWAY_KEY):
        text = pattern.sub(HIDDEN, text)
    text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
    for pattern in (_EMAIL, _PHONE, _LOCAL_PHONE):
        text = pattern.sub(HIDDEN, text)
    return _CARD.sub(_hide_card, text)


def _names_a_secret(key: str) -> bool:
    plain = re.sub(r"[^a-z]", "", key.lower())
    return plain not in _SAFE_KEYS and any(part in plain for part in _SECRET_KEY_PARTS)


def _redacted_number(value: int) -> int | str:
    return value if redact_text(str(value)) == str(value) else HIDDEN


def _hide_card(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    return HIDDEN if _passes_luhn(digits) else match.group()


def _passes_luhn(digits: list[int]) -> bool:
    """Check the card-number check digit (ISO/IEC 7812-1 annex B)."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - the algorithm's own constant
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
