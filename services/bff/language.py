"""What members read, in their language: the texts of texts/*.toml, chosen by Accept-Language."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "texts"
DEFAULT_LANGUAGE = "en"
_MAX_HEADER_LENGTH = 500
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)

# Failures that tell a member the same thing (docs/error-handling.md has every code's sentence).
_SAME_AS: Mapping[str, str] = {
    "invalid_request": "gateway_rejected",
    **dict.fromkeys(
        (
            "deadline_too_short",
            "duplicate_reference",
            "gateway_configuration",
            "gateway_credentials",
            "gateway_error",
            "gateway_unreachable",
            "no_reply",
            "rate_limited",
            "unreadable_reply",
        ),
        "gateway_unavailable",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language and its texts, by what they are about and then by name.

    `code`: ISO 639-1, for example "fr".
    """

    code: str
    texts: Mapping[str, Mapping[str, str]]

    def problem(self, status: int, reason: str) -> str | None:
        """Return the sentence for a problem; None where only its reason could be told better."""
        known = self.texts["reasons"].get(reason)
        return known or (None if reason else self.status(status))

    def status(self, status: int) -> str:
        """Return the sentence for an HTTP status."""
        statuses = self.texts["statuses"]
        return statuses.get(str(status)) or statuses["500" if status >= 500 else "400"]  # noqa: PLR2004 - RFC 9110 §15.6

    def payment(self, name: str) -> str:
        """Return the sentence that says where a payment stands."""
        return self.texts["payment"][name]

    def failure(self, code: str) -> str:
        """Return the sentence for a failure; an unknown code reads as a plain decline."""
        failures = self.texts["failures"]
        return failures.get(_SAME_AS.get(code, code)) or failures["declined"]


def _load(path: Path) -> Language:
    return Language(code=path.stem, texts=tomllib.loads(path.read_text("utf-8")))


LANGUAGES: Mapping[str, Language] = {
    path.stem: _load(path) for path in sorted(_FOLDER.glob("*.toml"))
}


def language_for(accept_language: str) -> Language:
    """Return the language that suits an Accept-Language header best (RFC 9110 §12.5.4)."""
    best, best_quality = DEFAULT_LANGUAGE, 0.0
    for part in accept_language[:_MAX_HEADER_LENGTH].split(","):
        match = _RANGE.fullmatch(part)
        if match is None or not _QUALITY.fullmatch(match[2] or "1"):
            continue
        name, quality = match[1].lower(), float(match[2] or 1)
        if name == "*":
            name = DEFAULT_LANGUAGE
        if name in LANGUAGES and quality > best_quality:
            best, best_quality = name, quality
    return LANGUAGES[best]
