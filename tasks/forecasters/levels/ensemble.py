"""The classical models of a seasonal level: what each expects, and which of them the ensemble averages."""

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
"""Two ridges about each of three first guesses: damped persistence, linear inverse model, oscillator."""

UNLEARNT = ("damped-persistence", "climatology", "persistence")
"""Models of one coefficient a season or none: more rows do not make them better."""

RIDGE_PENALTY, MEMBER_PENALTY = 50.0, 100.0
LIM_PENALTY, LIM_SEASONAL_PENALTY, XRO_PENALTY = 10.0, 30.0, 40.0
"""Chosen on Niño 3.4 targets before 2000 and Pacific temperatures of 1920-1989, the peers' too; that named
``xro`` has none."""


def locations(
    state: np.ndarray, known: int, season: np.ndarray, period: int, leads: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Every model's expected target ``(rows, leads)``, in σ of the target (see ``levels.linear``)."""
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
