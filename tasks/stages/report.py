"""Stage ``report``: one self-contained HTML page per domain."""

import hashlib
from pathlib import Path
from typing import Any

from tasks.domains import get_domain
from tasks.reporting import comparison, energies, trust
from tasks.reporting.forecast import forecast_section, levels
from tasks.reporting.labels import dated, forecast_mean, in_sentence, periods, series_name, signed, text
from tasks.reporting.page import Section, page
from tasks.reporting.verdict import Block, blocks, headline, short_unit, without_brackets
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.tilts.fits import read_folds
from tasks.tilts.model import load_model


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
    unseen = f"{periods(domain.frequency, dates)} not used in fitting ({first.year} to {last.year})"
    sentence = headline(found, domain, unseen)
    progress("report", 0, 1)

    ahead, inputs = read_json(workspace.forecast), pd.read_parquet(workspace.inputs)
    past = forecasts[forecasts["model"] == "ebm"]
    if "normal" in inputs:
        past = levels(past, inputs, domain.lowest)
    peers = comparison.comparison(found, scores, domain)
    sections = [
        trust.asked(domain, params.split),
        forecast_section(ahead, past, domain),
        Section(
            peers.anchor,
            peers.menu,
            peers.title,
            peers.content + trust.how_it_works(scores, parameters(workspace.model)),
        ),
        comparison.calibration(found, forecasts, domain),
        comparison.over_time(forecasts, domain),
        energies.energies(
            forecasts,
            inputs,
            pd.read_parquet(workspace.classical),
            load_model(workspace.model),
            read_folds(workspace.fits)[-1]["path"],
            domain,
        ),
        trust.landscape(workspace.landscape, read_json(workspace.landscape / "landscape.json")["figures"]),
        trust.data_and_checks(
            pd.read_parquet(present(workspace.raw, "ingest")),
            provenance,
            read_json(workspace.validation),
            audits,
        ),
        trust.provenance_section(provenance, hashes(workspace), settings(params.model_dump(mode="json"))),
        trust.glossary(),
    ]
    html = page(
        f"Basin: {domain.title}",
        f"Basin · {domain.title}",
        sentence,
        lead(ahead, domain),
        tiles(found, domain),
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
        low, high = step["interval_90"]
        sentences.append(
            f"{series_name(name)}, data to {dated(part['origin'], domain.frequency)}: the forecast for "
            f"{dated(step['time'], domain.frequency)} has mean {forecast_mean(step, unit)} and "
            f"a 90 % interval from {text(low)} to {text(high)} {unit}."
        )
    return " ".join(sentences)


def tiles(found: list[Block], domain: Any) -> list[tuple[str, str]]:
    """Return the figures at the top of the page, for all series together or for the shortest lead."""
    block = found[0]
    ours, of = block.models["ebm"], ""
    if len(found) > 1:
        of = f", {block.label.lower()}" + (" ahead" if len(domain.leads) > 1 else "")
    reference, base = block.paired[domain.reference], block.paired["base"]
    return [
        (
            signed(reference["log_score_gain"]),
            f"nats over {in_sentence(domain.reference)}, t = {text(reference['t'], 1)}{of}",
        ),
        (signed(base["log_score_gain"]), f"nats over its own base, t = {text(base['t'], 1)}{of}"),
        (text(ours["log_score"], 3), f"mean log score{of}"),
        (text(ours["crps"], 3), f"CRPS, {short_unit(domain)}{of}"),
        (f"{100 * ours['coverage']['0.9']:.1f} %", f"of outcomes inside the 90 % interval{of}"),
    ]


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
