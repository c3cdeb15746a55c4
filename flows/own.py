"""``basin backtest`` and ``basin forecast``: a user's own file on the command line."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from flows.display import Display
    from tasks.userdata.request import Request

LISTS = ("--exog", "--peers")


class ListsOfWords(TyperCommand):
    """Takes ``--exog A B`` and ``--exog A,B`` for ``--exog A --exog B``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = None
        for word in args:
            if word.startswith("-"):
                option = word if word in LISTS else None
                if option is None:
                    spread.append(word)
            elif option:
                for name in word.split(","):
                    spread += [option, name]
            else:
                spread.append(word)
        return super().parse_args(ctx, spread)


Data = Annotated[Path, typer.Option("--data", help="CSV, Parquet or NetCDF file.")]
Time = Annotated[str, typer.Option("--time", help="Column of the dates.")]
Target = Annotated[str, typer.Option("--target", help="Column (NetCDF: variable) to forecast.")]
Exog = Annotated[list[str] | None, typer.Option("--exog", help="Further columns known at the same time.")]
Series = Annotated[str | None, typer.Option("--series", help="Column that tells many series apart.")]
Kind = Annotated[str | None, typer.Option("--kind", help="price, level or rate.  [default: inferred]")]
Freq = Annotated[str | None, typer.Option("--freq", help="B, D, W, MS or h.  [default: inferred]")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Forecast 1 to this many steps ahead.")]
Leads = Annotated[str | None, typer.Option("--leads", help="Steps ahead, e.g. 1,3,6.  [default: 1]")]
TestFrom = Annotated[
    str | None, typer.Option("--test-from", help="First date to score.  [default: the last fifth]")
]
TestTo = Annotated[str | None, typer.Option("--test-to", help="Last date to score.")]
Refit = Annotated[int | None, typer.Option("--refit", help="Rows between refits of the classical models.")]
Peers = Annotated[list[str] | None, typer.Option("--peers", help="auto, or names of peers.")]
Seeds = Annotated[int, typer.Option("--seeds", help="Networks trained as one batch.")]
Dev = Annotated[bool, typer.Option("--dev", help="Test on dates before --test-from, read nothing later.")]
BadRow = Annotated[str, typer.Option("--on-bad-row", help="stop, or drop and say so.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]


def leads(horizon: int | None, listed: str | None) -> tuple[int, ...]:
    """The steps ahead: 1 … horizon, or those listed; one step by default."""
    if horizon is not None and listed is not None:
        raise BasinError("give --horizon or --leads, not both")
    if horizon is not None:
        if horizon < 1:
            raise BasinError(f"--horizon {horizon}: expected 1 step or more")
        return tuple(range(1, horizon + 1))
    try:
        return tuple(int(lead) for lead in (listed or "1").split(","))
    except ValueError as error:
        raise BasinError(f"--leads {listed}: expected steps such as 1,3,6") from error


def day(option: str, text: str | None) -> date | None:
    """A date option; raises ``BasinError`` where it is none."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise BasinError(f"{option} {text}: expected a date such as 2014-01-01") from error


def backtest(data: Path, request: "Request", out: Path) -> None:
    """Run the stages with their progress on the terminal, then show what they found."""
    from flows.display import Display, print_scores
    from tasks.userdata.run import backtest as run

    console = _console()
    with Display(console) as display:
        result = run(data, request, out, stages=shown(display, data.name.split(".")[0]))
    for sentence in result.notes:
        console.print(f"- {sentence}", highlight=False, soft_wrap=True)
    print_scores(console, data.name.split(".")[0], result.scores)
    console.print(f"report: {result.report}", highlight=False, soft_wrap=True)


def forecast(data: Path, request: "Request", out: Path, model: Path | None) -> None:
    """Fit (or take the model given) and print the distribution of the steps after the last row."""
    from flows.display import Display
    from tasks.reporting.tables import forecast_lines
    from tasks.userdata.run import forecast as run

    console = _console()
    with Display(console) as display:
        result = run(data, request, out, model, shown(display, data.name.split(".")[0]))
    for sentence in result.notes:
        console.print(f"- {sentence}", highlight=False, soft_wrap=True)
    for line in forecast_lines(result.steps):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"quantiles, density and events: {result.folder / 'forecast.json'}", soft_wrap=True)


def alarm(data: Path, request: "Request", event: str, budget: float, out: Path) -> None:
    """Judge the alarms of the past and say whether today is one."""
    from flows.display import Display
    from tasks.userdata.run import alarm as run

    console = _console()
    with Display(console) as display:
        result = run(data, request, event, budget, out, shown(display, data.name.split(".")[0]))
    console.print(result.summary(), highlight=False, soft_wrap=True)
    console.print(f"by date: {out / 'alarm.parquet'}, page: {out / 'report.html'}", soft_wrap=True)


def audit(data: Path, spec: Path | None, out: Path, **given: str | None) -> None:
    """Audit a file, show what was found, and end with an error where a check failed."""
    from rich.markup import escape
    from rich.table import Table

    from flows.display import Display
    from tasks.checks.table.evidence import read_spec
    from tasks.userdata.audit import audit_table, write_audit
    from tasks.userdata.reading import load
    from tasks.userdata.request import Request

    asked = read_spec(spec, **given)
    _refuse_fields(data)
    frame = load(
        data, Request(time=asked.time or "time", target=asked.target or "value", series=asked.series)
    )
    console, found = _console(), {}
    with Display(console) as display:
        shown(display, data.name)("audit", lambda progress: found.update(audit_table(frame, asked, progress)))
    write_audit(found, data.name, out)
    table = Table("check", "status", "finding", box=None, pad_edge=False)
    for check in found["checks"]:
        if check["status"] != "not applicable":
            faults = "".join(f"\n  {fault}" for fault in check["at_fault"][:3])
            table.add_row(check["id"], check["status"], escape(check["why"] + faults))
    console.print(table)
    console.print(f"page: {out / 'audit.html'}", highlight=False, soft_wrap=True)
    failed = [check["id"] for check in found["checks"] if check["status"] == "fail"]
    if failed:
        raise BasinError(
            f"{data}: the audit failed: {', '.join(failed)}; mend the file, or waive with a reason"
        )


def _refuse_fields(data: Path) -> None:
    if data.suffix in (".nc", ".nc4", ".netcdf", ".h5"):
        raise BasinError(f"{data}: expected CSV or Parquet; write the table of this file as one of them")


def validate(data: Path, suite: Path | None, propose: Path | None, keys: tuple[str, ...], out: Path) -> None:
    """Propose a suite for a file, or hold the file against one."""
    from tasks.runtime.files import atomic_write, write_json
    from tasks.userdata.reading import load
    from tasks.userdata.request import Request
    from tasks.userdata.suites import check
    from tasks.userdata.suites import propose as proposed

    if (suite is None) == (propose is None):
        raise BasinError("give --propose FILE to have a suite written, or --suite FILE to check against")
    _refuse_fields(data)
    frame, console = load(data, Request(time="time", target="value")), _console()
    if propose is not None:
        if propose.exists():
            raise BasinError(f"{propose} exists; edit it by hand, or give another name")
        made = proposed(frame, data.stem, keys)
        with atomic_write(propose) as (path,):
            write_json(path, made)
        console.print(f"{len(made['expectations'])} expectations: {propose}", soft_wrap=True)
        return
    assert suite is not None
    found = check(frame, suite, str(data), out)
    met = f"{found['rows']:,} rows meet all {len(found['expectations'])} expectations of {found['suite']}"
    console.print(f"{met}: {out / 'data_docs' / 'index.html'}", highlight=False, soft_wrap=True)


def shown(display: "Display", name: str) -> Callable[[str, Callable[..., Any]], None]:
    """Stages that tell the display what they do."""

    def stage(stage: str, run: Callable[..., Any]) -> None:
        began, outcome = time.monotonic(), "failed"
        display.began(stage, name)
        try:
            run(lambda label, done, total: display.progressed(stage, name, label, done, total))
            outcome = "ran"
        finally:
            display.ended(stage, name, outcome, time.monotonic() - began)

    return stage


def _console() -> Any:
    from rich.console import Console

    return Console()
