"""Output of a command: the result on stdout, as text or JSON, and the progress on stderr."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

OUTCOMES = {
    "fresh": "[cyan]Cached[/]",
    "restored": "[cyan]Cached[/] (restored)",
    "ran": "[green]done[/]",
    "failed": "[red]failed[/]",
}

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
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.log,
            transient=True,
        )

    def __enter__(self) -> "Display":
        if self.log.is_terminal:  # elsewhere, it would print an empty line at its end
            self.progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
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

    def stages(self, name: str) -> Callable[[str, Callable[..., Any]], None]:
        """Return a function that runs a stage and shows its progress under ``name``."""

        def stage(stage: str, run: Callable[..., Any]) -> None:
            began, outcome = time.monotonic(), "failed"
            self.began(stage, name)
            try:
                run(lambda label, done, total: self.progressed(stage, name, label, done, total))
                outcome = "ran"
            finally:
                self.ended(stage, name, outcome, time.monotonic() - began)

        return stage

    def _clear(self, domain: str) -> None:
        if domain in self.bars:
            self.progress.remove_task(self.bars.pop(domain))
