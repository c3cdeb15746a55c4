"""Kind of a series, price, rate, return or level, which follows from its values and not from its name."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency

FEW = 0.01
"""Share of values that are not positive below which they are taken for errors in a file of prices."""

UNRELATED = 0.3
"""Autocorrelation of neighbouring values below which values of both signs are returns."""

BOTH_SIGNS = 0.15
"""Least share of each sign among returns."""

SEASONAL = 1e-6
"""p-value of the test for equal mean changes in all seasons below which a series is a level."""

STATIONARY = 0.001
"""p-value of the test of Dickey and Fuller below which a series of weeks or longer steps is a level."""

LAGS = 2
"""Lags of changes in the test of Dickey and Fuller."""

LOOKED_AT = 3000
"""Number of latest rows that decide."""


def kind_of(table: pd.DataFrame, freq: str, name: str, label: str, drop: bool = False) -> tuple[str, str]:
    """Return the kind of the values of ``table`` and a sentence with the reason.

    With ``drop``, a few values that are not positive among prices will be left out. Otherwise raises
    ``BasinError`` if a few values of what else seems to be prices are not positive.
    """
    value = table["close"].dropna()
    value = value[np.isfinite(value)]
    not_positive = value[value <= 0]
    step = frequency(freq)
    series = max((g["close"].dropna() for _, g in table.groupby("series", sort=False)), key=len).tail(
        LOOKED_AT
    )
    few = 0 < len(not_positive) < FEW * len(value)
    if len(not_positive) and not (few and drop):
        if _are_returns(series) and not step.calendar:
            return (
                "return",
                "kind return: values of both signs without memory; the forecast is of the return itself",
            )
        if few and not step.calendar:
            first = not_positive.index[0]
            raise BasinError(
                f"{label}: row {first}: {name} is {not_positive.iloc[0]:g}, where almost all values are "
                "positive "
                f"({len(not_positive)} such rows); pass --kind price --on-bad-row drop to leave such rows "
                "out, or "
                "--kind rate if the values are right"
            )
        if step.calendar or (step.name in ("W", "D", "h") and not _wanders(series)):
            return "level", "kind level: the forecast is of the value, with its anomaly from the season"
        return "rate", "kind rate: some values are not positive; the forecast is of the change of the value"
    if freq == "B" or (_wanders(series) and not _seasonal(table, freq)):
        return "price", (
            "kind price: all values are positive and move as prices do; the forecast is of the return of "
            "the next "
            f"{step.period}, 100·Δlog, in per cent"
        )
    return "level", "kind level: the forecast is of the value, with its anomaly from the season"


def _are_returns(series: pd.Series) -> bool:
    """Return whether values have both signs and neighbouring values are unrelated."""
    x = series.to_numpy()
    if len(x) < 20 or min((x > 0).mean(), (x < 0).mean()) < BOTH_SIGNS:
        return False
    # Ranks, because a single extreme return would decide the correlation of the values.
    return abs(float(stats.spearmanr(x[1:], x[:-1]).statistic)) < UNRELATED


def _wanders(series: pd.Series) -> bool:
    """Return whether the hypothesis of a random walk, in logs if all values are positive, is not rejected."""
    from statsmodels.tsa.stattools import adfuller

    x = series.to_numpy(float)
    x = np.log(x) if (x > 0).all() else x
    if len(x) < 30 or np.ptp(x) == 0:
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = adfuller(x, maxlag=LAGS, autolag=None)[1]
    return bool(p >= STATIONARY)


def _seasonal(table: pd.DataFrame, freq: str) -> bool:
    """Return whether the mean changes of the seasons differ: months of the year, or hours of the day."""
    step = frequency(freq)
    changes, seasons = [], []
    for _, group in table.groupby("series", sort=False):
        part = group.dropna(subset=["close"]).tail(LOOKED_AT)
        value = np.log(part["close"]) if (part["close"] > 0).all() else part["close"]
        changes.append(value.diff().to_numpy()[1:])
        seasons.append((part["time"].dt.hour if step.intraday else part["time"].dt.month).to_numpy()[1:])
    change, season = np.concatenate(changes), np.concatenate(seasons)
    groups = [change[season == s] for s in np.unique(season)]
    groups = [g for g in groups if len(g) > 1]
    if len(groups) < 2 or np.ptp(change) == 0:
        return False
    return bool(stats.kruskal(*groups).pvalue < SEASONAL)
