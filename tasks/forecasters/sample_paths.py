"""Sample paths of many series together: bootstraps of past moves, their peers, and scores of the paths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from tasks.runtime.errors import BasinError

Array = NDArray[np.float64]
Kind = Literal["price", "level"]

SCORED_LEVELS = np.arange(1, 20) / 20
"""Quantiles .05, .10 … .95 of GluonTS's evaluator."""

LOCAL_ROWS = 1000
"""Rows that AutoTheta and AutoETS are fitted to: cost grows with them, and no trend should be older."""

SHORTEST = 60
"""Rows below which no volatility can be filtered."""


def moves(values: Array, kind: Kind) -> Array:
    """Δ log of prices, Δ of levels: shape ``(rows − 1, series)`` from ``(rows, series)``.

    Raises :class:`BasinError` naming the row and column of a value that is missing or, for a price, not
    positive, and where there are fewer than ``SHORTEST`` rows.
    """
    if values.ndim != 2 or len(values) < SHORTEST:
        raise BasinError(
            f"paths: a history of shape {values.shape}; expected (rows, series) with at least {SHORTEST} rows"
        )
    bad = ~np.isfinite(values) | ((values <= 0) if kind == "price" else False)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise BasinError(
            f"paths: row {row}, series {column} is {values[row, column]}; expected a "
            f"{'positive' if kind == 'price' else 'finite'} number; drop or mend the row"
        )
    change: Array = np.diff(np.log(values) if kind == "price" else values, axis=0)
    return change


def follow(origin: Array, steps: Array, kind: Kind) -> Array:
    """Paths from the last observed row ``(series,)`` along ``steps`` ``(samples, horizon, series)``."""
    total = steps.cumsum(axis=1)
    path: Array = origin * np.exp(total) if kind == "price" else origin + total
    return path


@dataclass(frozen=True)
class Volatility:
    """Two exponentially weighted variances, v_{t+1} = λ v_t + (1 − λ) r_t², blended to one volatility.

    σ² = (1 − w) v_fast + w v_slow with λ = ``fast`` and ``slow`` and w = ``weight``. RiskMetrics (1996) is
    w = 0. The slow part keeps σ away from zero where a series stands still for weeks, as a pegged currency
    does, and pulls volatility back to its long run as in Engle and Lee (1999).
    """

    fast: float = 0.94
    slow: float = 0.995
    weight: float = 0.2

    def filtered(self, change: Array) -> tuple[Array, Array]:
        """Variances before each row and after the last: two arrays ``(rows + 1, series)``.

        Both start at the mean square of the whole history, so a standardised past is one of the present.
        """
        square = change**2
        parts = []
        for decay in (self.fast, self.slow):
            start = square.mean(axis=0, keepdims=True)
            run, _ = lfilter([1 - decay], [1, -decay], square, axis=0, zi=decay * start)
            parts.append(np.concatenate([start, run]))
        return parts[0], parts[1]

    def blend(self, fast: Array, slow: Array) -> Array:
        """σ, in the unit of the moves; never zero."""
        sigma: Array = np.sqrt((1 - self.weight) * fast + self.weight * slow + 1e-24)
        return sigma


VOLATILITY = Volatility()


def filtered_bootstrap(
    values: Array,
    horizon: int,
    samples: int,
    rng: np.random.Generator,
    *,
    kind: Kind = "price",
    volatility: Volatility = VOLATILITY,
    history: int | None = None,
) -> Array:
    """Joint filtered historical simulation: ``(samples, horizon, series)`` in the unit of ``values``.

    z_t = r_t / σ_t; each step of a path draws one past row of z for all series together, which keeps their
    dependence, and moves by σ z with σ updated along the path. Every path has its mirror image −z, so the
    median path stands still. Rows come from the last ``history`` moves, or all. No step exceeds the largest
    move of the past: a devaluation drawn twice would else multiply itself.

    Reference: Barone-Adesi, Giannopoulos and Vosper (1999), VaR without correlations; Hull and White (1998).
    """
    change = moves(values, kind)
    fast, slow = volatility.filtered(change)
    standard = (change / volatility.blend(fast[:-1], slow[:-1]))[-(history or len(change)) :]
    largest = np.abs(change).max(axis=0)
    half = -(-samples // 2)
    rows = rng.integers(len(standard), size=(half, horizon))
    steps = np.empty((half, horizon, values.shape[1]))
    fast, slow = fast[-1], slow[-1]
    for step in range(horizon):
        move = volatility.blend(fast, slow) * standard[rows[:, step]]
        steps[:, step] = np.clip(move, -largest, largest)
        square = steps[:, step] ** 2
        fast = volatility.fast * fast + (1 - volatility.fast) * square
        slow = volatility.slow * slow + (1 - volatility.slow) * square
    return follow(values[-1], np.concatenate([steps, -steps])[:samples], kind)


def random_walk_bootstrap(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """Unfiltered joint bootstrap of past moves, each path with its mirror image."""
    change = moves(values, kind)
    steps = change[rng.integers(len(change), size=(-(-samples // 2), horizon))]
    return follow(values[-1], np.concatenate([steps, -steps])[:samples], kind)


def random_walk(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """Independent Gaussian moves with mean zero and the covariance of all past moves."""
    change = moves(values, kind)
    covariance = change.T @ change / len(change)
    steps = rng.multivariate_normal(np.zeros(len(covariance)), covariance, (samples, horizon), method="eigh")
    return follow(values[-1], steps, kind)


def auto_theta(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """AutoTheta of ``statsforecast``: see :func:`_coupled`.

    Reference: Fiorucci et al. (2016), Models for optimising the theta method, Int. J. Forecasting 32(4).
    """
    from statsforecast.models import AutoTheta

    return _coupled(AutoTheta, values, horizon, samples, rng, kind)


def auto_ets(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """AutoETS of ``statsforecast``: see :func:`_coupled`.

    Reference: Hyndman et al. (2002), A state space framework for automatic forecasting, Int. J. Forecasting
    18(3).
    """
    from statsforecast.models import AutoETS

    return _coupled(AutoETS, values, horizon, samples, rng, kind)


def _coupled(
    model: Any, values: Array, horizon: int, samples: int, rng: np.random.Generator, kind: Kind
) -> Array:
    """A model of one series at a time, its quantile functions coupled by joint past moves.

    Each step's marginal is the model's normal (its 68 % interval); a path's rank in it is that of the
    standardised sum of bootstrapped joint moves, so that sums over series have the past dependence.
    """
    change = moves(values, kind)
    change = change - change.mean(axis=0)
    spread = np.where(change.std(axis=0) > 0, change.std(axis=0), 1.0)
    total = (change / spread)[rng.integers(len(change), size=(samples, horizon))].cumsum(axis=1)
    normal = (total - total.mean(0)) / np.maximum(total.std(0), 1e-12)
    path = np.empty_like(normal)
    for series in range(values.shape[1]):
        found = model(season_length=1).forecast(values[-LOCAL_ROWS:, series], h=horizon, level=[68])
        sigma = (found["hi-68"] - found["lo-68"]) / (2 * 0.994457883209753)
        path[..., series] = found["mean"] + sigma * normal[..., series]
    return path


PEERS: dict[str, Callable[..., Array]] = {
    "random-walk": random_walk,
    "random-walk-bootstrap": random_walk_bootstrap,
    "auto-theta": auto_theta,
    "auto-ets": auto_ets,
}
"""Classical joint forecasts by the names that ``--peers`` takes."""


@dataclass(frozen=True)
class PathLoss:
    """What GluonTS sums over windows: ``loss`` Σ mean_α 2·pinball_α, ``scale`` Σ|y|, per window."""

    loss: float
    scale: float
    sum_loss: float
    sum_scale: float


def path_loss(paths: Array, observed: Array) -> PathLoss:
    """Quantile losses of ``paths`` ``(samples, horizon, series)`` at ``observed`` ``(horizon, series)``.

    CRPS ≈ Σ_{t,i} mean_α 2 (y − q_α)(α − 1{y < q_α}) / Σ|y| over the 19 ``SCORED_LEVELS``; CRPS_sum is the
    same after the series of each sample are summed. Salinas et al. (2019), Gaussian copula processes.
    """

    def pinball(sample: Array, y: Array) -> float:
        quantile = np.quantile(sample, SCORED_LEVELS, axis=0)
        level = SCORED_LEVELS.reshape(-1, *(1,) * y.ndim)
        return float((2 * (y - quantile) * (level - (y < quantile))).mean(axis=0).sum())

    total = observed.sum(axis=1)
    return PathLoss(
        pinball(paths, observed),
        float(np.abs(observed).sum()),
        pinball(paths.sum(axis=2), total),
        float(np.abs(total).sum()),
    )


def pooled_scores(losses: list[PathLoss]) -> dict[str, float]:
    """``{"crps", "crps_sum"}`` over windows: summed losses over summed scales."""
    return {
        "crps": sum(w.loss for w in losses) / sum(w.scale for w in losses),
        "crps_sum": sum(w.sum_loss for w in losses) / sum(w.sum_scale for w in losses),
    }


def paired_bootstrap(
    loss: Array, reference: Array, rng: np.random.Generator, *, block: int = 4, draws: int = 10_000
) -> dict[str, Any]:
    """Gain 1 − Σloss / Σreference over windows in time order, by circular block bootstrap of the pairs.

    Returns ``{"gain_pct", "interval" (95 %), "p" (two-sided)}``. Politis and Romano (1992).
    """
    n = len(loss)
    block = min(block, n)
    start = rng.integers(n, size=(draws, -(-n // block)))
    rows = ((start[..., None] + np.arange(block)) % n).reshape(draws, -1)[:, :n]
    gains = 100 * (1 - loss[rows].sum(1) / reference[rows].sum(1))
    below, above = (1 + np.sum(gains <= 0)) / (1 + draws), (1 + np.sum(gains >= 0)) / (1 + draws)
    return {
        "gain_pct": float(100 * (1 - loss.sum() / reference.sum())),
        "interval": [float(g) for g in np.quantile(gains, [0.025, 0.975])],
        "p": float(min(1.0, 2 * min(below, above))),
    }
