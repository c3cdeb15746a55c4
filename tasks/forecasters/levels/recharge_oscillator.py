"""The extended recharge oscillator (XRO) of El Niño, and the same equations for any cycle."""

import numpy as np

from tasks.forecasters.levels.linear import Locations, seasonal, waves

SUBSTEPS = 10
"""Euler steps between two rows; a forecast is their mean, as in the package XRO."""

BOUND = 10.0
"""Standardised anomalies are held within ±BOUND, so that a quadratic term cannot run away."""


def xro(
    state: np.ndarray,
    known: int,
    season: np.ndarray,
    period: int,
    leads: tuple[int, ...],
    penalty: float = 0.0,
) -> Locations:
    """dx/dt = L(s)·x, and for the target b(s)·T² + c(s)·T·H beside, all with two harmonics of the cycle.

    T is the target and H the first exogenous series (for El Niño, the warm water volume). Fitted to forward
    differences by least squares and integrated by :data:`SUBSTEPS` Euler steps a row: the fit of the package
    ``XRO`` with ``maskNT=["T2", "TH"]``, vectorised over origins; a ``penalty`` shrinks L, b and c to zero
    (persistence), their harmonics most, which short records need. Arguments and result as in
    :mod:`tasks.forecasters.levels.linear`. Zhao et al. (2024), Explainable El Niño predictability from
    climate mode interactions, Nature 630.
    """
    count = min(2, (period - 1) // 2)
    # The package evaluates its operator half a row before that of the forward difference.
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
    """Right-hand side of one equation: the state, and for the target its quadratic terms."""
    if equation:
        return state
    return np.column_stack([state, state[:, :1] * state[:, :2]])
