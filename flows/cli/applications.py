"""``basin run`` and ``basin score`` for an application, with progress and results on the terminal."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.applications.harness.application import APPLICATIONS, STAGES, Given
from tasks.domains import DOMAINS
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from rich.console import Console

ACROSS = 4
"""Number of measures side by side in a table of results, so that it fits 80 columns."""
SHOWN = 5
"""Number of scored examples that the terminal shows."""
STRANGE = 0.05
"""Examples with a conformal p-value up to this one are counted as unusual."""


def require(name: str) -> None:
    """Raise ``BasinError`` if there is no application of this name."""
    if name in DOMAINS:
        raise BasinError(
            f"`{name}` forecasts a series and takes no --data, --train, --test, --label or --out; run "
            f"`basin run --domain {name}`, or `basin backtest` for a series of your own"
        )
    if name not in APPLICATIONS:
        raise BasinError(
            f"unknown domain `{name}`; expected one of {', '.join(sorted((*DOMAINS, *APPLICATIONS)))}"
        )


def run(name: str, given: Given, root: Path, out: Path, overwrite: bool) -> None:
    """Run an application into the folder ``out``, on the user's files or else on those of the catalog."""
    from flows.cli.display import Display
    from tasks.applications.harness.run import run_application

    require(name)
    with Display() as display:
        run_application(name, given, root, out, display.stages(name), overwrite)
    print_results(display.console, out)


def run_project(name: str, root: Path) -> None:
    """Run an application as part of the project, as a Prefect flow, if DVC finds it stale."""
    from flows.cli.display import Display
    from flows.cli.launch import run_flow
    from tasks.applications.harness.project import FOLDER, load_application_params
    from tasks.runtime.freshness import nothing_to_do

    require(name)
    load_application_params(root, name)
    with Display() as display:
        # Starting a temporary Prefect server takes seconds, so it is skipped if nothing has to run.
        if not os.environ.get("PREFECT_API_URL") and nothing_to_do(root / FOLDER, [name]):
            for stage in STAGES:
                display.ended(stage, name, "fresh", 0)
        else:
            run_flow("application", display, f"{name} in {root}", name=name, root=str(root))
    print_results(display.console, root / FOLDER / name)


def score(model: Path, data: Path, out: Path, overwrite: bool) -> None:
    """Apply a stored model; print the examples of highest energy and the path of all answers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from tasks.applications.harness.scoring import score as apply

    console, answers = Console(), apply(model, data, out, overwrite).answers
    said = [name for name in answers.columns if not name.startswith("probability ")]
    table = Table(*said, box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
    for row in answers.nlargest(SHOWN, "energy")[said].itertuples(index=False):
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(table)
    strange = int((answers["p_value"] <= STRANGE).sum())
    words = f"{strange} of {len(answers)} have a higher energy than 95 % of the held-out training examples"
    console.print(f"{words}; all answers: {out / 'answers.csv'}", highlight=False, soft_wrap=True)


def print_results(console: "Console", out: Path) -> None:
    """Print the scores, the notes, the failed checks of the audit and the path of the report."""
    from rich import box
    from rich.table import Table

    from tasks.runtime.files import read_json

    scores, audit = read_json(out / "scores.json"), read_json(out / "audit.json")
    # A terminal of 80 columns holds a few measures side by side.
    names = list(scores["measures"])
    for few in (names[i : i + ACROSS] for i in range(0, len(names), ACROSS)):
        table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
        table.add_column("model")
        for column in few:
            table.add_column(column, justify="right")
        for model, found in scores["models"].items():
            cells = [f"{found[m]:.3f}" if m in found else "–" for m in few]
            if any(m in found for m in few):
                table.add_row(model, *cells, style="bold" if model == "ebm" else "")
        console.print(table)
    for sentence in scores["notes"]:
        console.print(f"- {sentence}", highlight=False, soft_wrap=True)
    failed = [check["id"] for check in audit["checks"] if check["status"] == "fail"]
    if failed:
        console.print(
            f"- the audit of the data failed ({', '.join(failed)}); the scores may be misleading",
            soft_wrap=True,
        )
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
