"""Seasonal linear forecasts of one anomaly from several: ridges about a first guess, cyclostationary LIM.

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

MODULATION = 0.5
"""Prior size of a coefficient's harmonics, or of that of a product, against its mean over the cycle.

A short record tells the mean response well and its course through the year badly, so that the same penalty
holds harmonics back 1 / ``MODULATION``² times as much. Against 1 it takes 4 to 7 % off a ridge's error at a
lead of 3 months on Niño 3.4 before 2000, 1 % on Pacific temperatures of 1920-1989.
"""


def harmonics(season: np.ndarray, period: int, count: int) -> np.ndarray:
    """1 and ``count`` pairs of cosine and sine of the cycle, shape ``(rows, 1 + 2·count)``."""
    angle = 2 * np.pi * season / period
    waves = [f(k * angle) for k in range(1, count + 1) for f in (np.cos, np.sin)]
    return np.column_stack([np.ones(len(season)), *waves])


def waves(season: np.ndarray, period: int, count: int) -> np.ndarray:
    """Harmonics for coefficients under a penalty: the pairs of :func:`harmonics` times :data:`MODULATION`."""
    product: np.ndarray = harmonics(season, period, count)
    product[:, 1:] *= MODULATION
    return product


def lagged(state: np.ndarray, lags: tuple[int, ...] = LAGS) -> np.ndarray:
    """``state`` and earlier values of its first column; NaN in the first rows."""
    earlier = [np.concatenate([np.full(lag, np.nan), state[:-lag, 0]]) for lag in lags]
    return np.column_stack([state, *earlier])


def changes(state: np.ndarray, rows: int) -> np.ndarray:
    """``state`` and the changes of its first two columns over ``rows`` rows; NaN in the first of them."""
    before = np.concatenate([np.full((rows, min(2, state.shape[1])), np.nan), state[:-rows, :2]])
    return np.column_stack([state, state[:, :2] - before])


def seasonal(inputs: np.ndarray, season: np.ndarray, period: int, count: int) -> np.ndarray:
    """Each input times each of :func:`waves`, shape ``(rows, inputs · (1 + 2·count))``."""
    wave = waves(season, period, count)
    product: np.ndarray = (inputs[:, :, None] * wave[:, None, :]).reshape(len(inputs), -1)
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


def corrected(
    first: Locations, x: np.ndarray, target: np.ndarray, known: int, leads: tuple[int, ...], penalty: float
) -> Locations:
    """``first`` plus a :func:`ridge` of its error on ``x``: a ridge shrunk to a first guess, not to zero."""
    error = np.full_like(first, np.nan)
    for i, lead in enumerate(leads):
        error[: known - lead, i] = target[lead:known] - first[: known - lead, i]
    return first + ridge(x, error, known, leads, penalty)


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
        columns.append(slopes(now, later, past, reach, period)[season] * target)
    return np.column_stack(columns)


def slopes(now: np.ndarray, later: np.ndarray, season: np.ndarray, reach: int, period: int) -> np.ndarray:
    """b of later = b·now by least squares over the rows at most ``reach`` from each season, ``(period,)``."""
    slope = np.empty(period)
    for s in range(period):
        close = near(season, s, reach, period)
        slope[s] = (now[close] * later[close]).sum() / max((now[close] ** 2).sum(), 1e-12)
    return slope


def lim(
    state: np.ndarray,
    known: int,
    season: np.ndarray,
    period: int,
    leads: tuple[int, ...],
    penalty: float,
    seasonal_penalty: float,
    reach: int,
) -> Locations:
    """Cyclostationary linear inverse model: x(t + 1) = G(s)·x(t), forecasts by products of propagators.

    G(s) is fitted by ridge on rows at most ``reach`` from the season s, shrunk to the propagator of all
    seasons, as if ``seasonal_penalty`` further rows of unit variance had obeyed that; that one is shrunk to
    zero as if ``penalty`` rows had found no memory. Penland and Sardeshmukh (1995), J. Climate 8; OrtizBeviá
    (1997), J. Geophys. Res. 102, for the cycle.
    """
    now, later, past = state[: known - 1], state[1:known], season[: known - 1]
    eye = np.eye(state.shape[1])
    overall = linalg.solve(now.T @ now + (penalty + 1e-6) * eye, now.T @ later, assume_a="pos")
    steps = np.empty((period, *eye.shape))
    for s in range(period):
        close = near(past, s, reach, period)
        a, b = now[close], later[close] - now[close] @ overall
        steps[s] = overall + linalg.solve(a.T @ a + (seasonal_penalty + 1e-6) * eye, a.T @ b, assume_a="pos")
    ahead, forecast = state, {}
    for h in range(max(leads)):
        step = steps[(season + h) % period]
        ahead = (ahead[:, :, None] * step).sum(axis=1)
        forecast[h + 1] = ahead[:, 0]
    return np.column_stack([forecast[lead] for lead in leads])
