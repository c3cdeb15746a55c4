"""The Typer application ``basin``: the pipeline commands, and the commands added by the other modules."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import applications, fields, models, series
from flows.cli.command import Command, Group, command
from flows.cli.errors import FROM_THE_FIRST, STAGES_KEPT, one_line_errors
from flows.cli.options import Out, Overwrite, Root
from tasks.runtime.errors import BasinError, expected
from tasks.stages import STAGES

if TYPE_CHECKING:
    from flows.cli.display import Display

EXIT_CODES = """Exit codes:
  0    the command did what was asked
  1    data, a result or the value of an option was refused; one line says why
  2    the command line could not be parsed, as with an unknown command or option
  130  stopped by Ctrl-C; 143: stopped by another program"""

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")
app.add_typer(fields.app, name="field")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("basin"))
        raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def basin(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Forecast markets and climate with energy-based models, and apply them to other kinds of data.

    `basin run` runs the pipeline. `basin backtest` evaluates forecasts on a file of your own.
    """


OneDomain = Annotated[str, typer.Option("--domain", help="Domain listed in params.yaml, e.g. finance.")]


@command(app, kept=STAGES_KEPT)
def run(
    display: "Display",
    domain: Annotated[
        list[str] | None,
        typer.Option(help="Domain or application to run; may be repeated. Default: all domains."),
    ] = None,
    root: Root = Path(),
    data: Annotated[
        Path | None,
        typer.Option(help="Application only: your own examples, which Basin splits into training and test."),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Application only: your own training examples.")] = None,
    test: Annotated[Path | None, typer.Option(help="Application only: your own test examples.")] = None,
    label: Annotated[
        str | None, typer.Option(help="Application only: column of the table that holds the label.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Application with --out: number of random seeds. Default: 5.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Application only: folder for the results.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Run all stages that are out of date, then print scores, forecast and the path of the report.

    Domains (finance, climate) are listed in params.yaml. Applications (anomaly, images, mri, music, social,
    speech) run one at a time. Without --out, an application uses the data of the catalog and writes to
    applications/NAME. With --out, it writes to that folder and can use your own examples.

    Examples
    --------
    basin run
    basin run --domain finance
    basin run --domain anomaly --data table.csv --label broken --out results
    """
    from tasks.runtime.params import load_domains, load_params

    if overwrite and out is None:
        raise BasinError("--overwrite needs --out; without --out the results go to the project")
    root = root.resolve()
    listed = load_domains(root) if domain is None or out is None else []
    examples = any(option is not None for option in (data, train, test, label, out))
    if examples or any(name not in listed for name in domain or ()):
        if domain is None or len(domain) != 1:
            raise BasinError("an application or a run with --out needs exactly one --domain; give one")
        if not examples and seeds is not None:
            raise BasinError(
                "--seeds needs --out; without --out the seeds are those of applications/params.yaml"
            )
        if examples and out is None:
            raise BasinError("a run on your own examples needs --out, a folder for the results")
        # The stages of an application pass models on in memory, so no stage is skipped in the next run.
        if out is None:
            with one_line_errors(FROM_THE_FIRST):
                applications.run_project(domain[0], root, display)
            return
        from tasks.applications.harness.application import Given

        given = Given(data, train, test, label, 5 if seeds is None else seeds)
        with one_line_errors():
            applications.run(domain[0], given, root, out, overwrite, display)
        return
    from tasks.runtime.workspace import Workspace

    domains = domain or listed
    for name in domains:
        load_params(root, name)

    from flows.cli.tables import print_forecast, print_report_path, print_scores
    from tasks.runtime.files import read_json
    from tasks.runtime.freshness import nothing_to_do

    with display:
        # Starting a temporary Prefect server takes seconds, so it is skipped if no stage has to run.
        names = [f"{step}@{name}" for step in STAGES for name in domains]
        if not os.environ.get("PREFECT_API_URL") and nothing_to_do(root, names):
            for name in domains:
                for step in STAGES:
                    display.ended(step, name, "fresh", 0)
        else:
            from flows.cli.launch import run_flow

            run_flow("pipeline", display, f"{', '.join(domains)} in {root}", root=str(root), domains=domains)
    scores = {name: read_json(Workspace(root, name).scores) for name in domains}
    for name in domains:
        workspace = Workspace(root, name)
        print_scores(display, name, scores[name])
        print_forecast(display, workspace)
        print_report_path(display, workspace, root)
    display.result(scores)


@command(app)
def score(
    display: "Display",
    model: Annotated[Path, typer.Option(help="Folder model/ in the results of an application's run.")],
    data: Annotated[Path, typer.Option(help="New examples, of the same kind as the training examples.")],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Apply the trained model of an application (anomaly, images, mri) to new examples.

    Examples
    --------
    basin score --model results/model --data new.csv --out scored
    """
    applications.score(model, data, out, overwrite, display)


@command(app, kept=STAGES_KEPT)
def stage(
    display: "Display",
    stage: Annotated[
        str,
        typer.Argument(
            help=f"Stage to run: one of {', '.join(STAGES)}.", autocompletion=lambda: list(STAGES)
        ),
    ],
    domain: OneDomain,
    root: Root = Path(),
) -> None:
    """Run one stage of one domain if it is out of date. The stages before it must have run.

    Examples
    --------
    basin stage train --domain finance
    """
    if stage not in STAGES:
        raise BasinError(f"unknown stage `{stage}`; {expected(stage, STAGES)}")
    from flows.cli.launch import run_stages

    (outcome,) = run_stages((stage,), domain, root.resolve(), display)
    display.result({"stage": stage, "domain": domain, "outcome": outcome})


@command(app, kept=STAGES_KEPT)
def report(
    display: "Display",
    domain: OneDomain,
    root: Root = Path(),
    show: Annotated[bool, typer.Option("--open", help="Also open the report in the browser.")] = False,
) -> None:
    """Print the path of a domain's report. Stages that are out of date are run first.

    Examples
    --------
    basin report --domain finance
    basin report --domain climate --open
    """
    from flows.cli.launch import run_stages
    from tasks.runtime.workspace import Workspace

    run_stages(STAGES, domain, root.resolve(), display, terse=True)
    path = Workspace(root.resolve(), domain).report
    display.print(str(path))
    display.result({"report": str(path)})
    if show:
        typer.launch(path.as_uri())


for function in (
    series.inspect,
    series.forecast,
    series.backtest,
    series.alarm,
    series.audit,
    series.validate,
):
    command(app)(function)


@command(app, kept=STAGES_KEPT)
def tune(
    display: "Display",
    domain: OneDomain,
    root: Root = Path(),
    trials: Annotated[
        int, typer.Option(min=2, help="Number of settings to try, including the current ones.")
    ] = 16,
    seed: Annotated[int, typer.Option(help="Random seed for drawing the settings.")] = 0,
) -> None:
    """Search for better training settings with Ray Tune, using only years before the test block.

    Examples
    --------
    basin tune --domain finance
    basin tune --domain climate --trials 32
    """
    root = root.resolve()
    stages = STAGES[: STAGES.index("train")]
    from flows.cli.launch import run_stages
    from flows.cli.tables import print_tuned
    from tasks.operations.tune import tune as tune_settings
    from tasks.runtime.params import load_params
    from tasks.runtime.workspace import Workspace

    run_stages(stages, domain, root, display, terse=True)
    params = load_params(root, domain)
    with display:
        display.began("tune", domain)

        def progress(label: str, done: int, total: int) -> None:
            display.progressed("tune", domain, label, done, total)

        tuned = tune_settings(Workspace(root, domain), params, trials, seed, progress)
    print_tuned(display, domain, tuned)
    display.result(asdict(tuned))


@app.command(cls=Command)
def serve(
    root: Root = Path(),
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder for the scheduled runs. Default: PROJECT-scheduled, beside the project."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the Prefect server on 127.0.0.1.")] = 4200,
    notify: Annotated[
        str | None,
        typer.Option(envvar="BASIN_NOTIFY_URL", help="URL that receives a POST request when a run fails."),
    ] = None,
) -> None:
    """Run the schedules of prefect.yaml with a local Prefect server and worker until stopped.

    The runs use a clone of the project in their own folder, so editing the project does not affect them.

    Examples
    --------
    basin serve
    basin serve --port 4300
    """
    with one_line_errors():
        from flows.server.checkout import prepared
        from flows.server.serve import serve as serve_until_stopped

        checkout = root.resolve()
        folder = (workspace or checkout.with_name(f"{checkout.name}-scheduled")).resolve()
        serve_until_stopped(prepared(checkout, folder), port, notify, typer.echo)
