"""`.env.example` is complete and true: every setting, its default, and a line about it."""

import re
from dataclasses import dataclass
from itertools import pairwise

import pytest

from dev.checkout import ROOT
from tests.stack.process_settings import PROCESSES, REQUIRED, Process

_ASSIGNMENT = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting in the file. `comment`: the line above it."""

    name: str
    value: str
    comment: str


def entries() -> dict[str, Entry]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    found: dict[str, Entry] = {}
    for above, line in pairwise(lines):
        if match := _ASSIGNMENT.fullmatch(line):
            assert match[1] not in found, f"{match[1]} is there twice"
            found[match[1]] = Entry(name=match[1], value=match[2], comment=above)
    return found


def asked_for_by_compose() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))


def test_it_has_every_setting_of_every_process_and_nothing_else() -> None:
    wanted = asked_for_by_compose().union(*(process.names for process in PROCESSES))
    assert set(entries()) == wanted


def test_every_setting_has_a_comment_line() -> None:
    bare = [
        entry.name
        for entry in entries().values()
        if not re.fullmatch(r"# [A-Za-z].*[.]|# .*Required.*", entry.comment)
    ]
    assert not bare


def test_no_secret_is_given_away() -> None:
    """Only the sandboxes have secrets of their own, which open nothing else."""
    given = [
        entry.name
        for entry in entries().values()
        if re.search(r"SECRET|PASSWORD|TOKENS?$|CLIENT_ID|KEY$", entry.name)
        and entry.value
        and "_SANDBOX_" not in entry.name
    ]
    assert not given


def test_a_required_setting_is_said_to_be_required() -> None:
    first_part = asked_for_by_compose()
    required = set().union(*(process.required for process in PROCESSES))
    quiet = [
        entry.name
        for entry in entries().values()
        if entry.name in required - first_part and "Required" not in entry.comment
    ]
    assert not quiet


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.arguments)
def test_the_defaults_are_those_of_the_process(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {entry.name: entry.value for entry in entries().values() if entry.value}
    if process.sandbox:
        assert process.sandbox(written) == process.sandbox({})
        return
    for name in process.names:
        monkeypatch.delenv(name, raising=False)
    for name in process.required:
        monkeypatch.setenv(name, REQUIRED[name])
    # The real gateways are the defaults of the processes.
    without_file = [kind() for kind in process.settings]
    for name in process.names & written.keys():
        monkeypatch.setenv(name, written[name])
    assert [kind() for kind in process.settings] == without_file
