"""The ``basin`` command line. Everything heavy is imported by the command that needs it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows import applications, fields, models, own
from flows.errors import one_line_errors
from tasks.runtime.errors import BasinError
from tasks.stages import STAGES

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(models.app, name="models")
app.add_typer(fields.app, name="field")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("basin"))
        raise typer.Exit


@app.callback()
def basin(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Energy-based forecasts of finance and climate, and energies of tables, pictures, sounds and lists.

    Run the pipeline or an application, read its forecasts, scores and reports.
    """


Root = Annotated[Path, typer.Option(help="Folder of dvc.yaml and params.yaml.")]
OneDomain = Annotated[str, typer.Option("--domain", help="A domain of params.yaml.")]


@app.command()
def run(
    domain: Annotated[
        list[str] | None, typer.Option(help="A domain to run; may be repeated. Default: all.")
    ] = None,
    root: Root = Path(),
    data: Annotated[Path | None, typer.Option(help="Examples of your own, for an application.")] = None,
    train: Annotated[Path | None, typer.Option(help="Examples to learn from.")] = None,
    test: Annotated[Path | None, typer.Option(help="Examples to judge on.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of a table that holds the label.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds of an application's run to --out: 5.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for an application's results.")] = None,
) -> None:
    """Bring every stage up to date, then show the model beside its peers, the forecast and the report.

    An application (a domain that params.yaml does not list: anomaly, images, …) learns from the examples of
    the catalog, below applications/; with --out it runs by itself, on those or on your own.
    """
    with one_line_errors():
        from tasks.runtime.params import load_domains, load_params

        root = root.resolve()
        listed = load_domains(root) if domain is None or out is None else []
        examples = any(option is not None for option in (data, train, test, label, out))
        if examples or any(name not in listed for name in domain or ()):
            if domain is None or len(domain) != 1:
                raise BasinError("give one --domain: an application runs by itself, with its own --out")
            if not examples:
                if seeds is not None:
                    raise BasinError(
                        "the project's own run takes its seeds from applications/params.yaml; give --out for "
                        "a run with --seeds of its own"
                    )
                applications.bring_up_to_date(domain[0], root)
                return
            from tasks.applications.harness.application import Given

            if out is None:
                raise BasinError("a run on examples of your own needs --out, a folder for its results")
            given = Given(data, train, test, label, 5 if seeds is None else seeds)
            applications.run(domain[0], given, root, out)
            return
        from tasks.runtime.workspace import Workspace

        domains = domain or listed
        for name in domains:
            load_params(root, name)
        console = _console()

        from flows.display import Display, print_forecast, print_report_path, print_scores
        from tasks.runtime.files import read_json
        from tasks.runtime.freshness import nothing_to_do

        with Display(console) as display:
            # With nothing to do and no Prefect server to tell, a server of our own would only cost its start.
            names = [f"{step}@{name}" for step in STAGES for name in domains]
            if not os.environ.get("PREFECT_API_URL") and nothing_to_do(root, names):
                for name in domains:
                    for step in STAGES:
                        display.ended(step, name, "fresh", 0)
            else:
                from flows.running import run_flow

                run_flow(
                    "pipeline", display, f"{', '.join(domains)} in {root}", root=str(root), domains=domains
                )
        for name in domains:
            workspace = Workspace(root, name)
            console.print()
            print_scores(console, name, read_json(workspace.scores))
            print_forecast(console, workspace)
            print_report_path(console, workspace, root)


@app.command()
def score(
    model: Annotated[Path, typer.Option(help="The model/ that a run of an application left.")],
    data: Annotated[Path, typer.Option(help="New examples, of the kind that it learned from.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
) -> None:
    """Apply what an application (anomaly, images, mri) has learned to new examples."""
    with one_line_errors():
        applications.score(model, data, out)


@app.command()
def stage(
    stage: Annotated[str, typer.Argument(help=", ".join(STAGES))],
    domain: OneDomain,
    root: Root = Path(),
) -> None:
    """Bring one stage of one domain up to date; the stages before it must have run."""
    with one_line_errors():
        if stage not in STAGES:
            raise BasinError(f"no stage `{stage}`; the stages are {', '.join(STAGES)}")
        _bring_up_to_date((stage,), domain, root.resolve(), terse=False)


@app.command(cls=own.ListsOfWords)
def forecast(
    domain: Annotated[str | None, typer.Option(help="A domain of params.yaml; or give --data.")] = None,
    root: Root = Path(),
    data: Annotated[Path | None, typer.Option(help="Your own CSV, Parquet or NetCDF file.")] = None,
    time: Annotated[str, typer.Option(help="Column of the dates.")] = "",
    target: Annotated[str, typer.Option(help="Column to forecast.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    exog: own.Exog = None,
    series: own.Series = None,
    kind: own.Kind = None,
    freq: own.Freq = None,
    horizon: own.Horizon = None,
    leads: own.Leads = None,
    model: Annotated[Path | None, typer.Option(help="A model/ to use as it is: nothing is refitted.")] = None,
    refit: own.Refit = None,
    seeds: own.Seeds = 5,
    on_bad_row: own.BadRow = "stop",
) -> None:
    """Forecast the dates after the last row: of a domain, or of your own file."""
    with one_line_errors():
        if (domain is None) == (data is None):
            raise BasinError("give either --domain, for the project's data, or --data with your own file")
        if data is None:
            assert domain is not None
            _forecast_domain(domain, root.resolve())
            return
        for option, value in (("--time", time), ("--target", target), ("--out", out)):
            if not value:
                raise BasinError(f"--data needs {option}")
        from tasks.userdata.request import Request

        assert out is not None
        request = Request(
            time=time,
            target=target,
            exog=tuple(exog or ()),
            series=series,
            kind=kind,
            freq=freq,
            leads=own.leads(horizon, leads),
            refit=refit,
            seeds=seeds,
            on_bad_row=on_bad_row,
        )
        own.forecast(data, request, out, model)


def _forecast_domain(domain: str, root: Path) -> None:
    """Print the forecast of a domain, making it first if it is stale."""
    from tasks.runtime.workspace import Workspace

    stages = tuple(name for name in STAGES if name not in ("landscape", "report"))
    _bring_up_to_date(stages, domain, root, terse=True)
    from flows.display import print_forecast

    print_forecast(_console(), Workspace(root, domain))


@app.command(cls=own.ListsOfWords)
def alarm(
    data: own.Data,
    time: own.Time,
    target: own.Target,
    event: Annotated[str, typer.Option(help="min|max|sum|end, <= or >=, a return, @ steps: min<=-0.08@21")],
    out: own.Out,
    exog: own.Exog = None,
    max_false_alarms_per_year: Annotated[float, typer.Option(help="Budget that sets the threshold.")] = 2.0,
    freq: own.Freq = None,
    test_from: own.TestFrom = None,
    test_to: own.TestTo = None,
    dev: own.Dev = False,
    on_bad_row: own.BadRow = "stop",
) -> None:
    """How likely is an event within so many steps? Alarms of the past judged, and whether today is one."""
    with one_line_errors():
        from tasks.userdata.request import Request

        request = Request(
            time=time,
            target=target,
            exog=tuple(exog or ()),
            kind="price",
            freq=freq,
            test_from=own.day("--test-from", test_from),
            test_to=own.day("--test-to", test_to),
            dev=dev,
            on_bad_row=on_bad_row,
        )
        own.alarm(data, request, event, max_false_alarms_per_year, out)


@app.command()
def report(
    domain: OneDomain,
    root: Root = Path(),
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser as well.")] = False,
) -> None:
    """Print the path of the report, making it first if it is stale."""
    with one_line_errors():
        from tasks.runtime.workspace import Workspace

        _bring_up_to_date(STAGES, domain, root.resolve(), terse=True)
        path = Workspace(root.resolve(), domain).report
        typer.echo(path)
        if show:
            typer.launch(path.as_uri())


@app.command(cls=own.ListsOfWords)
def backtest(
    data: own.Data,
    time: own.Time,
    target: own.Target,
    out: own.Out,
    exog: own.Exog = None,
    series: own.Series = None,
    kind: own.Kind = None,
    freq: own.Freq = None,
    horizon: own.Horizon = None,
    leads: own.Leads = None,
    test_from: own.TestFrom = None,
    test_to: own.TestTo = None,
    refit: own.Refit = None,
    peers: own.Peers = None,
    seeds: own.Seeds = 5,
    dev: own.Dev = False,
    on_bad_row: own.BadRow = "stop",
) -> None:
    """Forecast the dates of a test block of your own file from their past, and score it beside the peers."""
    with one_line_errors():
        from tasks.userdata.request import Request

        request = Request(
            time=time,
            target=target,
            exog=tuple(exog or ()),
            series=series,
            kind=kind,
            freq=freq,
            leads=own.leads(horizon, leads),
            test_from=own.day("--test-from", test_from),
            test_to=own.day("--test-to", test_to),
            refit=refit,
            peers=None if peers in (None, ["auto"]) else tuple(peers),
            seeds=seeds,
            dev=dev,
            on_bad_row=on_bad_row,
        )
        own.backtest(data, request, out)


@app.command()
def tune(
    domain: OneDomain,
    root: Root = Path(),
    trials: Annotated[int, typer.Option(min=2, help="Settings to try, the present ones among them.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the settings.")] = 0,
) -> None:
    """Try other settings of `train` on Ray Tune, on the years before the test block alone."""
    with one_line_errors():
        root = root.resolve()
        stages = STAGES[: STAGES.index("train")]
        _bring_up_to_date(stages, domain, root, terse=True)
        from flows.display import Display, print_tuned
        from tasks.operations.tune import tune as tune_settings
        from tasks.runtime.params import load_params
        from tasks.runtime.workspace import Workspace

        params, console = load_params(root, domain), _console()
        with Display(console) as display:
            display.began("tune", domain)

            def progress(label: str, done: int, total: int) -> None:
                display.progressed("tune", domain, label, done, total)

            tuned = tune_settings(Workspace(root, domain), params, trials, seed, progress)
        print_tuned(console, domain, tuned)


@app.command()
def audit(
    data: own.Data,
    out: own.Out,
    time: Annotated[str | None, typer.Option(help="Column of the dates; or in the spec.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the values; or in the spec.")] = None,
    series: own.Series = None,
    spec: Annotated[Path | None, typer.Option(help="YAML that says what the columns are.")] = None,
) -> None:
    """Is a table fit to learn from? Holes, copies, impossible values, inputs that know the future."""
    with one_line_errors():
        own.audit(data, spec, out, time=time, target=target, series=series)


@app.command()
def validate(
    data: own.Data,
    out: own.Out = Path("validation"),
    propose: Annotated[
        Path | None, typer.Option(help="Write a suite here, from what the file holds, to be edited.")
    ] = None,
    suite: Annotated[Path | None, typer.Option(help="Suite that the file is held against.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Column of the key that no two rows share.")] = None,
) -> None:
    """Great Expectations for a table: propose a suite of what it holds, or hold it against one."""
    with one_line_errors():
        own.validate(data, suite, propose, tuple(key or ()), out)


@app.command()
def serve(
    root: Root = Path(),
    workspace: Annotated[
        Path | None, typer.Option(help="Folder of the scheduled runs. Default: beside the project.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the server, on 127.0.0.1.")] = 4200,
    notify: Annotated[
        str | None, typer.Option(envvar="BASIN_NOTIFY_URL", help="Address that failures are posted to.")
    ] = None,
) -> None:
    """Run the schedules of prefect.yaml: a server on loopback, a worker, a workspace of its own."""
    with one_line_errors():
        from flows.serving import serve as serve_until_stopped
        from flows.workspace import prepared

        checkout = root.resolve()
        folder = (workspace or checkout.with_name(f"{checkout.name}-scheduled")).resolve()
        serve_until_stopped(prepared(checkout, folder), port, notify, typer.echo)


def _bring_up_to_date(stages: tuple[str, ...], domain: str, root: Path, terse: bool) -> None:
    from flows.display import Display
    from flows.stage import bring_stage_up_to_date
    from tasks.runtime.freshness import one_run_at_a_time
    from tasks.runtime.params import load_params

    load_params(root, domain)
    with Display(_console(), terse) as display, one_run_at_a_time(root, display.waiting):
        for name in stages:
            bring_stage_up_to_date(name, domain, root, display)


def _console() -> "Console":
    from rich.console import Console

    return Console()
