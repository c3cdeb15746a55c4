"""Quantiles and expected shortfalls in `forecast.json`, at the stored levels and between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special
from scipy.interpolate import PchipInterpolator

from tasks.runtime.errors import BasinError

LEVELS = np.unique([*np.arange(1, 100) / 100, 0.001, 0.0025, 0.005, 0.025, 0.975, 0.995, 0.9975, 0.999])
"""Levels of the quantiles in `forecast.json`: 0.01 to 0.99, with further ones in the tails."""

RISK_LEVELS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Levels of value at risk and expected shortfall in `forecast.json`."""

NODES = 16
"""Nodes of the Gauss–Legendre rule between the levels of two stored expected shortfalls."""


def key(level: float) -> str:
    """Return a level as a key of `forecast.json`, such as ``0.05``, ``0.50`` and ``0.025``."""
    return f"{level:.2f}" if round(level, 2) == level else f"{level:g}"


def entries(values: np.ndarray) -> dict[str, Any]:
    """Return the entries ``quantiles`` and ``interval_90`` from the quantiles ``(len(LEVELS),)``."""
    quantiles = {key(level): float(value) for level, value in zip(LEVELS, values, strict=True)}
    return {"quantiles": quantiles, "interval_90": [quantiles["0.05"], quantiles["0.95"]]}


def risks(quantiles: dict[str, float], shortfalls: np.ndarray) -> dict[str, Any]:
    """Return the entries ``var`` and ``es`` from quantiles and the expected shortfalls at ``RISK_LEVELS``.

    Both are returns, so losses are negative: ``var`` is the quantile, and ``es`` the mean of the returns
    below it, as in `forecasts.parquet`.
    """
    names = [key(level) for level in RISK_LEVELS]
    return {
        "var": {name: quantiles[name] for name in names},
        "es": {name: float(value) for name, value in zip(names, shortfalls, strict=True)},
    }


def quantile(step: dict[str, Any], levels: Sequence[float]) -> np.ndarray:
    """Return the quantiles of a step of `forecast.json` at ``levels``.

    Stored quantiles are returned as they are. Between them the quantile is a monotone cubic (PCHIP) of the
    normal score Φ⁻¹(level). Raises ``BasinError`` for a level outside of the stored ones.
    """
    return _between(step["quantiles"], levels)


def value_at_risk(step: dict[str, Any], levels: Sequence[float]) -> np.ndarray:
    """Return the quantiles of a step of `forecast.json` at ``levels`` of the lower tail of a return.

    Raises ``BasinError`` if the forecast is not of a return, or for a level that is not in the tail.
    """
    _require_tail("value at risk", step, levels)
    return quantile(step, levels)


def shortfall(step: dict[str, Any], levels: Sequence[float]) -> np.ndarray:
    """Return the expected shortfalls of a step of `forecast.json` at ``levels``.

    Stored values are returned as they are. From the stored level a below the level p, ES(p) is
    (a · ES(a) + ∫ q(u) du) / p, with the integral of the quantiles from a to p. Raises ``BasinError`` if the
    forecast is not of a return, or for a level that is not in the tail.
    """
    _require_tail("expected shortfall", step, levels)
    stored = {float(name): value for name, value in step["es"].items()}
    x, w = np.polynomial.legendre.leggauss(NODES)
    found = []
    for level in levels:
        start = max(known for known in stored if known <= level)
        inside = start + (level - start) * (1 + x) / 2
        total = start * stored[start] + (level - start) / 2 * float(w @ _between(step["quantiles"], inside))
        found.append(stored[start] if level == start else total / level)
    return np.array(found)


def _require_tail(what: str, step: dict[str, Any], levels: Sequence[float]) -> None:
    if "es" not in step:
        raise BasinError(f"{what} is of returns, and this forecast has none; use quantile()")
    for level in levels:
        if not RISK_LEVELS[0] <= level <= RISK_LEVELS[-1]:
            raise BasinError(
                f"{what} at level {level:g}: expected the probability of the tail, from "
                f"{RISK_LEVELS[0]:g} to {RISK_LEVELS[-1]:g}; at a confidence of 99 % it is 0.01"
            )


def _between(quantiles: dict[str, float], levels: Sequence[float] | np.ndarray) -> np.ndarray:
    known = np.array([float(name) for name in quantiles])
    for level in levels:
        if not known[0] <= level <= known[-1]:
            raise BasinError(
                f"quantile at level {level:g}: expected a probability from {known[0]:g} to {known[-1]:g}"
            )
    values = np.array(list(quantiles.values()))
    curve = PchipInterpolator(special.ndtri(known), values)(special.ndtri(np.asarray(levels, float)))
    stored = dict(zip(known.tolist(), values.tolist(), strict=True))
    return np.array([stored.get(float(level), at) for level, at in zip(levels, curve, strict=True)])
