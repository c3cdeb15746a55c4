"""``basin forecast``, ``backtest``, ``alarm``, ``audit`` and ``validate`` on a user's own file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import options
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from flows.cli.display import Display


def forecast(
    display: "Display",
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
    jointly: options.Jointly = False,
    weights: options.Weights = None,
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
    """Forecast the dates that follow the data of a domain or of your own file.

    Examples
    --------
    basin forecast --data prices.csv --target close --out results
    basin forecast --data sst.csv --target nino34 --leads 1,3,6 --out results
    basin forecast --data new.csv --model results/model --out latest --json
    """
    if domain is not None and data is not None:
        raise BasinError("--domain and --data exclude each other; give one of them, not both")
    if domain is None and data is None:
        raise BasinError("neither --domain nor --data is given; add --data FILE, or --domain in a project")
    if data is None:
        assert domain is not None
        _forecast_domain(domain, root.resolve(), display)
        return
    if out is None:
        raise BasinError("--data needs --out, a folder for the results; add --out")
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
        jointly=jointly,
        weights=weights,
        refit=refit,
        seeds=seeds,
        on_bad_row=on_bad_row,
        resample=resample,
        calendar=calendar,
        strict=strict,
        accept=accept,
    )
    with display:
        result = run(data, request, out, model, display.stages(short_name(data)), overwrite)
    display.notes(result.notes)
    display.print(*forecast_lines(result.steps))
    display.print(f"quantiles, density and events: {result.folder / 'forecast.json'}")
    display.result(result.steps)


def _forecast_domain(domain: str, root: Path, display: "Display") -> None:
    """Print the forecast of a domain after running the stages that are out of date."""
    from flows.cli.launch import run_stages
    from flows.cli.tables import print_forecast
    from tasks.runtime.files import read_json
    from tasks.runtime.workspace import Workspace
    from tasks.stages import STAGES

    stages = tuple(name for name in STAGES if name not in ("landscape", "report"))
    run_stages(stages, domain, root, display, terse=True)
    workspace = Workspace(root, domain)
    print_forecast(display, workspace)
    display.result(read_json(workspace.forecast))


def backtest(
    display: "Display",
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
    jointly: options.Jointly = False,
    weights: options.Weights = None,
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

    Examples
    --------
    basin backtest --data prices.csv --target close --exog vix --out results
    basin backtest --data prices.csv --test-from 2015-01-01 --out results
    basin backtest --data stocks.csv --jointly --out results
    """
    from flows.cli.tables import print_scores
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
        jointly=jointly,
        weights=weights,
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
    with display:
        result = run(data, request, out, display.stages(short_name(data)), overwrite)
    display.notes(result.notes)
    print_scores(display, short_name(data), result.scores)
    display.print(f"report: {result.report}")
    display.result(result.scores)


def inspect(
    display: "Display",
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
    """Show what is understood of a file, and what may be wrong with it. Nothing is fitted or written.

    Examples
    --------
    basin inspect --data prices.csv
    basin inspect --data prices.csv --time Date --target Close --json
    """
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
    display.table(("", ""), tuple(found.rows.items()))
    display.notes(found.notes)
    display.result({**found.rows, "notes": found.notes, "warnings": found.warnings, "refusal": found.refusal})
    if found.refusal is not None:
        raise BasinError(found.refusal)


def alarm(
    display: "Display",
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

    Examples
    --------
    basin alarm --data prices.csv --event 'min<=-0.08@21' --out alarms
    """
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
    with display:
        stages = display.stages(short_name(data))
        result = run(data, request, event, max_false_alarms_per_year, out, stages, overwrite)
    display.print(
        result.summary(),
        f"probabilities by date: {out / 'alarm.parquet'}, report: {out / 'report.html'}",
    )
    display.result(result.found)


def audit(
    display: "Display",
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

    Examples
    --------
    basin audit --data prices.csv --time date --target close --out audit
    basin audit --data credit.csv --spec columns.yaml --out audit
    """
    from tasks.checks.table.evidence import read_spec
    from tasks.userdata.audit import audit as run

    asked = read_spec(spec, time=time, target=target, series=series)
    with display:
        found = run(data, asked, out, overwrite, display.stages(data.name)).found
    rows = [
        (check["id"], check["status"], "\n  ".join((check["why"], *check["at_fault"][:3])))
        for check in found["checks"]
        if check["status"] != "not applicable"
    ]
    display.table(("check", "status", "finding"), rows)
    display.print(f"report: {out / 'audit.html'}")
    display.result(found)
    failed = [check["id"] for check in found["checks"] if check["status"] == "fail"]
    if failed:
        raise BasinError(
            f"{data}: the audit failed: {', '.join(failed)}; correct the file, or accept the findings "
            "with `waive` in the file of --spec"
        )


def validate(
    display: "Display",
    data: options.Data,
    out: options.Out = Path("validation"),
    propose: Annotated[
        Path | None,
        typer.Option(help="File to which a suite is written. It is derived from the data, for you to edit."),
    ] = None,
    suite: Annotated[Path | None, typer.Option(help="Suite to check the file against.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar=options.TEXT, help="Column of a unique key; may be repeated for a combined key."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Propose a Great Expectations suite for a table, or check the table against a suite.

    Examples
    --------
    basin validate --data prices.csv --propose suite.json
    basin validate --data new.csv --suite suite.json --out validation
    """
    from tasks.runtime.outputs import claim, require_file
    from tasks.userdata.files.table import load
    from tasks.userdata.suites import RESULTS, check, write_proposal

    if (suite is None) == (propose is None):
        raise BasinError(
            "expected one of --propose FILE, to write a suite, and --suite FILE, to check against it"
        )
    if propose is not None:
        require_file(propose, overwrite, "--propose")
        proposal = write_proposal(load(data).typed(), data.stem, tuple(key or ()), propose)
        display.print(f"{len(proposal['expectations'])} expectations written to {propose}")
        display.result(proposal)
        return
    assert suite is not None
    checked: list[Any] = []
    with claim(out, "validate", RESULTS, overwrite), display:
        run = display.stages(data.name)
        run("validate", lambda _: checked.extend(check(load(data), suite, out)))
    found, refusal = checked
    display.result(found)
    if refusal is not None:
        raise BasinError(refusal)
    met = f"{found['rows']:,} rows meet all {len(found['expectations'])} expectations of {found['suite']}"
    display.print(f"{met}: {out / 'data_docs' / 'index.html'}")
