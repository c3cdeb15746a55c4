"""Stage ``evaluate``: score all models on the same dates of the test block."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.tilted import TiltedDistribution, untilted
from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, without_nan, write_json
from tasks.runtime.folds import in_fold
from tasks.runtime.parallel import Progress, run_units, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.scoring.categories import Past
from tasks.scoring.predictive import TAIL_LEVELS, Predictive, from_mixture, from_sample, from_tilted
from tasks.scoring.summary import headline, plot_tables, summarise
from tasks.scoring.value_at_risk import recalibrated_levels
from tasks.sources.quarantine import valid
from tasks.tilts.config import FORECAST_PANELS, model_rows, standardised
from tasks.tilts.fits import load_fold, load_network, prior_weights, read_folds
from tasks.tilts.model import skewt


def evaluate(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Score the test block of ``params.split``.

    Writes ``scores.json`` and ``forecasts.parquet``, and for DVC ``metrics.json`` and ``plots/``. Raises
    ``BasinError`` if the test block has no rows with outcomes.
    """
    domain = get_domain(workspace)
    inputs = pd.read_parquet(workspace.inputs)
    first, last = pd.Timestamp(params.split.test_from), pd.Timestamp(params.split.test_to)
    inside = (inputs["time"] >= first) & (inputs["time"] < last + pd.Timedelta(days=1))
    rows = inputs[inside & inputs["target"].notna()]
    if rows.empty:
        raise BasinError(
            f"no rows with targets from {first:%Y-%m-%d} to {last:%Y-%m-%d}; the data end on "
            f"{inputs['origin'].max():%Y-%m-%d}; correct `{workspace.domain}.split` in params.yaml"
        )
    forecasts, errors = forecast_rows(workspace, domain, rows, progress)
    past = None if domain.returns else Past(inputs, first, domain.frequency)
    scores = summarise(domain, forecasts, past, params.forecast.events)
    scores["latest"] = latest(workspace, domain, inputs)
    listed = read_folds(workspace.fits)
    scores["normaliser_error"] = max(errors)
    scores["chosen"] = {
        "base": domain.base,
        "capacity": {entry["fold"]: entry["capacity"] for entry in listed},
        "weights": {entry["fold"]: entry["weights"] for entry in listed},
        "pool": {entry["fold"]: entry["pool"] for entry in listed},
        "prior": {entry["fold"]: prior_weights(entry["tilt"]) for entry in listed},
    }
    scores = without_nan(scores)
    kept = [c for c in forecasts.columns if domain.returns or not c.startswith(("var_", "shortfall_"))]
    files = (workspace.scores, workspace.forecasts, workspace.metrics, workspace.plots)
    with atomic_write(*files) as (of_scores, of_forecasts, of_metrics, of_plots):
        write_json(of_scores, scores)
        forecasts[kept].to_parquet(of_forecasts, index=False)
        write_json(of_metrics, headline(scores))
        of_plots.mkdir()
        for name, table in plot_tables(forecasts).items():
            table.to_csv(of_plots / f"{name}.csv", index=False, float_format="%.6g")
    return {"n": scores["n"], "normaliser_error": scores["normaliser_error"]}


LATEST = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Levels of the quantiles of each model's latest forecast."""


def latest(workspace: Workspace, domain: Any, inputs: pd.DataFrame) -> dict[str, Any]:
    """Return every model's forecast from the last origin of each series, by series, lead and model.

    Only targets that are not known yet are forecast.
    """
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    rows = inputs[(inputs["origin"] == last) & inputs["target"].isna()].reset_index(drop=True)
    if rows.empty:
        return {}
    classical, raw = pd.read_parquet(workspace.classical), valid(workspace.raw, workspace.quarantine)
    final = read_folds(workspace.fits)[-1]
    history, unknown = (raw, classical), rows.assign(target=0.0)
    table, _ = _score_fold(workspace.fits, final, domain, unknown, classical, history, None)
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        quantiles = {f"{level:.2f}": row[f"q{level:.2f}"] for level in LATEST}
        at_lead = found.setdefault(str(row["series"]), {}).setdefault(str(row["lead"]), {})
        at_lead[row["model"]] = {"mean": row["mean"], "quantiles": quantiles}
    return found


def forecast_rows(
    workspace: Workspace, domain: Any, rows: pd.DataFrame, progress: Progress = silent
) -> tuple[pd.DataFrame, list[float]]:
    """Return a table with every model's forecast of ``rows``, and the normaliser error by fold in nats."""
    classical, raw = pd.read_parquet(workspace.classical), valid(workspace.raw, workspace.quarantine)
    listed = read_folds(workspace.fits)
    covered = pd.concat([in_fold(entry, rows["origin"]) for entry in listed], axis=1).any(axis=1)
    without = rows[~covered]
    if len(without):
        raise BasinError(
            f"no fold covers the origin {without['origin'].min():%Y-%m-%d} ({len(without)} rows of the test "
            f"block, lead {int(without['lead'].max())}); in params.yaml set split.walk_from earlier or "
            "split.test_from later"
        )
    tails = _tails(workspace, classical, rows, progress) if domain.returns else None
    units = []
    for entry in listed:
        inside = in_fold(entry, rows["origin"])
        if inside.any():
            chosen = rows[inside].reset_index(drop=True)
            known = classical[in_fold(entry, classical["origin"])]
            levels = None if tails is None else tails[inside.to_numpy()]
            units.append((workspace.fits, entry, domain, chosen, known, (raw, classical), levels))
    results = run_units(_score_fold, units, "forecasts of the test block", progress)
    order = ["ebm", "base", *domain.peers]
    table = pd.concat([t for t, _ in results], ignore_index=True)
    table["model"] = pd.Categorical(table["model"], categories=order, ordered=True)
    table = table.sort_values(["model", "series", "lead", "time"], ignore_index=True).astype({"model": str})
    return table, [error for _, error in results]


def _tails(
    workspace: Workspace, classical: pd.DataFrame, rows: pd.DataFrame, progress: Progress
) -> np.ndarray:
    """Return recalibrated levels of value at risk for ``rows``, from the model's earlier forecasts."""
    inputs = pd.read_parquet(workspace.inputs)
    past = inputs[inputs["target"].notna() & (inputs["time"] <= rows["time"].max())]
    parts = [(entry, past[in_fold(entry, past["origin"])]) for entry in read_folds(workspace.fits)]
    units = [
        (workspace.fits, entry["fold"], part, classical[in_fold(entry, classical["origin"])])
        for entry, part in parts
        if len(part)
    ]
    known = pd.concat(run_units(_pit, units, "calibration so far", progress)).sort_values("time")
    levels = pd.DataFrame(0.0, index=rows.index, columns=list(TAIL_LEVELS))
    for (series, lead), part in rows.groupby(["series", "lead"], sort=False):
        of = known[(known["series"] == series) & (known["lead"] == lead)]
        # A forecast may use only earlier forecasts whose outcome was known at its origin.
        count = np.searchsorted(of["time"].to_numpy(), of["origin"].to_numpy(), side="right")
        found = pd.DataFrame(recalibrated_levels(of["pit"].to_numpy(), TAIL_LEVELS, count), index=of.index)
        levels.loc[part.index] = found.loc[part.index].to_numpy()
    return levels.to_numpy()


def _pit(fits: Path, fold: str, rows: pd.DataFrame, classical: pd.DataFrame) -> pd.DataFrame:
    """Return the keys of ``rows`` with the PIT of the model's forecasts in one fold."""
    model = load_fold(fits, fold)
    distribution = model.distribution(rows, model.base(classical, rows))
    pit = distribution.cdf(torch.tensor(rows["target"].to_numpy())).numpy()
    return rows[["series", "origin", "lead", "time"]].assign(pit=pit)


def _score_fold(
    fits: Path,
    entry: dict[str, Any],
    domain: Any,
    rows: pd.DataFrame,
    classical: pd.DataFrame,
    history: tuple[pd.DataFrame, pd.DataFrame],
    tails: np.ndarray | None,
) -> tuple[pd.DataFrame, float]:
    """Forecast the rows of one fold with all models; also return the normaliser error in nats.

    ``classical`` are the classical forecasts of the fold, and ``history`` the raw and the classical table of
    all dates. ``tails`` are the levels of the energy model's value at risk.
    """
    observed = rows["target"].to_numpy()
    model = load_fold(fits, entry["fold"])
    base = model.base(classical, rows)
    tilted = model.distribution(rows, base)
    parts = {
        "ebm": from_tilted(tilted, observed, tails),
        "base": from_tilted(TiltedDistribution(base, untilted, FORECAST_PANELS), observed),
    }
    parametric = set(classical["model"])
    for peer in domain.peers:
        if peer in parametric:
            density = TiltedDistribution(skewt(model_rows(classical, peer, rows)), untilted, FORECAST_PANELS)
            parts[peer] = from_tilted(density, observed)
        elif peer == "mdn":
            parts[peer] = _mdn(fits, entry, rows, observed)
        else:
            parts[peer] = from_sample(domain.empirical(rows, *history, peer), observed)
    table = pd.concat([p.table(rows, name) for name, p in parts.items()], ignore_index=True)
    return table, tilted.log_z_error


def _mdn(fits: Path, entry: dict[str, Any], rows: pd.DataFrame, observed: np.ndarray) -> Predictive:
    config, network = entry["mdn"], load_network(fits, entry)
    x = standardised(rows, config["columns"], config["center"], config["spread"])
    return from_mixture(
        network, torch.from_numpy(x).float(), config["target_center"], config["target_spread"], observed
    )
