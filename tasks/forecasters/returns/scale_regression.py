"""Scale regression, a member of the base of returns: a skewed t with a linear model of its log scale.

The inputs of the log scale are volatilities, price ranges and shocks. The argument ``domain`` is a
:class:`tasks.forecasters.returns.features.Returns`. :class:`Columns` declares the part of it that is used
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from tasks.forecasters.returns import garch
from tasks.runtime.params import FeatureParams

WINDOWS = (1, 5, 22, 66)
"""Numbers of rows over which volatility measures are averaged: a day, a week, a month and a quarter."""

SHOCK_INPUTS = ("z", "z_minus", "z_5")
"""Standardised recent returns among the inputs of the log scale, to which volatilities react only later."""

LOC_INPUTS = ("z", "z_5", "z_22")
"""Inputs of the location: standardised returns of a day, a week and a month."""

FLOOR = 0.05
"""Quantile of its past at which a log volatility is clipped from below.

In a calm market all volatility measures can be very low at once, and a linear model would extrapolate.
"""

SHOCK = 3.0
"""Bound of standardised shocks, in standard deviations."""

VOLATILITIES = {"egarch": "egarch-skewt", "gjr": "gjr-skewt"}
"""Inputs that are log volatilities, and their models."""

PRIOR_SCALE = dict.fromkeys(VOLATILITIES, 0.5)
"""Coefficients to which the log scale is shrunk. They make it the mean of the two log volatilities."""

PENALTY_LOC, PENALTY_SCALE = 200.0, 20.0
"""Ridge penalties of the location and of the log scale, chosen on 2008-2013."""

REGRESSIONS = {"scale-regression": None, "recent-scale-regression": 500}
"""Scale regressions, with the number of rows before a refit to which each is fitted (None for all).

The one on two years adapts to recent changes. On dates before 2008 it raised the log score of the pool by
.004 to .006 nats in every market.
"""


class Columns(Protocol):
    """Part of a domain of returns that describes the columns of its raw table."""

    kind: str
    frequency: str
    ohlc: bool
    exog: tuple[str, ...]
    logged: tuple[str, ...]

    @property
    def volatilities(self) -> tuple[str, ...]:
        """Volatility models that are fitted."""
        ...

    def steps(self, group: pd.DataFrame) -> np.ndarray:
        """Return the adjusted target of each row except the last."""
        ...

    def widths(self, group: pd.DataFrame) -> np.ndarray:
        """Return the size of the move after each row relative to that of all moves."""
        ...

    def keys(self, name: str, group: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        """Return ``series``, ``origin``, ``lead``, ``time`` and ``target`` for the origins ``rows``."""
        ...

    def energy_inputs(self, table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs of the energy at the rows of ``base``."""
        ...


def first_base(params: FeatureParams) -> int:
    """Return the row of the first base, the first refit with ``min_rows`` earlier volatility forecasts."""
    return params.min_rows + 1 + params.refit * -(-params.min_rows // params.refit)


def walk_forward(model: str, returns: np.ndarray, params: FeatureParams) -> pd.DataFrame:
    """Return the forecasts of one model for one series, with a refit every ``params.refit`` rows.

    ``row`` is the origin's row of the raw table.
    """
    first = params.min_rows
    parts = [
        garch.one_step(model, returns, at, min(at + params.refit, len(returns)))
        for at in range(first, len(returns), params.refit)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(row=table["row"] + 1)


def measures(domain: Columns, group: pd.DataFrame, models: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the inputs of the base and the inputs ``x_*`` of the energy for each row of the raw table.

    They use only this row and earlier rows.
    """
    returns = pd.Series(np.concatenate([[np.nan], domain.steps(group)]), index=group.index)
    table = pd.DataFrame(index=group.index)
    for name, model in VOLATILITIES.items():
        table[name] = np.log(models[model].set_index("row")["scale"]).reindex(group.index)
    realised = [("rms", returns**2, 0.02)]
    if domain.ohlc:
        log = {c: 100 * np.log(group[c]) for c in ("open", "high", "low", "close")}
        spread = log["high"] - log["low"]
        # Garman and Klass (1980), plus the overnight return, which the range of a day does not contain.
        intraday = 0.5 * spread**2 - (2 * np.log(2) - 1) * (log["close"] - log["open"]) ** 2
        garman_klass = intraday.clip(lower=0) + (log["open"] - log["close"].shift()) ** 2
        realised += [("gk", garman_klass, 0.005), ("pk", spread**2 / (4 * np.log(2)), 0.005)]
    for name, measure, floor in realised:
        for window in WINDOWS:
            # Each window is summed by itself, because a running sum would make its last digits depend on
            # earlier rows.
            mean = _window_mean(measure.to_numpy(), window)
            table[f"{name}{window}"] = 0.5 * np.log(mean + floor)
    z = returns / np.exp(table["egarch"].shift())
    # Shocks of a day, a week and a month in their own standard deviations. They are bounded, so that one rare
    # sequence of days has a limited effect on the linear base.
    for name, window in (("z", 1), ("z_5", 5), ("z_22", 22)):
        shock = pd.Series(np.sqrt(window) * _window_mean(z.to_numpy(), window)).clip(-SHOCK, SHOCK)
        table[name] = table[f"x_{name}"] = shock
    table["z_minus"], table["x_z_previous"] = table["z"].clip(upper=0), table["z"].shift()
    table["x_log_egarch"], table["usual_egarch"] = table["egarch"], table["egarch"].expanding().mean()
    for name in ("rms5", "rms22", "rms66", *(("gk1", "gk5", "pk22") if domain.ohlc else ())):
        table[f"x_{name}_to_egarch"] = table[name] - table["egarch"]
    for column in domain.exog:
        value = np.log(group[column]) if column in domain.logged else group[column]
        table[f"exog_{column}"] = table[f"x_{column}"] = value
        table[f"exog_{column}_5"] = table[f"x_{column}_5"] = value - value.shift(5)
    return table


def scale_inputs(domain: Columns) -> tuple[str, ...]:
    """Return the names of the inputs of the log scale, all of which are known at the origin."""
    realised = ("rms", "gk", "pk") if domain.ohlc else ("rms",)
    return (
        "egarch",
        "gjr",
        *(f"{m}{k}" for m in realised for k in WINDOWS),
        *SHOCK_INPUTS,
        *(f"exog_{column}{change}" for column in domain.exog for change in ("", "_5")),
    )


def _window_mean(values: np.ndarray, window: int) -> np.ndarray:
    mean = np.full(len(values), np.nan)
    mean[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    return mean


@dataclass(frozen=True)
class ScaleRegression:
    """Scale regression fitted at one date: its coefficients and the bounds of its inputs.

    ``floors`` holds the lower bound of each volatility, and ``exog`` the past mean and standard deviation by
    which each exogenous input is standardised. Standardised inputs are bounded in the same way as shocks.
    """

    gamma: tuple[float, ...]
    beta: tuple[float, ...]
    eta: float
    lam: float
    floors: dict[str, float]
    exog: dict[str, tuple[float, float]]

    def rows(self, table: pd.DataFrame, names: Sequence[str], rows: slice) -> pd.DataFrame:
        """Return the forecasts from the origins ``rows``: ``row``, ``loc``, ``scale``, ``eta``, ``lam``."""
        from ebm_core.tilts.regression import SkewTRegression

        fit = SkewTRegression(np.array(self.gamma), np.array(self.beta), self.eta, self.lam)
        bounded = bound(table[list(names)], self.floors, self.exog)
        ones = np.ones((len(table), 1))
        x_loc = np.hstack([ones, table[list(LOC_INPUTS)].to_numpy()])
        loc, scale = fit.location_and_scale(x_loc[rows], np.hstack([ones, bounded])[rows])
        at = np.arange(len(table))[rows]
        return pd.DataFrame({"row": at, "loc": loc, "scale": scale, "eta": self.eta, "lam": self.lam})


def bound(inputs: pd.DataFrame, floors: dict[str, float], exog: dict[str, tuple[float, float]]) -> np.ndarray:
    """Return the inputs of the log scale, with volatilities bounded below and other inputs standardised."""
    bounded = inputs.copy()
    for name, floor in floors.items():
        bounded[name] = bounded[name].clip(lower=floor)
    for name, (mean, spread) in exog.items():
        bounded[name] = ((bounded[name] - mean) / spread).clip(-SHOCK, SHOCK)
    return bounded.to_numpy()


def fit_scale(
    domain: Columns, table: pd.DataFrame, target: np.ndarray, at: int, window: int | None
) -> ScaleRegression:
    """Fit a scale regression to the targets that are known at row ``at`` of ``table``.

    Only the last ``window`` rows are used, or all if ``window`` is None.
    """
    from ebm_core.tilts.regression import fit_skewt_regression

    names = scale_inputs(domain)
    fitted = table[[*names, *LOC_INPUTS]].notna().all(axis=1).to_numpy().copy()
    fitted[at:] = False
    if window is not None:
        fitted[: max(0, at - window)] = False
    past = table.loc[fitted, list(names)]
    exogenous = [name for name in names if name.startswith("exog_")]
    floors = {
        name: float(past[name].quantile(FLOOR))
        for name in names
        if name not in SHOCK_INPUTS and name not in exogenous
    }
    exog = {name: (float(past[name].mean()), max(float(past[name].std()), 1e-12)) for name in exogenous}
    ones = np.ones((len(table), 1))
    x_loc = np.hstack([ones, table[list(LOC_INPUTS)].to_numpy()])
    x_scale = np.hstack([ones, bound(table[list(names)], floors, exog)])
    fit = fit_skewt_regression(
        target[fitted],
        x_loc[fitted],
        x_scale[fitted],
        prior_gamma=np.zeros(x_loc.shape[1]),
        prior_beta=np.array([0.0, *(PRIOR_SCALE.get(name, 0.0) for name in names)]),
        penalty_loc=PENALTY_LOC,
        penalty_scale=PENALTY_SCALE,
    )
    return ScaleRegression(
        tuple(fit.gamma.tolist()), tuple(fit.beta.tolist()), fit.eta, fit.lam, floors, exog
    )


def base_forecasts(
    domain: Columns,
    group: pd.DataFrame,
    models: dict[str, pd.DataFrame],
    params: FeatureParams,
    start: pd.Timestamp | None,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return the measures and the forecasts of each scale regression, refitted every ``params.refit`` rows.

    A forecast table has columns ``row``, ``loc``, ``scale``, ``eta`` and ``lam``. A refit at row r uses
    targets up to row r.
    """
    names, table = scale_inputs(domain), measures(domain, group, models)
    target = np.append(domain.steps(group), np.nan)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in REGRESSIONS}
    for at in range(first_base(params), len(group), params.refit):
        until = min(at + params.refit, len(group))
        if start is not None and group["time"].iloc[until - 1] < start:
            continue
        for name, window in REGRESSIONS.items():
            fit = fit_scale(domain, table, target, at, window)
            parts[name].append(fit.rows(table, names, slice(at, until)))
    regressions = {name: pd.concat(part, ignore_index=True) for name, part in parts.items()}
    if start is not None:
        kept = group["time"].iloc[regressions["scale-regression"]["row"]].to_numpy() >= start
        regressions = {name: rows[kept].reset_index(drop=True) for name, rows in regressions.items()}
    return table, regressions


def scaled(forecasts: pd.DataFrame, width: np.ndarray) -> pd.DataFrame:
    """Return forecasts of adjusted moves as forecasts of moves of the given widths."""
    return forecasts.assign(loc=forecasts["loc"] * width, scale=forecasts["scale"] * width)
