"""Output of a command: the result on stdout, as text or JSON, and the progress on stderr."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column, Table
from rich.text import Text

from tasks.runtime.errors import counted

OUTCOMES = {
    "fresh": "[cyan]Cached[/]",
    "restored": "[cyan]Cached[/] (restored)",
    "ran": "[green]done[/]",
    "failed": "[red]failed[/]",
}

LONG = 20.0
"""Seconds from which on the expected duration of a command is printed."""

UNBOUNDED = 100_000
"""Number of columns of a file or a pipe, so that no table is cut or wrapped there."""


class Display:
    """Prints the result of a command to stdout, and listens to its run, whose progress it shows on stderr.

    Parameters
    ----------
    as_json : bool
        Whether the result is printed as JSON, and no tables and lines.
    quiet : bool
        Whether no progress is shown.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(quiet=as_json, highlight=False)
        if not self.console.is_terminal:
            self.console.width = UNBOUNDED
        self.log = Console(stderr=True, quiet=quiet, highlight=False)
        self.terse = False
        self.bars: dict[str, TaskID] = {}
        self.progress = Progress(
            TextColumn("{task.fields[domain]:8}", markup=False),
            TextColumn("{task.description:28}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeColumn(Column(no_wrap=True)),
            console=self.log,
            transient=True,
        )

    def __enter__(self) -> "Display":
        if self.log.is_terminal:
            self.progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.progress.live.is_started:  # otherwise, it would print an empty line
            self.progress.stop()

    def print(self, *lines: str) -> None:
        """Print lines of the result as they are, without wrapping them."""
        for line in lines:
            self.console.print(line, markup=False, soft_wrap=True)

    def notes(self, sentences: Iterable[str]) -> None:
        """Print sentences of the result as a list."""
        self.print(*(f"- {sentence}" for sentence in sentences))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False, bold: str = ""
    ) -> None:
        """Print a table. A cell for which the terminal has no room is wrapped, and never cut.

        With ``numbers``, all columns but the first are aligned to the right. The row whose first cell is
        ``bold`` is emphasised. Columns without names have no header.
        """
        # Single spaces between columns of numbers keep the table within a terminal of 80 columns.
        look: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": 0} if numbers else {"box": None}
        table = Table(show_header=any(columns), collapse_padding=numbers, pad_edge=numbers, **look)
        for i, column in enumerate(columns):
            table.add_column(escape(column), justify="right" if numbers and i else "left", overflow="fold")
        for cells in rows:
            table.add_row(*map(escape, cells), style="bold" if bold and cells[0] == bold else "")
        self.console.print(table)

    def result(self, content: Any) -> None:
        """Print the result as JSON, if that was asked for."""
        if self.as_json:
            typer.echo(json.dumps(content, indent=2, allow_nan=False))

    def began(self, stage: str, domain: str) -> None:
        self._clear(domain)
        self.bars[domain] = self.progress.add_task(stage, total=None, domain=domain)

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None:
        text = f"{stage}: {label}" if label else stage
        self.progress.update(self.bars[domain], description=text, completed=done, total=total)

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None:
        self._clear(domain)
        if not (self.terse and outcome in ("fresh", "restored")):
            name = escape(f"{domain:8}")
            self.log.print(f"{name} {stage:10} {OUTCOMES[outcome]} [dim]{seconds:.1f} s[/]")

    def waiting(self) -> None:
        self.log.print("another run is using this project; waiting for it to end")

    def stages(self, name: str) -> "ShownStages":
        """Return a function that runs a stage and shows its progress under ``name``."""
        return ShownStages(self, name)

    def _clear(self, domain: str) -> None:
        if domain in self.bars:
            self.progress.remove_task(self.bars.pop(domain))


@dataclass(frozen=True)
class ShownStages:
    """Runs the stages of a command, and shows their progress beside a label."""

    display: Display
    label: str

    def expect(self, seconds: float) -> None:
        """Print the expected duration of all stages together, if it is long."""
        if seconds > LONG:
            self.display.log.print(f"{escape(f'{self.label:8}')} takes {about(seconds)}", soft_wrap=True)

    def __call__(self, name: str, run: Callable[..., Any]) -> None:
        display, began, outcome = self.display, time.monotonic(), "failed"
        display.began(name, self.label)
        try:
            run(lambda label, done, total: display.progressed(name, self.label, label, done, total))
            outcome = "ran"
        finally:
            display.ended(name, self.label, outcome, time.monotonic() - began)


class TimeColumn(ProgressColumn):
    """Time that the rest of a stage takes at its speed so far, or the time that it took."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        words = f"{about(left).removeprefix('about ')} left" if left else f"{task.elapsed or 0:.0f} s"
        return Text(words, style="yellow")


def about(seconds: float) -> str:
    """Return a rounded duration in words.

    Examples
    --------
    >>> about(7), about(52), about(130), about(4000)
    ('about 10 seconds', 'about 50 seconds', 'about 2 minutes', 'about 1 hour')
    """
    if seconds < 55:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 55 * 60:
        return f"about {counted(max(1, round(seconds / 60)), 'minute')}"
    return f"about {counted(max(1, round(seconds / 3600)), 'hour')}"
