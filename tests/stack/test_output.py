"""The terminal shows what matters, and the log files keep everything."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from dev.output import Output


def shown(folder: Path, line: str, *, verbose: bool = False) -> str:
    """Return what the terminal shows of a line of a process called bff."""
    terminal = io.StringIO()
    output = Output(Console(file=terminal, width=200), folder, verbose=verbose)
    output.open_log("bff").write(line)
    output.close()
    return terminal.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "rpc", "level": "info", "duration_ms": 2}',
        '{"ready": true}',
        "INFO:     Application startup complete.",
        "",
        "2026-01-01 10:00:00.000 UTC [17] LOG:  checkpoint complete",
        "2026-01-01 10:00:00.000 UTC [17] ERROR:  duplicate key value",
        "2026-01-01 10:00:00.000 UTC [17] FATAL:  the database system is starting up",
    ],
)
def test_a_line_that_needs_nobody_is_only_kept(line: str, tmp_path: Path) -> None:
    assert shown(tmp_path, line) == ""
    assert (tmp_path / "bff.log").read_text() == f"{line}\n"
    assert shown(tmp_path, line, verbose=True).startswith("bff ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"event": "call_failed", "level": "warning", "gateway": "eversend"}', "gateway=eversend"),
        (
            '{"event": "boom", "level": "error", "exception": "Trace\\nValueError: 3"}',
            "ValueError: 3",
        ),
        ("Traceback (most recent call last):", "Traceback"),
        ("{not JSON", "{not JSON"),
        ("2026-01-01 10:00:00.000 UTC [17] PANIC:  could not write", "could not write"),
        ('{"event": "[bold]x[/bold]", "level": "error"}', "[bold]x[/bold]"),
    ],
)
def test_a_line_that_needs_somebody_is_shown_in_one_line(
    line: str, says: str, tmp_path: Path
) -> None:
    text = shown(tmp_path, line)
    assert says in text
    assert text.count("\n") == 1


def test_a_huge_log_of_earlier_runs_is_set_aside(tmp_path: Path) -> None:
    with (tmp_path / "bff.log").open("wb") as log:
        log.truncate(30 * 1024 * 1024)
    shown(tmp_path, "first")
    assert (tmp_path / "bff.log").read_text() == "first\n"
    assert (tmp_path / "bff.log.1").exists()
