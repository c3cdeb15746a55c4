"""Mean forecasts of the classical models of a seasonal level, and the members of their ensemble."""

import numpy as np

from tasks.forecasters.levels.linear import (
    MODULATION,
    changes,
    corrected,
    damped_persistence,
    lagged,
    lim,
    seasonal,
)
from tasks.forecasters.levels.recharge_oscillator import xro

PEERS: tuple[str, ...] = ("seasonal-ridge", "lim", "xro", "damped-persistence", "climatology", "persistence")
MEMBERS = (
    "damped-ridge",
    "damped-quadratic",
    "lim-ridge",
    "lim-quadratic",
    "xro-ridge",
    "xro-quadratic",
)
"""Members of the ensemble: two ridge corrections of each of three forecasts, which are damped persistence, a
linear inverse model and a recharge oscillator."""

UNLEARNT = ("damped-persistence", "climatology", "persistence")
"""Models with one coefficient for each season or none, whose errors hardly depend on the number of rows."""

RIDGE_PENALTY, MEMBER_PENALTY = 50.0, 100.0
LIM_PENALTY, LIM_SEASONAL_PENALTY, XRO_PENALTY = 10.0, 30.0, 40.0
"""Penalties, chosen on Niño 3.4 targets before 2000 and Pacific temperatures of 1920-1989, also of the peers.

The peer ``xro`` has no penalty.
"""


def locations(
    state: np.ndarray, known: int, season: np.ndarray, period: int, leads: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Return the mean forecast ``(rows, leads)`` of every model, in standard deviations of the target.

    The arguments are those of :mod:`tasks.forecasters.levels.linear`.
    """
    target = state[:, 0]
    month = max(1, period // 12)
    damped = damped_persistence(target, known, season, period, leads)
    inverse = lim(state, known, season, period, leads, LIM_PENALTY, LIM_SEASONAL_PENALTY, month)
    oscillator = xro(state, known, season, period, leads, XRO_PENALTY)
    recent = lagged(state)
    moving = seasonal(changes(state, max(1, period // 4)), season, period, 1)
    square = MODULATION * state[:, :1] * state
    curved = seasonal(np.column_stack([recent, square]), season, period, 1)
    two = seasonal(recent, season, period, min(2, (period - 1) // 2))
    fitted = {
        "climatology": np.zeros_like(damped),
        "persistence": np.zeros_like(damped) + target[:, None],
        "damped-persistence": damped,
        "seasonal-ridge": corrected(damped, two, target, known, leads, RIDGE_PENALTY),
        "lim": inverse,
        "xro": xro(state, known, season, period, leads),
    }
    for name, first in (("damped", damped), ("lim", inverse), ("xro", oscillator)):
        fitted[f"{name}-ridge"] = corrected(first, moving, target, known, leads, MEMBER_PENALTY)
        fitted[f"{name}-quadratic"] = corrected(first, curved, target, known, leads, MEMBER_PENALTY)
    return fitted
