"""Daily monitoring of data and current model: schema, input drift, energy of the day, calibration."""

from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.tilted import TiltedDistribution, untilted
from tasks.checks.drift import drift
from tasks.checks.suites import accepted, read_suite
from tasks.domains import get_domain
from tasks.operations.change_detector import conformal, detector_path, threshold
from tasks.operations.registry import in_use
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, write_json
from tasks.runtime.params import load_params
from tasks.runtime.workspace import Workspace
from tasks.sources.snapshot import snapshot
from tasks.tilts.config import FORECAST_PANELS
from tasks.tilts.model import load_model

PERIODS = {"B": 252, "MS": 12}
"""Steps per year by frequency."""

CALM = 20
"""An unchanged model has a false alarm in one of this many years."""

WINDOW = {"B": 60, "MS": 24}
"""Number of recent rows whose inputs are tested for drift."""

REFERENCE = {"B": 2520, "MS": 480}
"""Number of latest training rows that the recent rows are compared with."""

FALSE_DISCOVERIES = 0.05
"""An input has drifted if its adjusted p-value is below this level."""

UNUSUAL = 0.99
"""A day is unusual if its energy is higher than on at least this share of the scored days."""


def monitor(root: Path, domain: str, as_of: date) -> dict[str, Any]:
    """Monitor the current model on the data of ``as_of``.

    Writes and returns ``runs/DOMAIN/monitor/DATE.json``; the page ``monitor.html`` shows the same content.

    ``breach`` means that the model should be refitted, because the outcomes since its fit contradict its
    forecasts. The test (``tasks.operations.change_detector``) has a false alarm in one of ``CALM`` years.
    Drift of inputs and days of unusual energy are reported but are not a breach: they occur in every crisis,
    and a model whose forecasts stay calibrated needs no refit. Data that violate the domain's expectation
    suite are a breach too, although a refit would not help. In that case ``schema`` has the message and
    nothing else is checked. ``new`` is true on the first day of a version's breach.

    Outcomes are stored in ``days.parquet`` with the forecast of the version that was current at the time, so
    that evidence accumulates over retrainings. After a breach, evidence is collected anew for the next
    version.
    """
    workspace = Workspace(root, domain)
    known = get_domain(workspace)
    params = load_params(root, domain)
    used = in_use(root, domain)
    folder = workspace.runs / "monitor"
    fitted = date.fromisoformat(read_json(used / "model" / "config.json")["as_of"])
    if as_of < fitted:
        raise BasinError(
            f"as_of {as_of}: the current model was fitted on data up to {fitted}; give a later date"
        )
    raw, _ = snapshot(workspace, as_of)
    found: dict[str, Any] = {"as_of": as_of.isoformat(), "version": used.name, "fitted": fitted.isoformat()}
    past = read_json(folder / "breaches.json") if (folder / "breaches.json").is_file() else []
    try:
        suite = read_suite(workspace.expectations)
        raw, _, _ = accepted(suite, raw, f"{domain} on {as_of}", folder / "data_docs")
    except BasinError as error:
        found |= {"schema": str(error), "breach": True, "reasons": ["schema"]}
        days = pd.DataFrame()
    else:
        if known.returns:
            stored = read_json(used / "model" / "classical.json")
            inputs, classical = known.forecast_frozen(raw, stored, since=raw["time"].min())
        else:
            inputs, classical = known.features(raw, params.features)
        first = inputs["lead"].min()
        inputs = inputs[inputs["lead"] == first].sort_values(["series", "time"], ignore_index=True)
        days = outcomes(used, inputs, classical, pd.Timestamp(fitted), folder)
        learned = inputs["time"] <= pd.Timestamp(fitted)
        found |= {"schema": "", "drift": drifts(inputs, learned, known.frequency, load_model(used / "model"))}
        scored = scored_days(used)
        found |= realised(days, {entry["version"] for entry in past})
        heights = [
            threshold(part["pit"].to_numpy(), PERIODS[known.frequency], CALM)
            for _, part in scored.groupby("series")
        ]
        found["threshold"] = max(heights)
        found["reasons"] = ["realised"] if found["detector"] >= found["threshold"] else []
        found["breach"] = bool(found["reasons"]) or any(entry["version"] == used.name for entry in past)
    found["new"] = bool(found["reasons"]) and all(entry["version"] != used.name for entry in past)
    if found["new"] and found["reasons"] != ["schema"]:
        past = [*past, {"as_of": found["as_of"], "version": used.name}]
    from tasks.operations.monitor_page import monitoring_page

    targets = (folder / f"{as_of}.json", folder / "breaches.json", folder / "monitor.html")
    with atomic_write(*targets) as (of_day, of_breaches, page):
        write_json(of_day, found)
        write_json(of_breaches, past)
        page.write_text(monitoring_page(known, found, days), encoding="utf-8")
    return found


def outcomes(
    used: Path, inputs: pd.DataFrame, classical: pd.DataFrame, fitted: pd.Timestamp, folder: Path
) -> pd.DataFrame:
    """Add new outcomes to ``days.parquet`` and return all outcomes since the first run (columns ``KEPT``).

    ``u`` is the conformal rank of ``pit``, and ``energy_share`` that of −log p, among the days on which the
    version was scored.
    """
    path = folder / "days.parquet"
    before = pd.read_parquet(path) if path.is_file() else None
    rows = inputs[inputs["target"].notna() & (inputs["time"] > fitted)]
    if before is not None:
        seen = before.groupby("series")["time"].max()
        rows = rows[rows["time"] > rows["series"].map(seen).fillna(fitted)]
    if rows.empty:
        return pd.DataFrame(columns=[*KEPT]) if before is None else before
    rows = rows.reset_index(drop=True)
    model = load_model(used / "model")
    base = model.base(classical, rows)
    target = torch.tensor(rows["target"].to_numpy())
    tilted = model.distribution(rows, base)
    plain = TiltedDistribution(base, untilted, FORECAST_PANELS)
    new = rows[["series", "time"]].assign(
        version=used.name,
        pit=tilted.cdf(target).numpy(),
        log_density=tilted.log_prob(target).numpy(),
        base=plain.log_prob(target).numpy(),
        u=0.5,
        energy_share=0.5,
    )
    scored = scored_days(used)
    for name, part in new.groupby("series"):
        of = scored[scored["series"] == name]
        new.loc[part.index, "u"] = conformal(of["pit"].to_numpy(), part["pit"].to_numpy())
        shares = conformal(-of["log_density"].to_numpy(), -part["log_density"].to_numpy())
        new.loc[part.index, "energy_share"] = shares
    days = new if before is None else pd.concat([before, new], ignore_index=True)
    days = days[list(KEPT)]
    with atomic_write(path) as (temporary,):
        days.to_parquet(temporary, index=False)
    return days


def scored_days(used: Path) -> pd.DataFrame:
    """Return ``series time pit log_density`` of a version's test block, at its shortest lead."""
    names = ["series", "time", "model", "lead", "pit", "log_density"]
    scored = pd.read_parquet(used / "forecasts.parquet", columns=names)
    ours = scored[(scored["model"] == "ebm") & (scored["lead"] == scored["lead"].min())]
    return ours.sort_values(["series", "time"], ignore_index=True)


KEPT = ("series", "time", "version", "pit", "log_density", "base", "u", "energy_share")


def realised(days: pd.DataFrame, breached: set[str]) -> dict[str, Any]:
    """Return coverage, scores, detector and last day's energy over the outcomes of versions not in breach."""
    counted = days[~days["version"].isin(breached)]
    path = detector_path(counted)
    last = counted[counted["time"] == counted["time"].max()]
    inside = {level: np.abs(counted["pit"] - 0.5) <= level / 2 for level in (0.5, 0.9)}
    return {
        "days": int(counted["time"].nunique()),
        "since": f"{counted['time'].min():%Y-%m-%d}" if len(counted) else None,
        "coverage": {str(level): float(hits.mean()) if len(hits) else None for level, hits in inside.items()},
        "gain_over_base": float((counted["log_density"] - counted["base"]).mean()) if len(counted) else None,
        "energy": {
            row["series"]: {
                "time": f"{row['time']:%Y-%m-%d}",
                "nats": -row["log_density"],
                "share_below": row["energy_share"],
                "unusual": bool(row["energy_share"] >= UNUSUAL),
            }
            for row in last.to_dict("records")
        },
        "detector": float(path.iloc[-1]) if len(path) else 0.0,
    }


def drifts(inputs: pd.DataFrame, learned: pd.Series, frequency: str, model: Any) -> list[dict[str, Any]]:
    """Test the model's inputs of each series for drift (``tasks.checks.drift``), if there are enough rows."""
    columns = [name for name in model.config.columns if inputs[name].nunique() > 1]
    tables = []
    for name, part in inputs.groupby("series"):
        recent = part[columns].tail(WINDOW[frequency])
        reference = part.loc[learned[part.index], columns].dropna().tail(REFERENCE[frequency])
        if len(recent.dropna()) == WINDOW[frequency] and len(reference) > 2 * WINDOW[frequency]:
            tables.append(drift(reference, recent).assign(series=name))
    if not tables:
        return []
    table = pd.concat(tables).rename_axis("column").reset_index()
    table["drifted"] = table["q"] < FALSE_DISCOVERIES
    return cast(list[dict[str, Any]], table.sort_values(["q", "psi_p"]).to_dict("records"))
