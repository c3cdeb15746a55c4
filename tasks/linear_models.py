"""Seasonal linear forecasts of one anomaly from several: ridge, kernel ridge, cyclostationary LIM.

Every function takes ``state`` (rows, series), standardised anomalies with the target first; ``known``, the
number of rows that may be fitted on; ``season`` (rows,), the phase of each row in its cycle of ``period``
rows; and ``leads``. It returns the expected target ``(rows, leads)``, NaN where too little history precedes
the row. Coefficients depend on rows before ``known`` alone, each forecast also on rows up to its own.
"""

import numpy as np
from scipy import linalg

Locations = np.ndarray
"""Expected target by origin and lead, shape ``(rows, leads)``."""

LAGS = (1, 2)
"""Earlier values of the target among the inputs of the ridges."""


def harmonics(season: np.ndarray, period: int, count: int) -> np.ndarray:
    """1 and ``count`` pairs of cosine and sine of the cycle, shape ``(rows, 1 + 2·count)``."""
    angle = 2 * np.pi * season / period
    waves = [f(k * angle) for k in range(1, count + 1) for f in (np.cos, np.sin)]
    return np.column_stack([np.ones(len(season)), *waves])


def lagged(state: np.ndarray, lags: tuple[int, ...] = LAGS) -> np.ndarray:
    """``state`` and earlier values of its first column; NaN in the first rows."""
    earlier = [np.concatenate([np.full(lag, np.nan), state[:-lag, 0]]) for lag in lags]
    return np.column_stack([state, *earlier])


def seasonal(inputs: np.ndarray, season: np.ndarray, period: int, count: int) -> np.ndarray:
    """Each input times each harmonic, shape ``(rows, inputs · (1 + 2·count))``."""
    waves = harmonics(season, period, count)
    product: np.ndarray = (inputs[:, :, None] * waves[:, None, :]).reshape(len(inputs), -1)
    return product


def ridge(x: np.ndarray, target: np.ndarray, known: int, leads: tuple[int, ...], penalty: float) -> Locations:
    """argmin Σ (y(t + h) − x(t)·β)² + ``penalty``·‖β‖², one β a lead.

    ``target`` is ``(rows,)``, or ``(rows, leads)`` where each origin's target is given directly, as for the
    errors of a first forecast.
    """
    first = int(np.isfinite(x).all(axis=1).argmax())
    columns = []
    for i, lead in enumerate(leads):
        end = known - lead
        y = target[first + lead : known] if target.ndim == 1 else target[first:end, i]
        past = x[first:end]
        weights = linalg.solve(past.T @ past + penalty * np.eye(x.shape[1]), past.T @ y, assume_a="pos")
        # Row sums rather than a BLAS product, whose last bit depends on how many rows there are.
        columns.append((x * weights).sum(axis=1))
    return np.column_stack(columns)


def kernel_ridge(
    places: np.ndarray, target: np.ndarray, known: int, leads: tuple[int, ...], penalty: float, width: float
) -> Locations:
    """Ridge in the space of the kernel exp(−‖p − p'‖² / (2·``width``²·inputs)). Saunders et al. (1998).

    ``target`` as in :func:`ridge`. Forecasts return to zero where the past holds nothing alike.
    """
    first = int(np.isfinite(places).all(axis=1).argmax())
    past = places[first : known - min(leads)]
    distance = ((places[:, None] - past) ** 2).sum(axis=2)
    alike = np.exp(-distance / (2 * width**2 * places.shape[1]))
    columns = []
    for i, lead in enumerate(leads):
        count = known - lead - first
        y = target[first + lead : known] if target.ndim == 1 else target[first : known - lead, i]
        gram = alike[first : first + count, :count] + penalty * np.eye(count)
        columns.append((alike[:, :count] * linalg.solve(gram, y, assume_a="pos")).sum(axis=1))
    return np.column_stack(columns)


def near(season: np.ndarray, centre: int, reach: int, period: int) -> np.ndarray:
    """Which seasons are at most ``reach`` rows of the cycle from ``centre``."""
    close: np.ndarray = np.minimum((season - centre) % period, (centre - season) % period) <= reach
    return close


def damped_persistence(
    target: np.ndarray, known: int, season: np.ndarray, period: int, leads: tuple[int, ...]
) -> Locations:
    """a(t + h) = b(s)·a(t), b by least squares over origins about the season s."""
    reach = max(1, period // 12)
    columns = []
    for lead in leads:
        now, later, past = target[: known - lead], target[lead:known], season[: known - lead]
        slope = np.empty(period)
        for s in range(period):
            close = near(past, s, reach, period)
            slope[s] = (now[close] * later[close]).sum() / max((now[close] ** 2).sum(), 1e-12)
        columns.append(slope[season] * target)
    return np.column_stack(columns)


def lim(
    state: np.ndarray,
    known: int,
    season: np.ndarray,
    period: int,
    leads: tuple[int, ...],
    penalty: float,
    reach: int,
) -> Locations:
    """Cyclostationary linear inverse model: x(t + 1) = G(s)·x(t), forecasts by products of propagators.

    G(s) is fitted by ridge on rows at most ``reach`` from the season s, shrunk to the propagator of all
    seasons, as if ``penalty`` further rows of unit variance had obeyed that. Penland and Sardeshmukh
    (1995), J. Climate 8; OrtizBeviá (1997), J. Geophys. Res. 102, for the cycle.
    """
    now, later, past = state[: known - 1], state[1:known], season[: known - 1]
    eye = np.eye(state.shape[1])
    overall = linalg.solve(now.T @ now + 1e-6 * eye, now.T @ later, assume_a="pos")
    steps = np.empty((period, *eye.shape))
    for s in range(period):
        close = near(past, s, reach, period)
        a, b = now[close], later[close] - now[close] @ overall
        steps[s] = overall + linalg.solve(a.T @ a + (penalty + 1e-6) * eye, a.T @ b, assume_a="pos")
    ahead, forecast = state, {}
    for h in range(max(leads)):
        step = steps[(season + h) % period]
        ahead = (ahead[:, :, None] * step).sum(axis=1)
        forecast[h + 1] = ahead[:, 0]
    return np.column_stack([forecast[lead] for lead in leads])
