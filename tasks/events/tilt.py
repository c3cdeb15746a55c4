"""Tilt of the simulated distribution of an event's statistic, learned from several barriers at once."""

import numpy as np
from scipy import special

from tasks.events.event import Array
from tasks.events.simulation import EXACT, Origins, usable

PRIOR = {"shift": (0.0, 0.1), "slope": (0.95, 0.05), "depth": (0.3, 0.2)}
"""Prior mean and standard deviation of each coefficient.

The priors of slope and depth were estimated from falls of 8 % within 21 steps in eleven markets from 1950 to
2004. The coefficient of depth was 0.2 to 0.6 in nine equity indices and −0.2 in two oil markets, 0.3 on
average. Below a recent high, large moves in both directions are more frequent than the short memory of GJR
implies.
"""

USUAL, DEEPEST = 0.5, 3.0
"""Depth below the recent high at which it does not shift the tilt, and the depth at which it is clipped."""

NEWTON = 30
"""Largest number of Newton steps. They converge, because the posterior is log-concave."""


def tilted(found: Origins, steps: int, years: np.ndarray) -> tuple[Array, dict[int, dict[str, float]]]:
    """Return the tilted probability of the event for each row, and the coefficients of each year.

    u is the simulated distribution function of the statistic, starting from the side of the event, and d the
    depth below the recent high. The tilt maps u to u′ = σ(shift + slope · logit u + depth · (d − 0.5)). The
    density ratio is exp(−E) = du′/du, and Z = 1. On the first row of each year the coefficients are the
    posterior mode given which barriers were reached from earlier rows, as far as known. All barriers share
    the coefficients, because the nearer ones are reached more often than the event happens and so give more
    information. Each row has weight 1 / ``steps``, because outcomes overlap.
    """
    mean, deviation = np.array(list(PRIOR.values())).T
    tilt = mean
    x = np.nan_to_num(found.depth.clip(0, DEEPEST) - USUAL)
    probability, used = np.full(len(years), np.nan), {}
    for year in np.unique(years[np.isfinite(found.led[:, EXACT])]):
        rows = np.flatnonzero(years == year)
        past = usable(found, rows[0])
        if len(past):
            barriers = found.led.shape[1]
            design = _design(found.led[past].ravel(), np.repeat(x[past], barriers))
            weight = 1 / (steps * barriers)
            tilt = _mode(design, found.beyond[past].ravel(), weight, mean, deviation, tilt)
        used[int(year)] = dict(zip(PRIOR, tilt.tolist(), strict=True))
        probability[rows] = special.expit(_design(found.led[rows, EXACT], x[rows]) @ tilt)
    return probability, used


def _design(log_odds: Array, x: Array) -> Array:
    return np.column_stack([np.ones(len(x)), log_odds, x])


def _mode(
    design: Array, beyond: np.ndarray, weight: float, mean: Array, deviation: Array, start: Array
) -> Array:
    """Return the posterior mode of a logistic regression with normal priors, by Newton's method."""
    precision = 1 / deviation**2
    tilt = start
    for _ in range(NEWTON):
        p = special.expit(design @ tilt)
        slope = weight * design.T @ (p - beyond) + precision * (tilt - mean)
        curve = weight * (design * (p * (1 - p))[:, None]).T @ design + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        tilt = tilt - step
        if np.abs(step).max() < 1e-9:
            break
    return tilt
