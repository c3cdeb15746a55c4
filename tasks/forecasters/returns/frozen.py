"""Classical models of returns with stored parameters, which forecast later rows without a refit."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tasks.forecasters.returns import garch
from tasks.forecasters.returns.scale_regression import (
    LOC_INPUTS,
    REGRESSIONS,
    SHOCK_INPUTS,
    VOLATILITIES,
    Columns,
    ScaleRegression,
    first_base,
    fit_scale,
    measures,
    scale_inputs,
    scaled,
    walk_forward,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams

NEEDED = 100
"""Number of rows of history required at an origin, which is more than any input uses."""

ROUNDING = 1e-4
"""Difference of equal returns in standard deviations, which prices with 32 bits or few decimals may have."""


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]  # threadpoolctl has no types
def frozen_parameters(
    domain: Columns, raw: pd.DataFrame, classical: pd.DataFrame, params: FeatureParams
) -> dict[str, Any]:
    """Fit the classical models at the last refit date and return the content of ``classical.json``.

    ``classical`` holds the walk-forward forecasts, which are inputs of the scale regressions. Beside the
    parameters, by series, the content has what is known of the fits (see :func:`classical_fits`) and the
    ``past`` (see :func:`_past_of`). The fit uses one thread, because its last digits, and so the hash of the
    model, depend on the number of threads.
    """
    frozen, known_of, past_of = {}, {}, {}
    for name, group in raw.groupby("series", sort=False):
        group = group.reset_index(drop=True)
        returns = domain.steps(group)
        at = range(params.min_rows, len(returns), params.refit)[-1]
        estimates = {model: garch.estimate(model, returns[: at + 1]) for model in domain.volatilities}
        fitted = {model: estimates[model].pop("params") for model in domain.volatilities}
        past = classical[classical["series"] == name]
        rows = group.index[pd.Index(group["time"]).get_indexer(past["origin"])]
        past = scaled(past.assign(row=rows), 1 / domain.widths(group)[rows])
        known = {str(model): part for model, part in past.groupby("model")}
        # The table starts at the first base, but the scale regression was fitted to earlier rows as well.
        for model in domain.volatilities:
            early = walk_forward(model, returns[: first_base(params) - 1], params)
            known[model] = pd.concat([early, known[model]]).drop_duplicates("row", keep="last")
        table = measures(domain, group, known)
        target = np.append(returns, np.nan)
        last = range(first_base(params), len(group), params.refit)[-1]
        scales = {
            model: asdict(fit_scale(domain, table, target, last, window))
            for model, window in REGRESSIONS.items()
        }
        frozen[str(name)], known_of[str(name)] = {**fitted, **scales}, estimates
        past_of[str(name)] = _past_of(table, group["time"], returns)
    return {"inputs": inputs_of(domain), "series": frozen, "fits": known_of, "past": past_of}


def _past_of(table: pd.DataFrame, time: pd.Series, returns: np.ndarray) -> dict[str, Any]:
    """Return the last ``NEEDED`` rows with their returns and log volatilities, and the mean of all of EGARCH.

    The volatilities are the walk-forward forecasts, made with the parameters of their time, and are inputs of
    later rows.
    """
    known = np.flatnonzero(table["egarch"].notna())
    last = known[-NEEDED:]
    return {
        "times": [each.isoformat() for each in time.iloc[last]],
        "returns": returns[last - 1].tolist(),
        **{name: table[name].iloc[last].tolist() for name in VOLATILITIES},
        "rows": len(known),
        "mean": float(table["egarch"].mean()),
    }


def classical_fits(stored: dict[str, Any], series: str) -> dict[str, dict[str, Any]]:
    """Return the classical fits of a series from the content of ``classical.json``.

    For each model they are its ``params`` by name and, for a volatility model, ``std_errors``, ``converged``
    and ``log_likelihood``, as in :func:`tasks.forecasters.returns.garch.estimate`.
    """
    fits, known = {}, stored.get("fits", {}).get(series, {})
    for model, params in stored["series"][series].items():
        if model not in REGRESSIONS:
            fits[model] = {"params": params, **known.get(model, {})}
            continue
        exog = [f"exog_{column}{change}" for column in stored["inputs"]["exog"] for change in ("", "_5")]
        floors = params["floors"]
        names = [*(n for n in floors), *SHOCK_INPUTS, *exog]
        fits[model] = {
            "params": {
                **_named("location", LOC_INPUTS, params["gamma"]),
                **_named("log scale", names, params["beta"]),
                "eta": params["eta"],
                "lambda": params["lam"],
            }
        }
    return fits


def _named(part: str, inputs: Sequence[str], coefficients: Sequence[float]) -> dict[str, float]:
    """Return coefficients by name, of which the first is the constant."""
    return {f"{part}: {name}": value for name, value in zip(("constant", *inputs), coefficients, strict=True)}


def inputs_of(domain: Columns) -> dict[str, Any]:
    """Return the properties that a file must have for the models of :func:`frozen_parameters` to apply."""
    return {
        "kind": domain.kind,
        "frequency": domain.frequency,
        "range": domain.ohlc,
        "exog": list(domain.exog),
        "logged": list(domain.logged),
    }


def forecast_frozen(
    domain: Columns, raw: pd.DataFrame, stored: dict[str, Any], since: pd.Timestamp | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``(inputs, classical)``, as in ``Domain``, for the last origin of each series, without a refit.

    ``stored`` is the content of ``classical.json``. With ``since`` they are returned for every origin from
    that date on that has ``NEEDED`` rows of history.
    Raises ``BasinError`` for a series that was not in the fit, or one that is too short.
    """
    if any("returns" not in stored.get("past", {}).get(name, {}) for name in stored["series"]):
        raise BasinError("the model was stored by an earlier version of Basin; fit it again")
    frozen, inputs, classical = stored["series"], [], []
    for series, group in raw.groupby("series", sort=False):
        name = str(series)
        if name not in frozen:
            raise BasinError(
                f"the model knows no series {name}; expected one of {', '.join(frozen)}; fit a model to it"
            )
        if len(group) < NEEDED:
            raise BasinError(
                f"{name}: {len(group)} rows, expected at least {NEEDED} for the inputs; give a longer history"
            )
        group = group.reset_index(drop=True)
        kept = dict(frozen[name])
        scales = {model: ScaleRegression(**kept.pop(model)) for model in REGRESSIONS}
        returns, past = domain.steps(group), stored["past"][name]
        same = _unrevised(past, group["time"], returns)
        filtered = _filtered(kept, returns, past, group["time"], same)
        table = measures(domain, group, filtered)
        if same == len(past["times"]):
            usual = _usual(table["egarch"], past, group["time"])
            table["usual_egarch"] = usual.fillna(table["usual_egarch"])
        last = len(group) - 1
        first = last if since is None else max(int(group["time"].searchsorted(since)), NEEDED - 1)
        at, names = slice(first, last + 1), scale_inputs(domain)
        regressions = {model: scale.rows(table, names, at) for model, scale in scales.items()}
        base = regressions["scale-regression"]
        keys = domain.keys(name, group, np.arange(first, last + 1))
        inputs.append(pd.concat([keys, domain.energy_inputs(table, base)], axis=1))
        for model, rows in {**regressions, **filtered}.items():
            chosen = rows.set_index("row").loc[first:last].reset_index(drop=True)
            chosen = scaled(chosen, domain.widths(group)[first : last + 1])
            classical.append(
                pd.concat([keys[["series", "origin", "lead"]].assign(model=model), chosen], axis=1)
            )
    return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)


def _unrevised(past: dict[str, Any], time: pd.Series, returns: np.ndarray) -> int:
    """Return the number of rows of the ``past`` before the first whose return is another one in the data."""
    at = pd.Index(time).get_indexer(pd.DatetimeIndex(past["times"]))
    were = np.array(past["returns"])
    now = np.where(at > 0, returns[at - 1], were)
    other = ~np.isclose(now, were, rtol=ROUNDING, atol=ROUNDING * were.std())
    return int(other.argmax()) if other.any() else len(were)


def _filtered(
    fitted: dict[str, dict[str, float]], returns: np.ndarray, past: dict[str, Any], time: pd.Series, same: int
) -> dict[str, pd.DataFrame]:
    """Return forecasts from every row with given parameters.

    Volatilities of the ``same`` first rows of the ``past`` are as they were. ``row`` is the origin's row of
    the raw table.
    """
    tables = {}
    for model, params in fitted.items():
        table = garch.forecasts(model, params, returns, 0)
        tables[model] = table.assign(row=table["row"] + 1)
    for name, model in VOLATILITIES.items():
        were = pd.Series(np.exp(past[name][:same]), pd.DatetimeIndex(past["times"][:same]))
        then = pd.Series(were.reindex(time.iloc[tables[model]["row"]]).to_numpy(), tables[model].index)
        tables[model]["scale"] = then.fillna(tables[model]["scale"])
    return tables


def _usual(egarch: pd.Series, past: dict[str, Any], time: pd.Series) -> pd.Series:
    """Return the mean log volatility of the ``past`` together with the rows after it, at its end and later.

    It is NaN at earlier rows, where the end was not yet known.
    """
    end = pd.Timestamp(past["times"][-1])
    rows = past["rows"] + (time > end).cumsum()
    usual = (past["rows"] * past["mean"] + egarch.where(time > end, 0).cumsum()) / rows
    return usual.where(time >= end)
