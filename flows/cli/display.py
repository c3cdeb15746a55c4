"""Terminal output of a run: a progress bar per domain, a line per finished stage, tables of results."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from tasks.reporting.tables import forecast_lines, score_tables
from tasks.runtime.files import read_json
from tasks.runtime.workspace import Workspace

if TYPE_CHECKING:
    from tasks.operations.tune import Tuned

OUTCOMES = {
    "fresh": "[cyan]Cached[/]",
    "restored": "[cyan]Cached[/] (restored)",
    "ran": "[green]done[/]",
    "failed": "[red]failed[/]",
}


class Display:
    """Listener that shows a run on the terminal. With ``terse``, cached stages are not shown."""

    def __init__(self, terse: bool = False) -> None:
        self.console = Console()
        self.terse = terse
        self.bars: dict[str, TaskID] = {}
        self.progress = Progress(
            TextColumn("{task.fields[domain]:8}", markup=False),
            TextColumn("{task.description:28}", markup=False),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.progress.stop()

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
            self.console.print(f"{name} {stage:10} {OUTCOMES[outcome]} [dim]{seconds:.1f} s[/]")

    def waiting(self) -> None:
        self.console.print("another run is using this project; waiting for it to end")

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


def print_scores(console: Console, name: str, scores: dict[str, Any]) -> None:
    """Print the scores of the model and its peers as tables."""
    for content in score_tables(scores):
        # Single spaces between columns keep the table within a terminal of 80 columns.
        console.print(f"[bold]{escape(name)}[/] {escape(content.title)}", highlight=False, soft_wrap=True)
        table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
        for i, column in enumerate(content.columns):
            table.add_column(column, justify="right" if i else "left")
        for row in content.rows:
            table.add_row(*row, style="bold" if row[0] == "ebm" else "")
        console.print(table)


def print_forecast(console: Console, workspace: Workspace) -> None:
    """Print one line per series: the last date of the data, the date forecast and the forecast."""
    for line in forecast_lines(read_json(workspace.forecast)):
        console.print(f"[bold]{workspace.domain}[/] {escape(line)}", highlight=False, soft_wrap=True)


def print_tuned(console: Console, domain: str, tuned: "Tuned") -> None:
    """Print the trials, best first, the gain of the best one, and the command that tries it."""
    table = Table(*tuned.default.settings, "years", "gain", box=box.SIMPLE_HEAD)
    for trial in tuned.trials:
        values = [f"{value:.2g}" for value in trial.settings.values()]
        mark = " (current)" if trial == tuned.default else ""
        table.add_row(*values, str(len(trial.gains)), f"{trial.mean:+.4f}{mark}")
    console.print(table)
    best = tuned.trials[0]
    if best == tuned.default:
        console.print("No trial was better than the current settings.")
        return
    years = min(len(best.gains), len(tuned.default.gains))
    console.print(
        f"The best trial gains {tuned.gain:+.4f} nats per forecast over the current settings, "
        f"t = {tuned.t:.1f} over {years} years before the test block. This figure is optimistic, because it "
        f"is the largest of {len(tuned.trials)}. To use these settings:"
    )
    hidden, *others = best.settings.items()
    changes = [f"'{domain}.train.capacities=[{hidden[1]}]'"]
    changes += [f"{domain}.train.{name}={value:.3g}" for name, value in others]
    command = " ".join(["dvc exp run", *(f"-S {change}" for change in changes)])
    console.print(command, highlight=False, soft_wrap=True)


def print_report_path(console: Console, workspace: Workspace, root: Path) -> None:
    path = workspace.report.relative_to(root) if workspace.report.is_relative_to(root) else workspace.report
    console.print(f"[bold]{workspace.domain}[/] report: {path}", highlight=False, soft_wrap=True)
