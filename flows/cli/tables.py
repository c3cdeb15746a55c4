"""Tables and lines of the results of the pipeline and of a user's file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.display import Display
from tasks.reporting.tables import forecast_lines, score_tables
from tasks.runtime.files import read_json
from tasks.runtime.workspace import Workspace

if TYPE_CHECKING:
    from tasks.operations.tune import Tuned


def print_scores(display: Display, name: str, scores: dict[str, Any]) -> None:
    """Print the scores of the model and its peers as tables."""
    for content in score_tables(scores):
        display.print(f"{name} {content.title}")
        display.table(content.columns, content.rows, numbers=True, bold="ebm")


def print_forecast(display: Display, workspace: Workspace) -> None:
    """Print one line per series: the last date of the data, the date forecast and the forecast."""
    display.print(*(f"{workspace.domain} {line}" for line in forecast_lines(read_json(workspace.forecast))))


def print_tuned(display: Display, domain: str, tuned: "Tuned") -> None:
    """Print the trials, best first, the gain of the best one, and the command that tries it."""
    rows = []
    for trial in tuned.trials:
        values = [f"{value:.2g}" for value in trial.settings.values()]
        mark = " (current)" if trial == tuned.default else ""
        rows.append((*values, str(len(trial.gains)), f"{trial.mean:+.4f}{mark}"))
    display.table((*tuned.default.settings, "years", "gain"), rows, numbers=True)
    best = tuned.trials[0]
    if best == tuned.default:
        display.print("No trial was better than the current settings.")
        return
    years = min(len(best.gains), len(tuned.default.gains))
    display.print(
        f"The best trial gains {tuned.gain:+.4f} nats per forecast over the current settings, "
        f"t = {tuned.t:.1f} over {years} years before the test block. This figure is optimistic, because it "
        f"is the largest of {len(tuned.trials)}. To use these settings:"
    )
    hidden, *others = best.settings.items()
    changes = [f"'{domain}.train.capacities=[{hidden[1]}]'"]
    changes += [f"{domain}.train.{name}={value:.3g}" for name, value in others]
    command = " ".join(["dvc exp run", *(f"-S {change}" for change in changes)])
    display.print(command)


def print_report_path(display: Display, workspace: Workspace, root: Path) -> None:
    path = workspace.report.relative_to(root) if workspace.report.is_relative_to(root) else workspace.report
    display.print(f"{workspace.domain} report: {path}")
