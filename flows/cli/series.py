"""``basin forecast``, ``backtest``, ``alarm``, ``audit`` and ``validate`` on a user's own file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import options
from flows.cli.errors import one_line_errors
from tasks.runtime.errors import BasinError
from tasks.runtime.outputs import claim, require_file


def forecast(
    domain: Annotated[
        str | None, typer.Option(help="Domain listed in params.yaml, in place of --data.")
    ] = None,
    root: options.Root = Path(),
    data: Annotated[
        Path | None, typer.Option(help="Your own CSV or other text table, Excel, Parquet or NetCDF file.")
    ] = None,
    time: options.Time = None,
    target: options.Target = None,
    targets: options.Targets = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; required with --data.")] = None,
    exog: options.Exog = None,
    series: options.Series = None,
    kind: options.Kind = None,
    freq: options.Freq = None,
    horizon: options.Horizon = None,
    leads: options.Leads = None,
    events: options.Events = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder model/ of an earlier backtest or forecast, whose model is used without a new fit."
        ),
    ] = None,
    refit: options.Refit = None,
    seeds: options.Seeds = 5,
    on_bad_row: options.BadRow = "stop",
    resample: options.Resample = None,
    calendar: options.Calendar = None,
    strict: options.Strict = False,
    accept: options.Accept = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Forecast the dates that follow the data of a domain or of your own file."""
    with one_line_errors():
        if (domain is None) == (data is None):
            raise BasinError(
                "expected either --domain or --data; give --domain for the project's data, or --data"
            )
        if data is None:
            assert domain is not None
            _forecast_domain(domain, root.resolve())
            return
        if out is None:
            raise BasinError("--data needs --out, a folder for the results; add --out")
        from flows.cli.display import Display
        from tasks.reporting.tables import forecast_lines
        from tasks.userdata.run import forecast as run
        from tasks.userdata.sources import short_name

        request = options.request(
            time=time,
            target=target,
            targets=targets,
            exog=exog,
            series=series,
            kind=kind,
            freq=freq,
            horizon=horizon,
            leads=leads,
            events=events,
            refit=refit,
            seeds=seeds,
            on_bad_row=on_bad_row,
            resample=resample,
            calendar=calendar,
            strict=strict,
            accept=accept,
        )
        with Display() as display:
            result = run(data, request, out, model, display.stages(short_name(data)), overwrite)
        for sentence in result.notes:
            display.console.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)
        for line in forecast_lines(result.steps):
            display.console.print(line, highlight=False, markup=False, soft_wrap=True)
        display.console.print(
            f"quantiles, density and events: {result.folder / 'forecast.json'}", markup=False, soft_wrap=True
        )


def _forecast_domain(domain: str, root: Path) -> None:
    """Print the forecast of a domain after running the stages that are out of date."""
    from flows.cli.display import print_forecast
    from flows.cli.launch import run_stages
    from tasks.runtime.workspace import Workspace
    from tasks.stages import STAGES

    stages = tuple(name for name in STAGES if name not in ("landscape", "report"))
    display = run_stages(stages, domain, root, terse=True)
    print_forecast(display.console, Workspace(root, domain))


def backtest(
    data: options.Data,
    out: options.Out,
    time: options.Time = None,
    target: options.Target = None,
    targets: options.Targets = None,
    exog: options.Exog = None,
    series: options.Series = None,
    kind: options.Kind = None,
    freq: options.Freq = None,
    horizon: options.Horizon = None,
    leads: options.Leads = None,
    test_from: options.TestFrom = None,
    test_to: options.TestTo = None,
    refit: options.Refit = None,
    peers: options.Peers = None,
    seeds: options.Seeds = 5,
    dev: options.Dev = False,
    on_bad_row: options.BadRow = "stop",
    resample: options.Resample = None,
    calendar: options.Calendar = None,
    strict: options.Strict = False,
    accept: options.Accept = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Evaluate forecasts of your own file: each date of a test block is forecast from earlier dates only.

    The energy-based model and its peers are scored on the same dates.
    """
    with one_line_errors():
        from flows.cli.display import Display, print_scores
        from tasks.userdata.run import backtest as run
        from tasks.userdata.sources import short_name

        request = options.request(
            time=time,
            target=target,
            targets=targets,
            exog=exog,
            series=series,
            kind=kind,
            freq=freq,
            horizon=horizon,
            leads=leads,
            test_from=test_from,
            test_to=test_to,
            refit=refit,
            peers=peers,
            seeds=seeds,
            dev=dev,
            on_bad_row=on_bad_row,
            resample=resample,
            calendar=calendar,
            strict=strict,
            accept=accept,
        )
        with Display() as display:
            result = run(data, request, out, display.stages(short_name(data)), overwrite)
        for sentence in result.notes:
            display.console.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)
        print_scores(display.console, short_name(data), result.scores)
        display.console.print(f"report: {result.report}", highlight=False, markup=False, soft_wrap=True)


def inspect(
    data: options.Data,
    time: options.Time = None,
    target: options.Target = None,
    targets: options.Targets = None,
    exog: options.Exog = None,
    series: options.Series = None,
    kind: options.Kind = None,
    freq: options.Freq = None,
    on_bad_row: options.BadRow = "stop",
    resample: options.Resample = None,
    calendar: options.Calendar = None,
) -> None:
    """Show what is understood of a file, and what may be wrong with it. Nothing is fitted or written."""
    with one_line_errors():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        from tasks.userdata.inspection import inspect as look

        request = options.request(
            time=time,
            target=target,
            targets=targets,
            exog=exog,
            series=series,
            kind=kind,
            freq=freq,
            on_bad_row=on_bad_row,
            resample=resample,
            calendar=calendar,
            accept=None,
        )
        found = look(data, request)
        console, table = Console(), Table(box=None, pad_edge=False, show_header=False)
        for name, value in found.rows.items():
            table.add_row(name, escape(value))
        console.print(table, highlight=False)
        for sentence in found.notes:
            console.print(f"- {escape(sentence)}", highlight=False, soft_wrap=True)
        if found.refusal is not None:
            raise BasinError(found.refusal)


def alarm(
    data: options.Data,
    event: Annotated[
        str,
        typer.Option(
            help="E.g. min<=-0.08@21: the price falls by 8 % or more within 21 steps. Also max, end or sum "
            "in place of min, and >= in place of <=."
        ),
    ],
    out: options.Out,
    time: options.Time = None,
    target: options.Target = None,
    exog: options.Exog = None,
    max_false_alarms_per_year: Annotated[
        float, typer.Option(help="False alarms per year that are accepted; sets the alarm threshold.")
    ] = 2.0,
    kind: options.Kind = None,
    freq: options.Freq = None,
    test_from: options.TestFrom = None,
    test_to: options.TestTo = None,
    dev: options.Dev = False,
    on_bad_row: options.BadRow = "stop",
    resample: options.Resample = None,
    calendar: options.Calendar = None,
    strict: options.Strict = False,
    accept: options.Accept = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Forecast the probability of an event, such as a fall of 8 % within 21 days, and raise alarms.

    Alarms on the dates of a test block are scored. The result also says whether the last date is an alarm.
    """
    with one_line_errors():
        from flows.cli.display import Display
        from tasks.userdata.run import alarm as run
        from tasks.userdata.sources import short_name

        request = options.request(
            time=time,
            target=target,
            targets=None,
            exog=exog,
            kind=kind,
            freq=freq,
            test_from=test_from,
            test_to=test_to,
            dev=dev,
            on_bad_row=on_bad_row,
            resample=resample,
            calendar=calendar,
            strict=strict,
            accept=accept,
        )
        with Display() as display:
            stages = display.stages(short_name(data))
            result = run(data, request, event, max_false_alarms_per_year, out, stages, overwrite)
        display.console.print(result.summary(), highlight=False, markup=False, soft_wrap=True)
        display.console.print(
            f"probabilities by date: {out / 'alarm.parquet'}, report: {out / 'report.html'}",
            markup=False,
            soft_wrap=True,
        )


def audit(
    data: options.Data,
    out: options.Out,
    time: Annotated[
        str | None, typer.Option(help="Column of the dates. Found in the file by default.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of the values. Found in the file by default.")
    ] = None,
    series: options.Series = None,
    spec: Annotated[Path | None, typer.Option(help="YAML file that describes the columns.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Check whether a table can be used for learning.

    The checks find gaps, duplicates, impossible values and inputs that contain the future (look-ahead).
    """
    with one_line_errors(), claim(out, "audit", ("audit.json", "audit.html"), overwrite):
        from rich.markup import escape
        from rich.table import Table

        from flows.cli.display import Display
        from tasks.checks.table.evidence import read_spec
        from tasks.userdata.audit import audit_table, read_audited, write_audit

        asked, frame = read_audited(data, read_spec(spec, time=time, target=target, series=series))
        found: dict[str, Any] = {}
        with Display() as display:
            run = display.stages(data.name)
            run("audit", lambda progress: found.update(audit_table(frame, asked, progress)))
        write_audit(found, data.name, out)
        table = Table("check", "status", "finding", box=None, pad_edge=False)
        for check in found["checks"]:
            if check["status"] != "not applicable":
                faults = "".join(f"\n  {fault}" for fault in check["at_fault"][:3])
                table.add_row(check["id"], check["status"], escape(check["why"] + faults))
        display.console.print(table)
        display.console.print(f"report: {out / 'audit.html'}", highlight=False, markup=False, soft_wrap=True)
        failed = [check["id"] for check in found["checks"] if check["status"] == "fail"]
        if failed:
            raise BasinError(
                f"{data}: the audit failed: {', '.join(failed)}; correct the file, or accept the findings "
                "with `waive` in the file of --spec"
            )


def validate(
    data: options.Data,
    out: options.Out = Path("validation"),
    propose: Annotated[
        Path | None,
        typer.Option(help="File to which a suite is written. It is derived from the data, for you to edit."),
    ] = None,
    suite: Annotated[Path | None, typer.Option(help="Suite to check the file against.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Column of a unique key; may be repeated for a combined key.")
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Propose a Great Expectations suite for a table, or check the table against a suite."""
    with one_line_errors():
        from tasks.userdata.files.table import load
        from tasks.userdata.suites import RESULTS, check, write_proposal

        if (suite is None) == (propose is None):
            raise BasinError(
                "expected one of --propose FILE, to write a suite, and --suite FILE, to check against it"
            )
        if propose is not None:
            require_file(propose, overwrite, "--propose")
            count = write_proposal(load(data).typed(), data.stem, tuple(key or ()), propose)
            typer.echo(f"{count} expectations written to {propose}")
            return
        assert suite is not None
        with claim(out, "validate", RESULTS, overwrite):
            found = check(load(data), suite, out)
        met = f"{found['rows']:,} rows meet all {len(found['expectations'])} expectations of {found['suite']}"
        typer.echo(f"{met}: {out / 'data_docs' / 'index.html'}")
