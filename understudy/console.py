"""Progress for people and for machines: three renderers of the same events, with no logic of their own."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from understudy.progress import Phase, Progress, State

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Console", "JsonConsole", "LiveConsole", "PlainConsole", "make_console", "printable"]

_MARKS = {
    State.STARTED: "..",
    State.DONE: "ok",
    State.FAILED: "FAILED",
    State.STOPPED: "stopped",
    State.INFO: "--",
    State.WARNING: "warning",
}


_COMMANDS = re.compile(r"^(?= *::)|(?<=##)(?=\w*\[)", re.MULTILINE | re.ASCII)
"""Where a CI's reader of the log sees a command of its own: GitHub Actions in a line that begins with `::` and in
`##[` anywhere in it (actions/runner, ActionCommand.cs), Azure Pipelines in `##vso[`, TeamCity in `##teamcity[`."""


def printable(text: str) -> str:
    """Text that can steer neither a terminal nor the CI that reads the log.

    Control characters other than the line feed become a middle dot, and one stands before what would be a command.

    >>> printable("::set-output name=a::b")
    '\u00b7::set-output name=a::b'
    """
    plain = "".join(c if c == "\n" or c.isprintable() else "\u00b7" for c in text)
    return _COMMANDS.sub("\u00b7", plain)


class Console(Protocol):
    """Where progress goes. It is a context manager, a listener, and says whole lines."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def __call__(self, event: Progress) -> None:
        """Show one event; called from any thread."""

    def say(self, text: str) -> None:
        """Print a result line or several."""

    def note(self, text: str) -> None:
        """Print at once what cannot wait for the results."""


class PlainConsole:
    """One line an event: seconds since the start, phase, mark, subject, detail."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def __call__(self, event: Progress) -> None:
        """Print the event; starts of single subjects are left out."""
        if event.state is State.STARTED and event.subject:
            return
        self.say(f"{time.monotonic() - self._start:6.1f}s  {event.phase:<9}  {line_of(event)}")

    def say(self, text: str) -> None:
        """Print whole lines."""
        self._put(printable(text), self._out)

    def _put(self, text: str, out: TextIO) -> None:
        """Write a line. A reader that is gone ends nothing: the work and its clean-up go on unseen."""
        with self._lock:
            if self._lost:
                return
            try:
                print(text, file=out, flush=True)
            except UnicodeEncodeError:
                print(text.encode("ascii", "backslashreplace").decode(), file=out, flush=True)
            except (OSError, ValueError):
                self._lost = True

    def note(self, text: str) -> None:
        """Print whole lines."""
        self.say(text)


class JsonConsole(PlainConsole):
    """One JSON object an event on standard output; what is said for people goes to standard error."""

    def __call__(self, event: Progress) -> None:
        """Print the event as a JSON line; `##` is written so that no CI takes what follows for a command."""
        shown = {
            name: value for name, value in asdict(event).items() if name != "clock"
        }  # no other process has its zero
        self._put(json.dumps(shown).replace("##", "#\\u0023"), self._out)

    def say(self, text: str) -> None:
        """Print for people, beside the stream."""
        self._put(printable(text), sys.stderr)


class LiveConsole:
    """A table on the terminal: a row a phase with what is under way; failures stay above it, results below."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console as RichConsole
        from rich.live import Live

        self._lock = threading.Lock()
        self._rows: dict[Phase, Progress] = {}
        self._began: dict[Phase, float] = {}
        self._busy: dict[Phase, dict[str, None]] = {}
        self._news: dict[Phase, str] = {}
        self._results: list[str] = []
        self._console = RichConsole(file=out, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, refresh_per_second=8, get_renderable=self._table, transient=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            self._live.__exit__(kind, error, trace)
        for text in self._results:
            self.note(text)

    def __call__(self, event: Progress) -> None:
        """Take the event into the table; failures and warnings are printed above it too."""
        with self._lock:
            busy = self._busy.setdefault(event.phase, {})
            self._began.setdefault(event.phase, time.monotonic())
            if event.subject:
                if event.state is State.STARTED:
                    busy[event.subject] = None
                else:
                    busy.pop(event.subject, None)
                    if event.detail:
                        self._news[event.phase] = f"{event.subject}: {event.detail}"
            else:
                self._rows[event.phase] = event
        if event.state in {State.FAILED, State.WARNING}:
            self.note(line_of(event))

    def say(self, text: str) -> None:
        """Keep a result until the table is done."""
        self._results.append(text)

    def note(self, text: str) -> None:
        """Print above the table."""
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            self._console.print(printable(text), soft_wrap=True)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        with self._lock:
            for phase, began in self._began.items():
                last = self._rows.get(phase)
                over = last is not None and last.state in {State.DONE, State.FAILED, State.STOPPED}
                taken = last.seconds if last and last.seconds is not None else time.monotonic() - began
                style = {State.DONE: "green", State.FAILED: "red"}.get(last.state if last else State.INFO, "cyan")
                busy = "" if over else ", ".join(self._busy[phase])
                detail = (last.detail if over and last else "") or self._news.get(phase, busy)
                mark = _MARKS[last.state] if last else ".."
                table.add_row(
                    Text(phase, style="bold"),
                    Text(mark, style=style),
                    Text(f"{taken:5.1f}s", style="dim"),
                    Text(printable(detail.partition("\n")[0]), overflow="ellipsis", no_wrap=True),
                )
        return table


def line_of(event: Progress) -> str:
    """An event as one line or, where its detail has more, several."""
    taken = f" ({event.seconds:.1f} s)" if event.seconds is not None else ""
    subject = f" {event.subject}" if event.subject else ""
    detail = f": {event.detail}" if event.detail else ""
    return f"{_MARKS[event.state]}{subject}{taken}{detail}"


def make_console(mode: str, out: TextIO) -> Console:
    """The renderer for `mode`; `auto` is live on a terminal and plain elsewhere."""
    if mode == "json":
        return JsonConsole(out)
    if mode == "live" or (mode == "auto" and out.isatty()):
        return LiveConsole(out)
    return PlainConsole(out)
