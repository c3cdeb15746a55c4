"""Entries of `forecast.json` that follow from the user's file: history, prices, and the classical fits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting.labels import model_name
from tasks.runtime.files import read_json
from tasks.runtime.frequencies import stamp

HISTORY = 120
"""Number of latest values of each series in `forecast.json`."""


def with_file(
    found: dict[str, Any], kind: str, freq: str, table: pd.DataFrame, fits: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the content of `forecast.json` with what is known from the file and the fits.

    ``table`` has the columns ``series``, ``time`` and ``close``, or ``value`` of a level. Each series gets
    its latest values as ``history`` and, if there are any, the ``fits`` of its classical models. Each step of
    a price or a rate gets the quantiles of the ``value`` itself beside those of the change.
    """
    column = "value" if kind == "level" else "close"
    series = {}
    for name, part in found["series"].items():
        known = table["time"].dt.floor("min") <= pd.Timestamp(part["origin"])  # which has no seconds
        rows = table[known & (table["series"].astype(str) == str(name))].tail(HISTORY)
        history = {"time": [stamp(time, freq) for time in rows["time"]], "value": rows[column].tolist()}
        steps = [_with_value(step, kind, history["value"][-1]) for step in part["steps"]]
        fitted = {"fits": fits[name]} if name in fits else {}
        series[name] = {**part, "steps": steps, **fitted, "history": history}
    return {
        "kind": kind,
        "frequency": freq,
        **{k: v for k, v in found.items() if k != "series"},
        "series": series,
    }


def _with_value(step: dict[str, Any], kind: str, origin: float) -> dict[str, Any]:
    if kind not in ("price", "rate"):
        return step
    values = moved_by(kind, origin, np.array(list(step["quantiles"].values())))
    quantiles = dict(zip(step["quantiles"], values.tolist(), strict=True))
    value = {"quantiles": quantiles, "interval_90": [quantiles["0.05"], quantiles["0.95"]]}
    return {**step, "value": value}


def moved_by(kind: str, origin: float | np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the value after a change from ``origin``: 100·Δlog of a price, the difference of a rate."""
    moved: np.ndarray = origin * np.exp(change / 100) if kind == "price" else origin + change
    return moved


def fits_of(model: Path) -> dict[str, dict[str, Any]]:
    """Return the classical fits of each series that a model of returns in a folder was fitted to."""
    from tasks.forecasters.returns.frozen import classical_fits

    path = model / "classical.json"
    if not path.is_file():
        return {}
    stored = read_json(path)
    return {series: classical_fits(stored, series) for series in stored["series"]}


def not_converged(fits: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence for each volatility model whose last fit did not converge."""
    models: dict[str, list[str]] = {}
    for series, each in fits.items():
        for model, fit in each.items():
            if fit.get("converged") is False:
                models.setdefault(model, []).append(series)
    return [
        f"the last fit of {model_name(model)} did not converge for {_named(series)}; the best parameters "
        "found are used"
        for model, series in models.items()
    ]


def _named(series: list[str]) -> str:
    return series[0] if len(series) == 1 else f"{len(series)} series, such as {series[0]}"
