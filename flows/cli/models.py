"""``basin models``: list and show registered models, promote a version, roll back to an earlier one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import Root
from tasks.runtime.errors import BasinError

app = typer.Typer(no_args_is_help=True, help="Manage the model registry: list, show, promote, rollback.")

Domain = Annotated[str, typer.Argument(help="Domain listed in params.yaml, e.g. finance.")]
Why = Annotated[str, typer.Option("--why", help="Reason, stored as the message of the git tag.")]


@app.command("list")
def list_models(root: Root = Path()) -> None:
    """List every registered version with its date, status and reason."""
    with one_line_errors():
        from rich.console import Console
        from rich.table import Table

        from tasks.operations.registry import history, status, versions
        from tasks.runtime.params import load_domains

        root = root.resolve()
        table = Table("model", "version", "registered", "commit", "status", "why", box=None, pad_edge=False)
        for domain in load_domains(root):
            events = history(root, domain)
            for version, commit in versions(events).items():
                of = [event for event in events if event.version == version]
                table.add_row(
                    domain,
                    version,
                    f"{of[0].time:%Y-%m-%d %H:%M}",
                    commit[:9],
                    status(events, version),
                    of[-1].why,
                )
        if not table.row_count:
            typer.echo(
                "no model is registered; `basin models promote DOMAIN` registers the model of the last commit"
            )
            return
        Console().print(table)


@app.command()
def show(
    domain: Domain,
    version: Annotated[
        str | None, typer.Argument(help="Version, e.g. v0.0.2. Default: the current version.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Show the data, scores and history of one version: when it was promoted or refused, by whom and why."""
    with one_line_errors():
        from tasks.operations.registry import commit_of, current, history

        root = root.resolve()
        _known(root, domain)
        version = version or current(root, domain)
        if version is None:
            raise BasinError(
                f"{domain}: no model is current; make one current with `basin models promote {domain}`"
            )
        commit = commit_of(root, domain, version)
        typer.echo(f"{domain} {version}, commit {commit[:9]}")
        for line in _about(root, domain, commit):
            typer.echo(f"  {line}")
        for event in history(root, domain):
            if event.version == version:
                what = "registered" if event.status is None else event.status
                typer.echo(f"  {event.time:%Y-%m-%d %H:%M} {what} by {event.author}: {event.why}")


@app.command()
def promote(
    domain: Domain,
    version: Annotated[
        str | None, typer.Argument(help="Version, e.g. v0.0.2. Default: the model of the last commit.")
    ] = None,
    why: Why = "promoted by hand",
    root: Root = Path(),
) -> None:
    """Use a version for forecasts from now on, without comparing it with the current version."""
    with one_line_errors():
        from tasks.operations.registry import CURRENT, assign, in_use, register

        root = root.resolve()
        _known(root, domain)
        version = version or register(root, domain, why)
        assign(root, domain, version, CURRENT, why)
        in_use(root, domain)
        typer.echo(f"{domain}: {version} is current")


@app.command()
def rollback(domain: Domain, why: Why = "rolled back by hand", root: Root = Path()) -> None:
    """Go back to the version that was current before."""
    with one_line_errors():
        from tasks.operations.registry import rollback as roll_back

        root = root.resolve()
        _known(root, domain)
        version, left = roll_back(root, domain, why)
        typer.echo(f"{domain}: {version} is current again and replaces {left}")


def _known(root: Path, domain: str) -> None:
    from tasks.runtime.params import load_params

    load_params(root, domain)


def _about(root: Path, domain: str, commit: str) -> list[str]:
    """Describe the data and the scores of the version at ``commit``, one line each, from DVC's cache."""
    import json
    from tempfile import TemporaryDirectory

    from tasks.operations.registry import fetch

    read: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for name in ("model/config.json", "scores.json"):
            path = Path(folder) / Path(name).name
            fetch(root, commit, f"artifacts/{domain}/{name}", path)
            read[name] = json.loads(path.read_text(encoding="utf-8"))
    config, scores = read["model/config.json"], read["scores.json"]
    leads = scores.get("pooled", scores)["leads"]
    lines = [f"data as of {config['as_of']}, sha256 {config['data_sha256'][:12]}"]
    for lead, found in leads.items():
        base = found["paired"]["base"]
        ours = found["models"]["ebm"]
        lines.append(
            f"lead {lead}, {scores['test'][0]} to {scores['test'][1]}: log score {ours['log_score']:.4f}, "
            f"CRPS {ours['crps']:.4f}, gain in log score over the base {base['log_score_gain']:+.4f} "
            f"(t = {base['t']:.1f})"
        )
    return lines
