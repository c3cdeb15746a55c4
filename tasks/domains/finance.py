"""Finance: one-day-ahead densities of stock-index returns from daily open, high, low, close."""

from typing import Any

import numpy as np
import pandas as pd

from tasks import volatility
from tasks.domains import require_columns
from tasks.errors import BasinError
from tasks.parallel import Progress, run_units, silent
from tasks.params import FeatureParams

WINDOWS = (1, 5, 22, 66)
"""Rows over which realised measures are averaged: a day, a week, a month, a quarter."""

SCALE_INPUTS = (
    "egarch",
    "gjr",
    *(f"{m}{k}" for m in ("rms", "gk", "pk") for k in WINDOWS),
    "z",
    "z_minus",
    "z_5",
)
"""Inputs of the base's log scale, all known at the origin."""

LOC_INPUTS = ("z", "z_5", "z_22")
"""Inputs of the base's location."""

LEVEL_INPUTS = tuple(name for name in SCALE_INPUTS if not name.startswith("z"))
"""Inputs that are log volatilities themselves."""

FLOOR = 0.05
"""Quantile of its past below which a log volatility counts no further: a calm rise can starve every
measure of range at once, and the base must not follow a straight line out of what it has seen."""

SHOCK = 3.0
"""Bound of standardised shocks, in standard deviations."""

PRIOR_SCALE = {"egarch": 0.5, "gjr": 0.5}
"""Before data speak, the base's log scale is the mean of the two log volatilities."""

PENALTY_LOC, PENALTY_SCALE = 200.0, 20.0
"""Ridge penalties of the base, chosen on 2008-2013."""


class Finance:
    """S&P 500 and NASDAQ daily, 1999-2018, shipped with the package ``arch``."""

    name = "finance"
    title = "S&P 500 and NASDAQ: tomorrow's return"
    question = (
        "After the close of each trading day: how will the index move until the next close? The answer is a "
        "whole probability distribution of the return, so that it also says how likely a fall of 3 % is. "
        "An energy-based model tilts the strongest classical forecast; both are judged, beside the models "
        "that practitioners use, on days none of them had seen when they were fitted."
    )
    unit = "% (100·Δlog close)"
    frequency = "B"
    sources = ("sp500", "nasdaq")
    columns = ("open", "high", "low", "close", "volume")
    leads = (1,)
    peers = ("scale-regression", "egarch-skewt", "gjr-skewt", "garch-t", "historical-simulation", "mdn")
    reference = "egarch-skewt"
    base = "pool of scale regression and EGARCH-skew-t"
    pool = ("scale-regression", "egarch-skewt")
    returns = True
    state = "x_z"
    state_title = "last return, in the standard deviations that EGARCH had predicted"

    def parse(self, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Stack the index tables (``time`` and OHLCV) into one long table."""
        parts = []
        for source in self.sources:
            table = tables[source]
            require_columns(source, table, ("time", *self.columns))
            parts.append(table[["time", *self.columns]].assign(series=source))
        return pd.concat(parts, ignore_index=True)[["time", "series", *self.columns]]

    def features(
        self,
        raw: pd.DataFrame,
        params: FeatureParams,
        start: pd.Timestamp | None = None,
        progress: Progress = silent,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Inputs known at each close and the classical one-day densities (``tasks.domains.Domain``)."""
        groups = {
            str(name): group.reset_index(drop=True) for name, group in raw.groupby("series", sort=False)
        }
        for name, group in groups.items():
            if len(group) <= _first_base(params):
                raise BasinError(
                    f"{name}: {len(group)} rows, but features need more than {_first_base(params)} (twice "
                    "features.min_rows, in steps of features.refit); give a longer history or lower "
                    "features.min_rows in params.yaml"
                )
        units = [(model, _returns(group), params) for group in groups.values() for model in volatility.MODELS]
        forecasts = iter(run_units(_volatility, units, "volatility models", progress))
        prepared = {name: {m: next(forecasts) for m in volatility.MODELS} for name in groups}
        bases = run_units(
            _base,
            [(group, prepared[name], params, start) for name, group in groups.items()],
            "base models",
            progress,
        )
        inputs, classical = [], []
        for (name, group), (measures, base) in zip(groups.items(), bases, strict=True):
            rows = base["row"].to_numpy()
            keys = _keys(name, group, rows)
            x = measures.loc[rows, [c for c in measures if c.startswith("x_")]].reset_index(drop=True)
            inputs.append(
                pd.concat([keys, x.assign(x_log_scale=np.log(base["scale"]), x_loc=base["loc"])], axis=1)
            )
            for model, table in {"scale-regression": base, **prepared[name]}.items():
                chosen = table.set_index("row").loc[rows].reset_index(drop=True)
                classical.append(
                    pd.concat([keys[["series", "origin", "lead"]].assign(model=model), chosen], axis=1)
                )
        return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Calm, normal, turbulent: the 22-day root mean square return below 0.7 %, up to 1.4 %, above."""
        parts = []
        for name, group in raw.groupby("series", sort=False):
            rms = np.sqrt((np.log(group["close"]).diff() ** 2).rolling(22).mean()) * 100
            regime = pd.cut(rms, [-np.inf, 0.7, 1.4, np.inf], labels=["calm", "normal", "turbulent"])
            parts.append(pd.DataFrame({"time": group["time"], "series": name, "regime": regime}).dropna())
        return pd.concat(parts, ignore_index=True).astype({"regime": str})

    def empirical(self, inputs: pd.DataFrame, raw: pd.DataFrame, model: str) -> np.ndarray:
        """Historical simulation: the 1,000 returns up to each origin, shape ``(len(inputs), 1000)``."""
        if model != "historical-simulation":
            raise ValueError(f"finance has no empirical peer {model}")
        samples = np.empty((len(inputs), 1000))
        for name, rows in inputs.groupby("series", sort=False):
            group = raw[raw["series"] == name]
            position = pd.Index(group["time"]).get_indexer(rows["origin"])
            if position.min() < 1000:
                raise BasinError(
                    f"{name}: historical simulation needs 1000 returns before its first forecast, but "
                    f"{rows['origin'].min():%Y-%m-%d} has {position.min()}; set split.test_from later"
                )
            windows = np.lib.stride_tricks.sliding_window_view(_returns(group), 1000)
            samples[inputs.index.get_indexer(rows.index)] = windows[position - 1000]
        return samples


def _returns(group: pd.DataFrame) -> np.ndarray:
    """100·Δlog close: element i is the return of row i + 1."""
    returns: np.ndarray = 100 * np.diff(np.log(group["close"].to_numpy()))
    return returns


def _first_base(params: FeatureParams) -> int:
    """Row of the first base: the first refit of the volatility models with ``min_rows`` forecasts behind."""
    return params.min_rows + 1 + params.refit * -(-params.min_rows // params.refit)


def _volatility(model: str, returns: np.ndarray, params: FeatureParams) -> pd.DataFrame:
    """Every scheduled refit of one model on one series; ``row`` is the origin's row of the raw table."""
    first = params.min_rows
    parts = [
        volatility.one_step(model, returns, at, min(at + params.refit, len(returns)))
        for at in range(first, len(returns), params.refit)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(row=table["row"] + 1)


def _measures(group: pd.DataFrame, models: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Base inputs and ``x_*`` inputs by row of the raw table; each uses that row and earlier ones only."""
    log = {c: 100 * np.log(group[c]) for c in ("open", "high", "low", "close")}
    returns = log["close"].diff()
    spread = log["high"] - log["low"]
    parkinson = spread**2 / (4 * np.log(2))
    # Garman and Klass (1980), plus the overnight move that the day's range does not see.
    intraday = 0.5 * spread**2 - (2 * np.log(2) - 1) * (log["close"] - log["open"]) ** 2
    garman_klass = intraday.clip(lower=0) + (log["open"] - log["close"].shift()) ** 2
    table = pd.DataFrame(index=group.index)
    for name, model in (("egarch", "egarch-skewt"), ("gjr", "gjr-skewt")):
        table[name] = np.log(models[model].set_index("row")["scale"]).reindex(group.index)
    for name, measure, floor in (
        ("rms", returns**2, 0.02),
        ("gk", garman_klass, 0.005),
        ("pk", parkinson, 0.005),
    ):
        for window in WINDOWS:
            # A mean of each window on its own, not a running sum: its value must not depend on history.
            mean = _window_mean(measure.to_numpy(), window)
            table[f"{name}{window}"] = 0.5 * np.log(mean + floor)
    z = returns / np.exp(table["egarch"].shift())
    # Shocks of a day, a week and a month, each in its own standard deviations and bounded: a base that is
    # linear in them must not be carried off by one rare run of days.
    for name, window in (("z", 1), ("z_5", 5), ("z_22", 22)):
        shock = pd.Series(np.sqrt(window) * _window_mean(z.to_numpy(), window)).clip(-SHOCK, SHOCK)
        table[name] = table[f"x_{name}"] = shock
    table["z_minus"], table["x_z_previous"] = table["z"].clip(upper=0), table["z"].shift()
    table["x_log_egarch"] = table["egarch"]
    for name in ("rms5", "rms22", "rms66", "gk1", "gk5", "pk22"):
        table[f"x_{name}_to_egarch"] = table[name] - table["egarch"]
    return table


def _window_mean(values: np.ndarray, window: int) -> np.ndarray:
    mean = np.full(len(values), np.nan)
    mean[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    return mean


def _base(
    group: pd.DataFrame, models: dict[str, pd.DataFrame], params: FeatureParams, start: pd.Timestamp | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scale regression refitted on schedule: ``(measures, row loc scale eta lam)``.

    A refit at row r uses targets up to row r.
    """
    from ebm_core.regression import fit_skewt_regression

    measures = _measures(group, models)
    target = np.append(_returns(group), np.nan)
    usable = measures[[*SCALE_INPUTS, *LOC_INPUTS]].notna().all(axis=1).to_numpy()
    ones = np.ones((len(group), 1))
    x_loc = np.hstack([ones, measures[list(LOC_INPUTS)].to_numpy()])
    prior = np.array([0.0, *(PRIOR_SCALE.get(name, 0.0) for name in SCALE_INPUTS)])
    parts = []
    for at in range(_first_base(params), len(group), params.refit):
        until = min(at + params.refit, len(group))
        if start is not None and group["time"].iloc[until - 1] < start:
            continue
        fitted = usable.copy()
        fitted[at:] = False
        floored = measures[list(SCALE_INPUTS)].copy()
        for name in LEVEL_INPUTS:
            floored[name] = floored[name].clip(lower=floored.loc[fitted, name].quantile(FLOOR))
        x_scale = np.hstack([ones, floored.to_numpy()])
        fit = fit_skewt_regression(
            target[fitted],
            x_loc[fitted],
            x_scale[fitted],
            prior_gamma=np.zeros(x_loc.shape[1]),
            prior_beta=prior,
            penalty_loc=PENALTY_LOC,
            penalty_scale=PENALTY_SCALE,
        )
        base = fit.distribution(x_loc[at:until], x_scale[at:until])
        parts.append(
            pd.DataFrame(
                {
                    "row": np.arange(at, until),
                    "loc": base.loc,
                    "scale": base.scale,
                    "eta": fit.eta,
                    "lam": fit.lam,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if start is not None:
        table = table[group["time"].iloc[table["row"]].to_numpy() >= start].reset_index(drop=True)
    return measures, table


def _keys(name: str, group: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    times = group["time"].to_numpy()
    following = np.append(times[1:], _next_session(times[-1]))
    target = np.append(_returns(group), np.nan)
    return pd.DataFrame(
        {"series": name, "origin": times[rows], "lead": 1, "time": following[rows], "target": target[rows]}
    )


def _next_session(time: Any) -> np.datetime64:
    """The New York session after ``time``."""
    import exchange_calendars

    day = pd.Timestamp(time)
    calendar = exchange_calendars.get_calendar(
        "XNYS", start=day - pd.Timedelta(days=10), end=day + pd.Timedelta(days=20)
    )
    following: pd.Timestamp = calendar.sessions[calendar.sessions > day][0]
    return following.to_datetime64()


DOMAIN = Finance()
