"""What the demonstration shows: a story that grows line by line, and tables at its end."""

import asyncio
from collections.abc import Iterable
from typing import Self

from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from protos.payments.v1 import timeline_pb2

_OURS, _PAYERS, _STATUS = "white", "cyan", "bold green"
_THINKING_SECONDS = 0.8
_KIND_PREFIX = len("TIMELINE_ENTRY_KIND_")


class Story:
    """One payment, told while it happens. Use as a context manager."""

    def __init__(self, console: Console, title: str, purchase: str) -> None:
        self._console = console
        self._lines: list[Text] = [Text(title, style="bold"), Text(f"   {purchase}", style="dim")]
        self._done = False
        self._started = asyncio.get_running_loop().time()
        self._spinner = Spinner("dots", text="waiting …")
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=12)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._live.stop()
        self._console.print()

    def ours(self, text: str) -> None:
        """Tell what our side does."""
        self._add(text, _OURS)

    async def payers(self, text: str) -> None:
        """Tell what the payer is about to do, at a person's pace when somebody is looking."""
        if self._console.is_terminal:
            await asyncio.sleep(_THINKING_SECONDS)
        self._add(f"payer: {text}", _PAYERS)

    def status(self, text: str) -> None:
        """Tell where the payment stands now."""
        self._add(f"→ {text}", _STATUS)

    def _add(self, text: str, style: str) -> None:
        elapsed = asyncio.get_running_loop().time() - self._started
        self._lines.append(Text.assemble((f"  {elapsed:6.2f} s  ", "dim"), (text, style)))
        self._live.refresh()

    def _render(self) -> RenderableType:
        return Group(*self._lines) if self._done else Group(*self._lines, self._spinner)


def timeline_table(entries: Iterable[timeline_pb2.TimelineEntry]) -> Table:
    """Return what `ExplainPayment` knows about a payment as a table."""
    table = Table(box=SIMPLE_HEAD, title="What happened (ExplainPayment)", title_justify="left")
    for column in ("time", "kind", "by", "what"):
        table.add_column(column, no_wrap=column != "what")
    for entry in entries:
        kind = timeline_pb2.TimelineEntryKind.Name(entry.kind)[_KIND_PREFIX:].lower()
        what = Text(entry.summary or entry.action)
        if entry.rule:
            what.append(f"\n{entry.rule}", style="dim")
        table.add_row(_clock(entry.time), kind, entry.actor, what)
    return table


def _clock(time: Timestamp) -> str:
    return f"{time.ToDatetime():%H:%M:%S.%f}"[:-3]
