"""Normal values of a series: seasonal means, or one mean if there is no season, or 0 for anomalies."""

import numpy as np
from scipy import stats

from tasks.forecasters.levels.linear import harmonics

SIGNIFICANCE = 0.001
"""p-value below which a column has a season."""

LAGS = 2
"""Number of past values in the autoregression of the test.

With one, series that oscillate are taken for seasonal. More can reproduce a short season, and cost power.
"""

STANDARD_ERRORS = 3.0
"""Number of standard errors up to which the mean of anomalies may differ from 0."""

PAIRS = 2
"""Number of harmonics of a smooth season in the test."""


def normals(values: np.ndarray, season: np.ndarray, period: int) -> np.ndarray:
    """Return the normal of each season and column, shape ``(period, columns)``.

    It is the mean of the season. A column without a season has its mean in all seasons, because seasonal
    means would only add noise, and a column of anomalies has 0.
    """
    means = np.array([values[season == s].mean(axis=0) for s in range(period)])
    level = np.where(_are_anomalies(values), 0.0, values.mean(axis=0))
    return np.where(has_season(values, season, period), means, level)


def _are_anomalies(values: np.ndarray) -> np.ndarray:
    """Return which columns vary around 0, so that their mean is only noise.

    The mean must be within one standard deviation and :data:`STANDARD_ERRORS` standard errors of 0. The
    standard error is that of a first-order autoregression.
    """
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    apart = values - mean
    memory = (apart[1:] * apart[:-1]).sum(axis=0) / np.maximum(np.square(apart).sum(axis=0), 1e-300)
    memory = np.clip(memory, 0, 0.99)
    error = deviation * np.sqrt((1 + memory) / (1 - memory) / len(values))
    near: np.ndarray = np.abs(mean) <= np.minimum(deviation, STANDARD_ERRORS * error)
    return near


def has_season(values: np.ndarray, season: np.ndarray, period: int) -> np.ndarray:
    """Return which columns of ``values`` ``(rows, columns)`` have a season, by a test in an autoregression.

    A test of the values themselves has little power, because neighbouring values are alike: a few unusual
    years look like a season. The test therefore asks whether a value depends on its season if the last
    :data:`LAGS` values are known. It is the smaller of the p-values of two F-tests, times two: of a mean for
    each season, and of :data:`PAIRS` harmonics, which has more power if the season is smooth.
    """
    if period == 1:
        return np.zeros(values.shape[1], dtype=bool)
    each = (season[:, None] == np.arange(1, period)).astype(float)
    smooth = harmonics(season, period, min(PAIRS, (period - 1) // 2))[:, 1:]
    p = [min(_p_value(column, each), _p_value(column, smooth)) for column in values.T]
    return 2 * np.array(p) < SIGNIFICANCE


def _p_value(values: np.ndarray, terms: np.ndarray) -> float:
    """Return the p-value of an F-test of ``terms`` in an autoregression of ``values``."""
    now = values[LAGS:]
    past = [values[LAGS - lag : len(values) - lag] for lag in range(1, LAGS + 1)]
    plain = np.column_stack([np.ones(len(now)), *past])
    full = np.column_stack([plain, terms[LAGS:]])
    without, within = _squared_error(plain, now), _squared_error(full, now)
    freedom = len(now) - full.shape[1]
    if terms.shape[1] == 0 or freedom < 1 or without - within <= 1e-12 * np.square(values).sum():
        return 1.0
    ratio = (without - within) / terms.shape[1] / max(within / freedom, 1e-300)
    return float(stats.f.sf(ratio, terms.shape[1], freedom))


def _squared_error(inputs: np.ndarray, target: np.ndarray) -> float:
    coefficients = np.linalg.lstsq(inputs, target, rcond=None)[0]
    return float(np.square(target - inputs @ coefficients).sum())
