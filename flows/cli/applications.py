"""``basin run`` and ``basin score`` for an application, with progress and results on the terminal."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.applications.harness.application import APPLICATIONS, STAGES, Given
from tasks.domains import DOMAINS
from tasks.runtime.errors import BasinError, expected

if TYPE_CHECKING:
    from flows.cli.display import Display

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
        raise BasinError(f"unknown domain `{name}`; {expected(name, sorted((*DOMAINS, *APPLICATIONS)))}")


def run(name: str, given: Given, root: Path, out: Path, overwrite: bool, display: "Display") -> None:
    """Run an application into the folder ``out``, on the user's files or else on those of the catalog."""
    from tasks.applications.harness.run import run_application

    require(name)
    with display:
        run_application(name, given, root, out, display.stages(name), overwrite)
    print_results(display, name, out)


def run_project(name: str, root: Path, display: "Display") -> None:
    """Run an application as part of the project, as a Prefect flow, if DVC finds it stale."""
    from flows.cli.launch import run_flow
    from tasks.applications.harness.project import FOLDER, load_application_params
    from tasks.runtime.freshness import nothing_to_do

    require(name)
    load_application_params(root, name)
    with display:
        # Starting a temporary Prefect server takes seconds, so it is skipped if nothing has to run.
        if not os.environ.get("PREFECT_API_URL") and nothing_to_do(root / FOLDER, [name]):
            for stage in STAGES:
                display.ended(stage, name, "fresh", 0)
        else:
            run_flow("application", display, f"{name} in {root}", name=name, root=str(root))
    print_results(display, name, root / FOLDER / name)


def score(model: Path, data: Path, out: Path, overwrite: bool, display: "Display") -> None:
    """Apply a stored model; print the examples of highest energy and the path of all answers."""
    from tasks.applications.harness.scoring import score as apply

    answers = apply(model, data, out, overwrite).answers
    columns = [name for name in answers.columns if not name.startswith("probability ")]
    rows = [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in answers.nlargest(SHOWN, "energy")[columns].itertuples(index=False)
    ]
    display.table(columns, rows)
    strange = int((answers["p_value"] <= STRANGE).sum())
    words = f"{strange} of {len(answers)} have a higher energy than 95 % of the held-out training examples"
    display.print(f"{words}; all answers: {out / 'answers.csv'}")
    display.result(json.loads(answers.to_json(orient="records")))


def print_results(display: "Display", name: str, out: Path) -> None:
    """Print the scores, the notes, the failed checks of the audit and the path of the report."""
    from tasks.runtime.files import read_json

    scores, audit = read_json(out / "scores.json"), read_json(out / "audit.json")
    # A terminal of 80 columns holds a few measures side by side.
    names = list(scores["measures"])
    for few in (names[i : i + ACROSS] for i in range(0, len(names), ACROSS)):
        rows = [
            (model, *(f"{found[m]:.3f}" if m in found else "–" for m in few))
            for model, found in scores["models"].items()
            if any(m in found for m in few)
        ]
        display.table(("model", *few), rows, numbers=True, bold="ebm")
    display.print(*(f"- {sentence}" for sentence in scores["notes"]))
    failed = [check["id"] for check in audit["checks"] if check["status"] == "fail"]
    if failed:
        display.print(f"- the audit of the data failed ({', '.join(failed)}); the scores may be misleading")
    display.print(f"report: {out / 'report.html'}")
    display.result({name: scores})
