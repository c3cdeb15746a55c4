"""Daily forecast: the current model applied to new data, without refitting and without DVC."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.checks.suites import accepted, read_suite
from tasks.domains import get_domain
from tasks.operations.registry import in_use
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, write_json
from tasks.runtime.params import load_params
from tasks.runtime.workspace import Workspace
from tasks.scoring.describe import steps_ahead
from tasks.sources.snapshot import snapshot
from tasks.tilts.stored import load_tilt

UNUSUAL = 0.95
"""A day is an alarm if its 5 % quantile is lower than on at least this share of the scored days."""


def daily_forecast(root: Path, domain: str, as_of: date) -> dict[str, Any]:
    """Forecast from the data published by ``as_of``; write and return ``runs/DOMAIN/daily/DATE.json``.

    The model is the current version (``tasks.operations.registry``). Classical models of returns keep their
    stored parameters; those of levels are refitted only on the schedule of ``features.refit``. No DVC output
    changes. Data that violate the domain's expectation suite are refused, as in the stage `validate`. For
    returns, ``risk`` compares the 5 % quantile with those of the scored days, and ``alarm`` is true if it is
    lower than on the share ``UNUSUAL`` of them.
    """
    workspace = Workspace(root, domain)
    params = load_params(root, domain)
    known = get_domain(workspace)
    used = in_use(root, domain)
    fitted = date.fromisoformat(read_json(used / "model" / "config.json")["as_of"])
    if as_of < fitted:
        raise BasinError(
            f"as_of {as_of}: the current model was fitted on data up to {fitted}; give a later date"
        )
    raw, _ = snapshot(workspace, as_of)
    daily = workspace.runs / "daily"
    suite = read_suite(workspace.expectations)
    raw, _, _ = accepted(suite, raw, f"{domain} on {as_of}", daily / "data_docs")
    model = load_tilt(used / "model")
    if known.returns:
        stored = read_json(used / "model" / "classical.json")
        inputs, classical = known.forecast_frozen(raw, stored)
    else:
        inputs, classical = known.features(raw, params.features, start=raw["time"].max())
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    rows = inputs[(inputs["origin"] == last) & inputs["target"].isna()].reset_index(drop=True)
    series = steps_ahead(model, rows, classical, params.forecast.events, returns=known.returns)
    if known.returns:
        scored = pd.read_parquet(used / "forecasts.parquet", columns=["series", "model", "q0.05"])
        for name, part in series.items():
            part["risk"] = _risk(scored[scored["series"] == name], part["steps"][0])
            part["alarm"] = part["risk"]["unusual"] >= UNUSUAL
    found = {"as_of": as_of.isoformat(), "version": used.name, "unit": known.unit, "series": series}
    with atomic_write(daily / f"{as_of}.json") as (path,):
        write_json(path, found)
    return found


def _risk(scored: pd.DataFrame, step: dict[str, Any]) -> dict[str, float]:
    """Return the 5 % quantile of the forecast and the share of scored days whose 5 % quantile was higher."""
    lower = step["quantiles"]["0.05"]
    past = scored.loc[scored["model"] == "ebm", "q0.05"].to_numpy()
    return {"q0.05": lower, "unusual": float(np.mean(past > lower))}
