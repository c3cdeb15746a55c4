"""The app ``basin``: its commands of the pipeline, and those of the other modules."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import applications, fields, models, series
from flows.cli.errors import one_line_errors
from flows.cli.options import ListsOfWords, Root
from tasks.runtime.errors import BasinError
from tasks.stages import STAGES

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
                applications.run_project(domain[0], root)
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

        from flows.cli.display import Display, print_forecast, print_report_path, print_scores
        from tasks.runtime.files import read_json
        from tasks.runtime.freshness import nothing_to_do

        with Display() as display:
            # With nothing to do and no Prefect server to tell, a server of our own would only cost its start.
            names = [f"{step}@{name}" for step in STAGES for name in domains]
            if not os.environ.get("PREFECT_API_URL") and nothing_to_do(root, names):
                for name in domains:
                    for step in STAGES:
                        display.ended(step, name, "fresh", 0)
            else:
                from flows.cli.launch import run_flow

                run_flow(
                    "pipeline", display, f"{', '.join(domains)} in {root}", root=str(root), domains=domains
                )
        for name in domains:
            workspace = Workspace(root, name)
            display.console.print()
            print_scores(display.console, name, read_json(workspace.scores))
            print_forecast(display.console, workspace)
            print_report_path(display.console, workspace, root)


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
        from flows.cli.launch import run_stages

        run_stages((stage,), domain, root.resolve())


@app.command()
def report(
    domain: OneDomain,
    root: Root = Path(),
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser as well.")] = False,
) -> None:
    """Print the path of the report, making it first if it is stale."""
    with one_line_errors():
        from flows.cli.launch import run_stages
        from tasks.runtime.workspace import Workspace

        run_stages(STAGES, domain, root.resolve(), terse=True)
        path = Workspace(root.resolve(), domain).report
        typer.echo(path)
        if show:
            typer.launch(path.as_uri())


app.command(cls=ListsOfWords)(series.forecast)
app.command(cls=ListsOfWords)(series.backtest)
app.command(cls=ListsOfWords)(series.alarm)
app.command()(series.audit)
app.command()(series.validate)


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
        from flows.cli.display import Display, print_tuned
        from flows.cli.launch import run_stages
        from tasks.operations.tune import tune as tune_settings
        from tasks.runtime.params import load_params
        from tasks.runtime.workspace import Workspace

        run_stages(stages, domain, root, terse=True)
        params = load_params(root, domain)
        with Display() as display:
            display.began("tune", domain)

            def progress(label: str, done: int, total: int) -> None:
                display.progressed("tune", domain, label, done, total)

            tuned = tune_settings(Workspace(root, domain), params, trials, seed, progress)
        print_tuned(display.console, domain, tuned)


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
        from flows.server.checkout import prepared
        from flows.server.serve import serve as serve_until_stopped

        checkout = root.resolve()
        folder = (workspace or checkout.with_name(f"{checkout.name}-scheduled")).resolve()
        serve_until_stopped(prepared(checkout, folder), port, notify, typer.echo)
