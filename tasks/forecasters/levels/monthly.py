"""Classical seasonal forecasts of monthly anomalies, as functions that fit a model and return a predictor."""

from collections.abc import Callable

import numpy as np

from tasks.forecasters.levels import linear

Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Function ``predict(anomaly, origins)`` that returns the expected anomaly ``lead`` months after origins."""

Fit = Callable[[np.ndarray, np.ndarray, int, int], Predict]
"""Function ``fit(anomaly, origins, lead, phase)`` that returns a predictor.

``phase`` is the calendar month (0-11) of row 0. A fit uses rows up to ``origins.max() + lead``, and a
prediction uses rows up to its origin.
"""


def climatology(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
    """Forecast an anomaly of zero."""
    return lambda values, at: np.zeros(len(at))


def persistence(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
    """Forecast that the anomaly stays as it is at the origin."""
    return lambda values, at: values[at]


def damped_persistence(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
    """Forecast a(t + h) = b(m)·a(t), with b by least squares on the target months m − 1, m and m + 1."""
    target = (origins + lead + phase) % 12
    slope = linear.slopes(anomaly[origins], anomaly[origins + lead], target, 1, 12)
    return lambda values, at: slope[(at + lead + phase) % 12] * values[at]


def seasonal_ridge(lags: tuple[int, ...], penalty: float) -> Fit:
    """Return a ridge regression on lagged anomalies times two harmonics of the target month."""
    return _ridge(climatology, lags, penalty, harmonics=2)


def damped_ridge(lags: tuple[int, ...], penalty: float) -> Fit:
    """Return a ridge regression on lagged anomalies that is shrunk to damped persistence.

    Its coefficients are the same in all seasons. Those of damped persistence depend on the season.
    """
    return _ridge(damped_persistence, lags, penalty, harmonics=0)


def kernel_ridge(prior: Fit, lags: tuple[int, ...], penalty: float, width: float) -> Fit:
    """Return a kernel ridge regression of the errors of ``prior``.

    The Gaussian kernel compares lagged anomalies (in standard deviations) and the season of the target. If no
    past state is similar, the forecast is that of ``prior``. Reference: Saunders et al. (1998).
    """

    def fit(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
        first = prior(anomaly, origins, lead, phase)
        sigma = anomaly[origins].std()

        def place(values: np.ndarray, at: np.ndarray) -> np.ndarray:
            season = 2 * np.pi * ((at + lead + phase) % 12) / 12
            lagged = [values[at - lag] / sigma for lag in lags]
            return np.column_stack([*lagged, np.cos(season), np.sin(season)])

        known = place(anomaly, origins)

        def alike(places: np.ndarray) -> np.ndarray:
            distance = ((places[:, None] - known) ** 2).sum(axis=2)
            kernel: np.ndarray = np.exp(-distance / (2 * width**2))
            return kernel

        residual = anomaly[origins + lead] - first(anomaly, origins)
        weights = np.linalg.solve(alike(known) + penalty * np.eye(len(known)), residual)
        return lambda values, at: first(values, at) + (alike(place(values, at)) * weights).sum(axis=1)

    return fit


def slow_ridge(penalty: float) -> Fit:
    """Return a ridge regression on the anomaly, its changes over 3 and 12 months and its 12-month mean.

    The coefficients are the same in all seasons.
    """

    def place(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        now = values[at]
        year = np.lib.stride_tricks.sliding_window_view(values, 12).mean(axis=1)[at - 11]
        return np.column_stack([now, now - values[at - 3], now - values[at - 12], year])

    def fit(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
        x = place(anomaly, origins)
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ anomaly[origins + lead])
        return lambda values, at: (place(values, at) * weights).sum(axis=1)

    return fit


def averaged(first: Fit, second: Fit) -> Fit:
    """Return the mean of two forecasts."""

    def fit(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
        one, other = first(anomaly, origins, lead, phase), second(anomaly, origins, lead, phase)
        return lambda values, at: (one(values, at) + other(values, at)) / 2

    return fit


def switched(barrier: int, before: Fit, beyond: Fit) -> Fit:
    """Return the forecast ``before`` for leads below ``barrier`` and ``beyond`` for other leads."""
    return lambda anomaly, origins, lead, phase: (before if lead < barrier else beyond)(
        anomaly, origins, lead, phase
    )


def _ridge(prior: Fit, lags: tuple[int, ...], penalty: float, harmonics: int) -> Fit:
    def fit(anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int) -> Predict:
        first = prior(anomaly, origins, lead, phase)
        x = _design(anomaly, origins, lags, lead + phase, harmonics)
        residual = anomaly[origins + lead] - first(anomaly, origins)
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ residual)
        # Row sums, because the last bit of a BLAS product depends on the number of rows.
        return lambda values, at: (
            first(values, at) + (_design(values, at, lags, lead + phase, harmonics) * weights).sum(1)
        )

    return fit


def _design(
    anomaly: np.ndarray, at: np.ndarray, lags: tuple[int, ...], ahead: int, harmonics: int
) -> np.ndarray:
    """Return lagged anomalies times 1 and ``harmonics`` cosines and sines of the month ``at + ahead``."""
    seasonal = linear.harmonics((at + ahead) % 12, 12, harmonics)
    lagged = np.column_stack([anomaly[at - lag] for lag in lags])
    design: np.ndarray = (lagged[:, :, None] * seasonal[:, None, :]).reshape(len(at), -1)
    return design
