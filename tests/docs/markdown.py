"""Reads the repository's Markdown documents: their tables, code blocks, links and anchors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?\)")
_IMAGE = re.compile(r'<img src="([^"]+)"')
_SPAN = re.compile(r"`([^`\n]+)`")
_NOT_IN_AN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document. `path`: from the repository's root."""

    path: str
    text: str

    @property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        """Return the code blocks of one language."""
        return [body for name, body in _FENCE.findall(self.text) if name == language]

    def spans(self) -> set[str]:
        """Return everything that is written in backticks."""
        return set(_SPAN.findall(self.prose))

    def section(self, heading: str) -> str:
        """Return the prose under a heading, up to the next heading of any level."""
        prose = self.prose
        for match in _HEADING.finditer(prose):
            if match.group(2) == heading:
                following = _HEADING.search(prose, match.end())
                return prose[match.end() : following.start() if following else None]
        raise LookupError(f"{self.path} has no heading {heading!r}")

    def headings(self) -> list[str]:
        """Return every heading, in order."""
        return [match.group(2) for match in _HEADING.finditer(self.prose)]

    def table(self, heading: str) -> list[list[str]]:
        """Return the rows of the first table under a heading, without its two head lines."""
        lines = self.section(heading).strip().splitlines()
        start = next(at for at, line in enumerate(lines) if line.startswith("|"))
        rows: list[list[str]] = []
        for line in lines[start:]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        return rows[2:]

    def links(self) -> Iterator[str]:
        """Yield the target of every link and image."""
        for pattern in (_LINK, _IMAGE):
            yield from pattern.findall(self.prose)

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as GitHub makes them."""
        plain = (_NOT_IN_AN_ANCHOR.sub("", heading.lower()) for heading in self.headings())
        return {heading.strip().replace(" ", "-") for heading in plain}


@cache
def document(path: str) -> Document:
    """Read one document by its path from the repository's root."""
    return Document(path=path, text=(ROOT / path).read_text(encoding="utf-8"))


@cache
def documents() -> tuple[Document, ...]:
    """Read every document of the repository."""
    found = [
        path
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    return tuple(document(str(path.relative_to(ROOT))) for path in sorted(found))


def named(cell: str) -> list[str]:
    """Return what a table's cell has in backticks."""
    return _SPAN.findall(cell)
