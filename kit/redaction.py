"""Removes secrets and personal data from whatever is about to be logged."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[redacted]"

# A key is compared without case, dashes and underscores, so `X-Service-Token` and `apiKey` match.
_SECRET_KEY_PARTS: Final = (
    "token", "secret", "password", "passwd", "authorization", "cookie", "signature", "verifhash",
    "apikey", "privatekey", "credential", "sessionid", "otp", "pin", "cvv", "cvc", "cardnumber",
    "pan", "email", "phone", "msisdn", "mobilenumber", "customer", "fullname", "firstname",
    "lastname", "address", "bvn", "rawbody", "clientid",
)  # fmt: skip
# Keys that contain one of the parts above and are harmless.
_SAFE_KEYS: Final = frozenset(
    {"pagetoken", "leasetoken", "span", "spanid", "panel", "company", "pinned", "mapping",
     "peeraddress", "listenaddress", "adapteraddress", "pingms", "ping", "shipping", "typing"}
)  # fmt: skip

# Bounds on what one log line may cost: what is longer or deeper is cut, never scanned in full.
_LONGEST_TEXT: Final = 16_384
_DEEPEST: Final = 12

# Every pattern starts at a place that a long run of characters has only once: a pattern that may
# start anywhere in the run takes time in the square of its length.
_URL_PASSWORD = re.compile(r"(://[^:/@\s]{0,200}:)[^\s\"'<>]{0,500}(@)")
_BEARER = re.compile(r"\b(bearer|basic)[\s:]+\S+", re.IGNORECASE)
_HEADER_LINE = re.compile(
    r"\b((?:set-)?cookie|authorization)(\s{0,20}:\s{0,20})[^\r\n\"']+", re.IGNORECASE
)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.?[\w-]*")
_GATEWAY_KEY = re.compile(r"\b(?:FLW(?:SECK|PUBK)[\w-]*|flw-t1nf-[\w-]+|(?:sk|whsec)_\w+)")
_HIDDEN_NAME = (
    r"[\w-]*(?:token|secret|passw(?:or)?d|otp|cvv|cvc|pin|signature|verif[-_]?hash|api[-_]?key"
    r"|client[-_]?id|card[-_]?number|authorization|cookie|credentials?)"
)
# A name, as code, JSON (escaped any number of times), a URL or a header writes it, and its value.
_ASSIGNMENT = re.compile(
    rf"(?i)(?<![\w-])({_HIDDEN_NAME}\\*[\"']?\s{{0,20}}(?:[=-]>|:=|[=:])\s{{0,20}}"
    rf"|{_HIDDEN_NAME}\\*[\"']\s{{0,20}},\s{{0,20}})"
    r"(b?\\*\"[^\"]*\"|b?\\*'[^']*'|[^\s,;&}]+)"
)
_SPOKEN_CODE = re.compile(
    r"(?i)\b(otp|pin|cvv|cvc|passcode)(\s{1,4}(?:(?:is|was|code|number)\s{1,4})?)\d{3,10}\b"
)
# A database says which row or key offends; that is somebody's data.
_DATABASE_DETAIL = re.compile(r"(DETAIL:\s{0,4})(?!\[redacted)[^\n]+")
_EMAIL = re.compile(
    r"(?:\"[^\"@\s]{0,64}(?: [^\"@\s]{1,64}){0,4}\"|(?<![\w.+%'-])[\w.+%'-]+)"
    r"(?:@|%40|\\u0040|&#64;)[\w-]+(?:\.[\w-]+)*"
)
_PHONE = re.compile(r"(?:\+|%2B|\b00)[1-9](?:[ ().-]?\d){7,14}\b")
# Without the plus: an African country code and a number, or a number as dialled inside a country.
_LOCAL_PHONE = re.compile(
    r"(?<![\w.-])(?:2\d{2}(?:[ -]?\d){9,10}|0[1-9](?:[ -]?\d){8,9})(?![\w.-])"
)
# Runs of 13 to 19 digits that begin as a card network's numbers do; the check digit decides.
_CARD = re.compile(
    r"(?<!\d)(?:(?:3[04-9]|[4-6]\d)(?:[\s._-]{0,2}\d){11,17}|2[2-7](?:[\s._-]{0,2}\d){14})(?!\d)"
)
_SHORTEST_CARD: Final = 13
_DIGITS = re.compile(r"\d+")
# Our own identifiers: cut out first, so that their digits are never mistaken for a card.
_UUID = re.compile(r"(\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)")


def redact(value: Any, key: str = "") -> Any:
    """Return `value` without secrets, card numbers, e-mail addresses and phone numbers.

    `key` is the name under which the value is logged; a secret's name hides the value whatever it
    is. Mappings and sequences are copied; everything that is not plain data becomes redacted text.
    """
    return _redact(value, key, 0)


def redact_text(text: str) -> str:
    """Return `text`, cut to a bounded length, with every secret or personal part replaced."""
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]} [cut: {len(text)} characters]"
    parts = _UUID.split(text)
    parts[::2] = [_redact_part(part) for part in parts[::2]]
    return "".join(parts)


def _redact(value: Any, key: str, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _names_a_secret(key):
        return HIDDEN
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _redact_scalar(value)
    if depth == _DEEPEST:
        return "[nested too deeply]"
    if isinstance(value, Mapping):
        named = [(_text(name), item) for name, item in value.items()]
        return {redact_text(name): _redact(item, name, depth + 1) for name, item in named}
    return [_redact(item, key, depth + 1) for item in value]


def _redact_scalar(value: Any) -> Any:
    if isinstance(value, int | float):
        return value if redact_text(str(value)) == str(value) else HIDDEN
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    return redact_text(_text(value))


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - logging about an object must not fail because of the object
        return f"[{type(value).__name__} without text]"


def _redact_part(text: str) -> str:
    text = _URL_PASSWORD.sub(rf"\1{HIDDEN}\2", text)
    for pattern in (_BEARER, _JWT, _GATEWAY_KEY):
        text = pattern.sub(HIDDEN, text)
    text = _HEADER_LINE.sub(rf"\1\2{HIDDEN}", text)
    text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
    text = _SPOKEN_CODE.sub(rf"\1\2{HIDDEN}", text)
    text = _DATABASE_DETAIL.sub(rf"\1{HIDDEN}", text)
    for pattern in (_EMAIL, _PHONE, _LOCAL_PHONE):
        text = pattern.sub(HIDDEN, text)
    return _CARD.sub(_hide_card, text)


def _names_a_secret(key: str) -> bool:
    # Compatibility normalisation: a full-width or ligature spelling is the same name.
    plain = re.sub(r"[^a-z]", "", unicodedata.normalize("NFKC", key).lower())
    return plain not in _SAFE_KEYS and any(part in plain for part in _SECRET_KEY_PARTS)


def _hide_card(match: re.Match[str]) -> str:
    """Hide the card number that a run of digit groups begins with, or look for one further on."""
    text = match.group()
    groups = [found.span() for found in _DIGITS.finditer(text)]
    for _, end in reversed(groups):
        digits = [int(character) for character in text[:end] if character.isdigit()]
        if len(digits) >= _SHORTEST_CARD and _passes_luhn(digits):
            return HIDDEN + text[end:]
    first_end = groups[0][1]
    return text[:first_end] + _CARD.sub(_hide_card, text[first_end:])


def _passes_luhn(digits: list[int]) -> bool:
    """Check the card-number check digit (ISO/IEC 7812-1 annex B)."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - the algorithm's own constant
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
