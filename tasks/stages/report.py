"""Stage ``report``: one self-contained HTML page per domain."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.domains import get_domain
from tasks.reporting import comparison, energies, trust
from tasks.reporting.event_skill import event_skill
from tasks.reporting.exceptions import is_recalibrated
from tasks.reporting.forecast import forecast_section, levels, quantile
from tasks.reporting.labels import dated, forecast_mean, periods, places, series_name, text, with_unit
from tasks.reporting.outlook import outlook
from tasks.reporting.page import page
from tasks.reporting.price_view import price_view
from tasks.reporting.risk import risk
from tasks.reporting.seasonal import skill
from tasks.reporting.tiles import tiles
from tasks.reporting.verdict import blocks, headline, strongest, without_brackets
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.scoring.categories import Past
from tasks.tilts.fits import read_folds
from tasks.tilts.model import load_model

if TYPE_CHECKING:
    import pandas as pd


def report(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``artifacts/DOMAIN/report.html`` from the outputs of the earlier stages.

    The same inputs give the same bytes. Raises ``BasinError`` if an output is missing or has no rows of a
    model that the page shows.
    """
    import pandas as pd

    domain = get_domain(workspace)
    provenance, scores = read_json(workspace.provenance), read_json(workspace.scores)
    audits = [read_json(workspace.audit), read_json(workspace.forecast_audit)]
    forecasts = pd.read_parquet(present(workspace.forecasts, "evaluate"))
    for model in ("ebm", "base", domain.reference):
        if model not in set(forecasts["model"]):
            raise BasinError(
                f"{workspace.forecasts}: no rows of model `{model}`; run `basin stage evaluate --domain "
                f"{domain.name}`"
            )
    found = blocks(scores, domain.frequency)
    first, last = forecasts["time"].min(), forecasts["time"].max()
    dates = forecasts["time"].nunique()
    when = f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    unseen = f"{periods(domain.frequency, dates)} not used in fitting ({when})"
    sentence = headline(found, domain, unseen)
    progress("report", 0, 1)

    ahead, inputs = read_json(workspace.forecast), pd.read_parquet(workspace.inputs)
    raw = pd.read_parquet(present(workspace.raw, "ingest"))
    ours = forecasts[forecasts["model"] == "ebm"]
    past = levels(ours, inputs, domain.lowest) if "normal" in inputs else ours
    shown = forecast_section(ahead, past, domain)
    latest = with_ours(scores["latest"], ahead)
    if domain.returns:
        prices = used(raw, inputs)
        shown = replace(shown, content=shown.content + price_view(ahead, past, prices, domain))
        special = [risk(found, forecasts, prices, latest, ahead, domain)]
    else:
        before = Past(inputs, pd.Timestamp(params.split.test_from), domain.frequency)
        special = [
            outlook(ahead, latest, before, strongest(found), domain),
            skill(found, forecasts, domain),
            *filter(None, [event_skill(found, forecasts)]),
        ]
    peers = comparison.comparison(found, scores, domain)
    how = trust.how_it_works(scores, parameters(workspace.model))
    sections = [
        trust.asked(domain, params.split),
        shown,
        *special,
        replace(peers, content=peers.content + how),
        comparison.calibration(found, forecasts, domain),
        comparison.over_time(found, forecasts, domain),
        energies.energies(
            forecasts,
            inputs,
            pd.read_parquet(workspace.classical),
            load_model(workspace.model),
            read_folds(workspace.fits)[-1]["path"],
            domain,
        ),
        trust.landscape(workspace.landscape, read_json(workspace.landscape / "landscape.json")["figures"]),
        trust.data_and_checks(raw, provenance, read_json(workspace.validation), audits, domain),
        trust.provenance_section(provenance, hashes(workspace), settings(params.model_dump(mode="json"))),
        trust.glossary(),
    ]
    html = page(
        f"Basin: {domain.title}",
        f"Basin · {domain.title}",
        sentence,
        lead(ahead, domain),
        tiles(found, domain, recalibrated=domain.returns and is_recalibrated(forecasts)),
        sections,
    )
    with atomic_write(workspace.report) as (target,):
        target.write_text(html, encoding="utf-8")
    progress("report", 1, 1)
    return {"report": str(workspace.report.relative_to(workspace.root)), "headline": sentence}


def present(path: Path, stage: str) -> Path:
    if not path.is_file():
        raise BasinError(f"{path} is missing; run the stage {stage} first (`basin run`)")
    return path


def lead(forecast: dict[str, Any], domain: Any) -> str:
    """Return a sentence per series with its forecast at the shortest lead, its origin and its target date."""
    sentences, unit = [], without_brackets(forecast["unit"])
    for name, part in forecast["series"].items():
        step = part["steps"][0]
        (low, high), digits = step["interval_90"], places(step)
        mean = forecast_mean(step, unit, domain.frequency)
        sentences.append(
            f"{series_name(name)}, data to {dated(part['origin'], domain.frequency)}: the forecast for "
            f"{dated(step['time'], domain.frequency)} has mean {mean} and "
            f"a 90 % interval from {text(low, digits)} to {with_unit(text(high, digits), unit)}."
        )
    return " ".join(sentences)


def used(raw: "pd.DataFrame", inputs: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of the raw table at origins of forecasts, among which are none in quarantine."""
    origins = inputs[["series", "origin"]].drop_duplicates().rename(columns={"origin": "time"})
    return raw.merge(origins, on=["series", "time"])


def with_ours(latest: dict[str, Any], forecast: dict[str, Any]) -> dict[str, Any]:
    """Return every model's latest forecast, of which that of the energy model is the one in ``forecast``.

    The registered model differs from that of the evaluation if its energy was found to do harm.
    """
    found = {name: {lead: dict(models) for lead, models in leads.items()} for name, leads in latest.items()}
    for name, part in forecast["series"].items():
        for step in part["steps"]:
            models = found.get(name, {}).get(str(step["lead"]))
            if models:
                normal = step.get("normal", 0.0)
                quantiles = {q: quantile(step, q) - normal for q in models["ebm"]["quantiles"]}
                models["ebm"] = {"mean": step["mean"] - normal, "quantiles": quantiles}
    return found


def hashes(workspace: Workspace) -> list[tuple[str, str]]:
    """Return the path, relative to the project, and the sha256 of every file that the page is made from."""
    files = [workspace.raw, workspace.validation, workspace.audit, workspace.inputs, workspace.classical]
    files += [
        workspace.scores,
        workspace.forecasts,
        workspace.forecast_audit,
        workspace.forecast,
        workspace.model_card,
    ]
    files += sorted(workspace.model.iterdir())
    return [
        (path.relative_to(workspace.root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
        if path.is_file()
    ]


def settings(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the parameters as pairs of dotted key and value."""
    return [
        (f"{section}.{key}", trust.shown(value))
        for section, keys in params.items()
        for key, value in keys.items()
    ]


def parameters(folder: Path) -> int:
    """Return the number of learned parameters in ``model.safetensors``."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="np") as weights:
        sizes = [weights.get_slice(key).get_shape() for key in weights.keys()]  # noqa: SIM118
    total = 0
    for shape in sizes:
        count = 1
        for length in shape:
            count *= length
        total += count
    return total
