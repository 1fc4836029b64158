"""What people see: every process's whole log in a file, and the worth of it in the terminal."""

import json
import re
from collections import deque
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

_COLOURS = ("cyan", "magenta", "blue", "green", "yellow", "bright_cyan", "bright_magenta")
_LEVEL_STYLES = {"warning": "yellow", "error": "bold red", "critical": "bold red"}
_QUIET_LEVELS = frozenset({"debug", "info"})
_LAST_LINES = 20
_LARGEST_LOG_BYTES = 20 * 1024 * 1024
# Left out of the short form: shown already, or of no use without the file.
_NOT_SHOWN = frozenset({"event", "level", "timestamp", "service", "request_id", "logger"})
# PostgreSQL names the severity after the process id. An ERROR is the client's to report, and that
# it comes and goes says the supervisor.
_POSTGRES_LINE = re.compile(r"\[\d+\] [A-Z]+:  ")
_POSTGRES_LOUD = re.compile(
    r"\[\d+\] (PANIC|FATAL):  (?!the database system is |terminating connection )"
)
_PLAIN_QUIET = re.compile(r"\s*$|(DEBUG|INFO)\b")


class Output:
    """The terminal and the log files of one run.

    `logs`: the folder of the files. `verbose`: show every line, not only warnings and errors.
    """

    def __init__(self, console: Console, logs: Path, *, verbose: bool) -> None:
        self.console = console
        self._logs = logs
        self._verbose = verbose
        self._opened: list[ProcessLog] = []

    def open_log(self, name: str, *, shown: bool = True) -> "ProcessLog":
        """Open the log of the process `name`; a very large one of earlier runs is set aside.

        `shown`: whether its warnings and errors appear in the terminal.
        """
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        log = ProcessLog(name, path, self if shown or self._verbose else None)
        self._opened.append(log)
        return log

    def show(self, name: str, line: str) -> None:
        """Print a line of a process in its short form when it is worth it."""
        level, text = _understand(line)
        if level in _QUIET_LEVELS and not self._verbose:
            return
        colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
        style = _LEVEL_STYLES.get(level, "")
        self.console.print(
            Text.assemble((f"{name:<20} ", colour), (f"{level:<8} " if style else "", style), text),
            soft_wrap=True,
        )

    def say(self, text: str, style: str = "") -> None:
        """Print a line of the launcher's own."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def close(self) -> None:
        """Close every log file."""
        for log in self._opened:
            log.close()


class ProcessLog:
    """One process's log file, and its last lines."""

    def __init__(self, name: str, path: Path, output: Output | None) -> None:
        self.path = path
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._name = name
        self._output = output
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def begin(self) -> None:
        """Take note that the process is started (again)."""
        self.last_lines.clear()

    def write(self, line: str) -> None:
        """Take one line of the process's output."""
        self._file.write(f"{line}\n")
        self.last_lines.append(line)
        if self._output:
            self._output.show(self._name, line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _understand(line: str) -> tuple[str, str]:
    """Return a line's level and its short form. A line that nobody can read is worth showing."""
    if line.startswith("{"):
        try:
            return _understand_json(json.loads(line))
        except ValueError:
            return "plain", line
    if _POSTGRES_LINE.search(line):
        return ("error" if _POSTGRES_LOUD.search(line) else "info"), line
    return ("info" if _PLAIN_QUIET.match(line) else "plain"), line


def _understand_json(entry: dict[str, Any]) -> tuple[str, str]:
    facts = [f"{name}={_short(value)}" for name, value in entry.items() if name not in _NOT_SHOWN]
    return str(entry.get("level", "info")), "  ".join([str(entry.get("event", "")), *facts])


def _short(value: object) -> str:
    lines = str(value).strip().splitlines()
    return lines[-1] if lines else ""
