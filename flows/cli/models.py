"""``basin models``: list and show registered models, promote a version, roll back to an earlier one."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.command import Group, command
from flows.cli.options import Root
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from flows.cli.display import Display

app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Manage the model registry: list, show, promote, rollback."
)

Domain = Annotated[str, typer.Argument(help="Domain listed in params.yaml, e.g. finance.")]
Why = Annotated[str, typer.Option("--why", help="Reason, stored as the message of the git tag.")]


@command(app, "list")
def list_models(display: "Display", root: Root = Path()) -> None:
    """List every registered version with its date, status and reason.

    Examples
    --------
    basin models list
    """
    from tasks.operations.registry import history, status, versions
    from tasks.runtime.params import load_domains

    root, found = root.resolve(), []
    for domain in load_domains(root):
        events = history(root, domain)
        for version, commit in versions(events).items():
            of = [event for event in events if event.version == version]
            found.append(
                {
                    "model": domain,
                    "version": version,
                    "registered": f"{of[0].time:%Y-%m-%d %H:%M}",
                    "commit": commit[:9],
                    "status": status(events, version),
                    "why": of[-1].why,
                }
            )
    if found:
        display.table(tuple(found[0]), [tuple(row.values()) for row in found])
    else:
        display.print(
            "no model is registered; `basin models promote DOMAIN` registers the model of the last commit"
        )
    display.result(found)


@command(app)
def show(
    display: "Display",
    domain: Domain,
    version: Annotated[
        str | None, typer.Argument(help="Version, e.g. v0.0.2. Default: the current version.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Show the data, scores and history of one version: when it was promoted or refused, by whom and why.

    Examples
    --------
    basin models show finance
    basin models show finance v0.0.2
    """
    from tasks.operations.registry import commit_of, current, history

    root = root.resolve()
    _known(root, domain)
    version = version or current(root, domain)
    if version is None:
        raise BasinError(
            f"{domain}: no model is current; make one current with `basin models promote {domain}`"
        )
    commit = commit_of(root, domain, version)
    events = [event for event in history(root, domain) if event.version == version]
    config, scores = _stored(root, domain, commit)
    display.print(f"{domain} {version}, commit {commit[:9]}", *_about(config, scores))
    display.print(
        *(
            f"  {event.time:%Y-%m-%d %H:%M} {event.status or 'registered'} by {event.author}: {event.why}"
            for event in events
        )
    )
    display.result(
        {
            "model": domain,
            "version": version,
            "commit": commit,
            "as_of": config["as_of"],
            "data_sha256": config["data_sha256"],
            "scores": scores,
            "history": [asdict(event) | {"time": event.time.isoformat()} for event in events],
        }
    )


@command(app)
def promote(
    display: "Display",
    domain: Domain,
    version: Annotated[
        str | None, typer.Argument(help="Version, e.g. v0.0.2. Default: the model of the last commit.")
    ] = None,
    why: Why = "promoted by hand",
    root: Root = Path(),
) -> None:
    """Use a version for forecasts from now on, without comparing it with the current version.

    Examples
    --------
    basin models promote finance
    basin models promote finance v0.0.2 --why "better since May"
    """
    from tasks.operations.registry import CURRENT, assign, in_use, register

    root = root.resolve()
    _known(root, domain)
    version = version or register(root, domain, why)
    assign(root, domain, version, CURRENT, why)
    in_use(root, domain)
    display.print(f"{domain}: {version} is current")
    display.result({"model": domain, "version": version})


@command(app)
def rollback(
    display: "Display", domain: Domain, why: Why = "rolled back by hand", root: Root = Path()
) -> None:
    """Go back to the version that was current before.

    Examples
    --------
    basin models rollback finance --why "worse than the base in June"
    """
    from tasks.operations.registry import rollback as roll_back

    root = root.resolve()
    _known(root, domain)
    version, left = roll_back(root, domain, why)
    display.print(f"{domain}: {version} is current again and replaces {left}")
    display.result({"model": domain, "version": version, "replaces": left})


def _known(root: Path, domain: str) -> None:
    from tasks.runtime.params import load_params

    load_params(root, domain)


def _stored(root: Path, domain: str, commit: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the scores of the version at ``commit``, from DVC's cache."""
    import json
    from tempfile import TemporaryDirectory

    from tasks.operations.registry import fetch

    read: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for name in ("model/config.json", "scores.json"):
            path = Path(folder) / Path(name).name
            fetch(root, commit, f"artifacts/{domain}/{name}", path)
            read[name] = json.loads(path.read_text(encoding="utf-8"))
    return read["model/config.json"], read["scores.json"]


def _about(config: dict[str, Any], scores: dict[str, Any]) -> list[str]:
    """Describe the data and the scores of a version, one line each."""
    leads = scores.get("pooled", scores)["leads"]
    lines = [f"  data as of {config['as_of']}, sha256 {config['data_sha256'][:12]}"]
    for lead, found in leads.items():
        known = ", ".join(_known_scores(found["models"]["ebm"], found["paired"]["base"]))
        lines.append(
            f"  lead {lead}, {scores['test'][0]} to {scores['test'][1]}: {known or 'no score is known'}"
        )
    return lines


def _known_scores(ours: dict[str, Any], base: dict[str, Any]) -> Iterator[str]:
    """Yield the scores of the energy model and its gain over the base. Those that are null are left out."""
    if ours["log_score"] is not None:
        yield f"log score {ours['log_score']:.4f}"
    if ours["crps"] is not None:
        yield f"CRPS {ours['crps']:.4f}"
    if base["log_score_gain"] is not None:
        t = "" if base["t"] is None else f" (t = {base['t']:.1f})"
        yield f"gain in log score over the base {base['log_score_gain']:+.4f}{t}"
