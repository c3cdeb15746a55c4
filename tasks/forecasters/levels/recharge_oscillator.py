"""Extended recharge oscillator (XRO), a model of El Niño that is applied here to any seasonal cycle."""

import numpy as np

from tasks.forecasters.levels.linear import Locations, seasonal, waves

SUBSTEPS = 10
"""Number of Euler steps between two rows. A forecast is their mean, as in the package ``XRO``."""

BOUND = 10.0
"""Bound of standardised anomalies during integration, because quadratic terms can diverge."""


def xro(
    state: np.ndarray,
    known: int,
    season: np.ndarray,
    period: int,
    leads: tuple[int, ...],
    penalty: float = 0.0,
) -> Locations:
    """Forecast with dx/dt = L(s)·x, to which b(s)·T² + c(s)·T·H is added for the target T.

    H is the first exogenous series, for El Niño the warm water volume. L, b and c vary with two harmonics of
    the cycle. They are fitted by least squares to forward differences, and the equations are integrated by
    :data:`SUBSTEPS` Euler steps for each row. Without ``penalty`` this is the fit of the package ``XRO`` with
    ``maskNT=["T2", "TH"]``, vectorised over origins. A ``penalty`` shrinks L, b and c, and most of all their
    harmonics, to zero, which is persistence. Short records need it. Arguments and result are those of
    :mod:`tasks.forecasters.levels.linear`. Reference: Zhao et al. (2024), Explainable El Niño predictability
    from climate mode interactions, Nature 630.
    """
    count = min(2, (period - 1) // 2)
    # As in the package, the operator is evaluated half a row before the row of the forward difference.
    within = waves(np.arange(period) - 0.5, period, count)
    coefficients = []
    for equation in range(state.shape[1]):
        terms = _terms(state, equation)[: known - 1]
        design = seasonal(terms, season[: known - 1], period, count)
        change = np.diff(state[:known, equation])
        gram = design.T @ design + penalty * np.eye(design.shape[1])
        fitted = np.linalg.lstsq(gram, design.T @ change, rcond=None)[0].reshape(terms.shape[1], -1)
        coefficients.append(fitted @ within.T)
    now, forecast = state, {}
    for h in range(max(leads)):
        phase = (season + h) % period
        mean = np.zeros_like(now)
        for _ in range(SUBSTEPS):
            tendency = [
                (_terms(now, i) * fitted[:, phase].T).sum(axis=1) for i, fitted in enumerate(coefficients)
            ]
            now = np.clip(now + np.column_stack(tendency) / SUBSTEPS, -BOUND, BOUND)
            mean = mean + now / SUBSTEPS
        forecast[h + 1] = mean[:, 0]
    return np.column_stack([forecast[lead] for lead in leads])


def _terms(state: np.ndarray, equation: int) -> np.ndarray:
    """Return the terms of one equation: the state, and for the target also the quadratic terms."""
    if equation:
        return state
    return np.column_stack([state, state[:, :1] * state[:, :2]])
