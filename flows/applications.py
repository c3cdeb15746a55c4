"""``basin run --domain APPLICATION``: its stages on the terminal, then the model beside its peers."""

from pathlib import Path

from flows.own import shown
from tasks.applications import Given

ACROSS = 4
"""Measures in a row of the closing tables."""


def run(name: str, given: Given, root: Path, out: Path) -> None:
    """Run the stages with their progress shown, then print scores, notes and the path of the page."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from flows.display import Display
    from tasks.applications.run import run_application

    console = Console()
    with Display(console) as display:
        done = run_application(name, given, root, out, shown(display, name))
    measures = done.scores["measures"]
    # A terminal of 80 columns holds a few of them side by side.
    names = list(measures)
    for few in (names[i : i + ACROSS] for i in range(0, len(names), ACROSS)):
        table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
        table.add_column("model")
        for column in few:
            table.add_column(column, justify="right")
        for model, found in done.scores["models"].items():
            cells = [f"{found[m]:.3f}" if m in found else "–" for m in few]
            if any(m in found for m in few):
                table.add_row(model, *cells, style="bold" if model == "ebm" else "")
        console.print(table)
    for sentence in done.scores["notes"]:
        console.print(f"- {sentence}", highlight=False, soft_wrap=True)
    failed = [check["id"] for check in done.audit["checks"] if check["status"] == "fail"]
    if failed:
        console.print(f"- the audit failed: {', '.join(failed)}; read it before the scores", soft_wrap=True)
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
