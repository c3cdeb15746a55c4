"""Kind of a series, price, rate, return or level, which follows from its values and not from its name."""

import re
import warnings

import numpy as np
import pandas as pd
from scipy import stats

from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency

FEW = 0.01
"""Share of values that are not positive below which they are taken for errors in a file of prices."""

APART = 8.0
"""Size of a jump to a value that is not positive, in median changes, from which it seems to be an error."""

UNRELATED = 0.3
"""Autocorrelation of neighbouring values below which values of both signs are returns."""

BOTH_SIGNS = 0.15
"""Least share of each sign among returns."""

SEASONAL = 1e-6
"""p-value of the test for equal mean changes in all seasons below which a series is a level."""

STATIONARY = 0.001
"""p-value of the test of Dickey and Fuller below which a series of weeks or longer steps is a level."""

LOGS = re.compile(
    r"(^|[^a-z])(log|ln)[ _.(\[]*(p|px|s|prices?|(adj.?)?close|index|spot)([^a-z]|$)", re.IGNORECASE
)
"""Names of logarithms of prices."""

YEARS = 60
"""Number of last years in which a season is looked for."""

LAGS = 2
"""Lags of changes in the test of Dickey and Fuller."""

LOOKED_AT = 3000
"""Number of latest rows that decide."""


def kind_of(
    table: pd.DataFrame,
    freq: str,
    ahead: str,
    name: str,
    label: str,
    drop: bool = False,
    no_returns: str = "",
) -> tuple[str, str]:
    """Return the kind of the values of ``table`` and a sentence with the reason.

    ``freq`` is that of the rows, and ``ahead`` says what a return is of, as in ``of the next month``. With
    ``drop``, a few values that are not positive among prices will be left out. Otherwise raises
    ``BasinError`` if a few values of what else seems to be prices are not positive. ``no_returns`` tells why
    values of both signs are no returns, if they are none.
    """
    value = table["close"].dropna()
    value = value[np.isfinite(value)]
    not_positive = value[value <= 0]
    dated = table.dropna(subset=["time"])
    step = frequency(freq)
    series = max((g["close"].dropna() for _, g in table.groupby("series", sort=False)), key=len).tail(
        LOOKED_AT
    )
    few = 0 < len(not_positive) < FEW * len(value) and _apart(table, not_positive)
    if LOGS.search(name) and not step.calendar:
        return "rate", (
            f"kind rate: {name} is the name of logarithms of prices; the forecast is of their change, "
            "the log return; pass --kind price if the values are prices"
        )
    if len(not_positive) and not (few and drop):
        if _are_returns(series) and not step.calendar and no_returns:
            return "rate", (
                f"kind rate: values of both signs that are no returns, as {no_returns}; the forecast is of "
                "the change of the value; pass --kind return if they are returns"
            )
        if _are_returns(series) and not step.calendar:
            return (
                "return",
                f"kind return: values of both signs without memory; the forecast is of the return {ahead}",
            )
        if few and not step.calendar:
            first = not_positive.index[0]
            of = table.loc[first, "series"] if table["series"].nunique() > 1 else name
            where = f"row {table.loc[first, 'row']}: {of} is {not_positive.iloc[0]:g}"
            raise BasinError(
                f"{label}: {where}, where almost all values are positive "
                f"({count_of(len(not_positive), 'such row')}); pass --kind price --on-bad-row drop to "
                "leave such rows out, or --kind rate if the values are right"
            )
        if step.calendar or (
            (step.name in ("W", "D") or step.name.endswith("h"))
            and (not _wanders(series) or _seasonal(dated, freq))
        ):
            return "level", "kind level: the forecast is of the value, with its anomaly from the season"
        return "rate", "kind rate: some values are not positive; the forecast is of the change of the value"
    if freq == "B" or (_wanders(series) and not _seasonal(dated, freq)):
        return "price", (
            "kind price: all values are positive and move as prices do; the forecast is of the return "
            f"{ahead}, 100·Δlog, in per cent"
        )
    return "level", "kind level: the forecast is of the value, with its anomaly from the season"


def _apart(table: pd.DataFrame, not_positive: pd.Series) -> bool:
    """Return whether values that are not positive are jumps, as errors are, and not a smooth record."""
    change = table.groupby("series", sort=False)["close"].diff().abs()
    return bool((change.reindex(not_positive.index) > APART * change.median()).any())


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
    """Return whether the record has a season: the month of the year, or the hour of the day."""
    step = frequency(freq)
    if not step.intraday:
        return has_annual_cycle(table, "close")
    hours = [(part["close"].diff(), part["time"].dt.hour) for part in _latest(table, "close")]
    return _differ(hours)


def has_annual_cycle(table: pd.DataFrame, column: str) -> bool:
    """Return whether the mean changes from month to month differ between the months of the year."""
    parts = []
    for part in _latest(table, column):
        by_month = part.set_index("time")[column].resample("MS").mean()
        value = np.log(by_month) if (by_month > 0).all() else by_month
        parts.append((value.diff(), pd.Series(pd.DatetimeIndex(by_month.index).month, index=by_month.index)))
    return _differ(parts)


def _latest(table: pd.DataFrame, column: str) -> list[pd.DataFrame]:
    """Return the rows of the last years of each series."""
    known = table.dropna(subset=[column])
    recent = known["time"] > known["time"].max() - pd.Timedelta(days=365 * YEARS)
    return [group for _, group in known[recent].groupby("series", sort=False)]


def _differ(parts: list[tuple[pd.Series, pd.Series]]) -> bool:
    """Return whether changes differ between seasons, by the test of Kruskal and Wallis."""
    change = np.concatenate([each.to_numpy(float) for each, _ in parts])
    season = np.concatenate([of.to_numpy() for _, of in parts])
    known = np.isfinite(change)
    groups = [change[known & (season == s)] for s in np.unique(season)]
    groups = [g for g in groups if len(g) > 1]
    if len(groups) < 2 or np.ptp(change[known]) == 0:
        return False
    return bool(stats.kruskal(*groups).pvalue < SEASONAL)
