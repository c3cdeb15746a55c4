"""Joint sample paths of several series: bootstraps of past changes, peers, and scores of the paths."""

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
"""Levels .05, .10 … .95 of the scored quantiles, as in the evaluator of GluonTS."""

LOCAL_ROWS = 1000
"""Number of latest rows to which AutoTheta and AutoETS are fitted. More rows cost time without benefit."""

SHORTEST = 60
"""Smallest number of rows of a history, needed to estimate a volatility."""


def moves(values: Array, kind: Kind) -> Array:
    """Return the changes ``(rows − 1, series)`` of values ``(rows, series)``: Δlog of prices, Δ of levels.

    Raises :class:`BasinError` if there are fewer than ``SHORTEST`` rows, or if a value is missing or a price
    is not positive. The message names its row and series.
    """
    if values.ndim != 2 or len(values) < SHORTEST:
        raise BasinError(
            f"paths: the history has shape {values.shape}, expected (rows, series) with at least {SHORTEST} "
            "rows; give a longer history"
        )
    bad = ~np.isfinite(values) | ((values <= 0) if kind == "price" else False)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise BasinError(
            f"paths: row {row}, series {column} is {values[row, column]}; expected a "
            f"{'positive' if kind == 'price' else 'finite'} number; drop or correct the row"
        )
    change: Array = np.diff(np.log(values) if kind == "price" else values, axis=0)
    return change


def follow(origin: Array, steps: Array, kind: Kind) -> Array:
    """Return paths that start at ``origin`` ``(series,)`` and change by ``steps``.

    Steps and paths are ``(samples, horizon, series)``.
    """
    total = steps.cumsum(axis=1)
    path: Array = origin * np.exp(total) if kind == "price" else origin + total
    return path


@dataclass(frozen=True)
class Volatility:
    """Volatility σ from a fast and a slow exponentially weighted variance, v_{t+1} = λ v_t + (1 − λ) r_t².

    σ² = (1 − w) v_fast + w v_slow, with λ = ``fast`` and λ = ``slow`` and w = ``weight``. w = 0 gives
    RiskMetrics (1996). The slow variance keeps σ above zero if a series does not move for weeks, as with a
    pegged currency. It also pulls the volatility towards its long-run mean, as in Engle and Lee (1999).
    """

    fast: float = 0.94
    slow: float = 0.995
    weight: float = 0.2

    def filtered(self, change: Array) -> tuple[Array, Array]:
        """Return the fast and the slow variances before each row and after the last, ``(rows + 1, series)``.

        Both start at the mean square of the whole history, all of which is known at the origin.
        """
        square = change**2
        parts = []
        for decay in (self.fast, self.slow):
            start = square.mean(axis=0, keepdims=True)
            run, _ = lfilter([1 - decay], [1, -decay], square, axis=0, zi=decay * start)
            parts.append(np.concatenate([start, run]))
        return parts[0], parts[1]

    def blend(self, fast: Array, slow: Array) -> Array:
        """Return σ from the two variances, in the unit of the changes and always positive."""
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
    """Draw paths ``(samples, horizon, series)`` by joint filtered historical simulation.

    Changes are standardised, z_t = r_t / σ_t. Each step of a path draws one past row of z for all series,
    which preserves their dependence, and changes by σ z, where σ is updated along the path. Each path has a
    mirror image with −z, so the median path is constant. Rows are drawn from the last ``history`` changes, by
    default from all. No step is larger than the largest past change, because σ would grow without bound if,
    for example, a devaluation were drawn twice.

    References: Barone-Adesi, Giannopoulos and Vosper (1999), VaR without correlations; Hull and White (1998).
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
    """Draw paths by a joint bootstrap of past changes without a filter. Each path has its mirror image."""
    change = moves(values, kind)
    steps = change[rng.integers(len(change), size=(-(-samples // 2), horizon))]
    return follow(values[-1], np.concatenate([steps, -steps])[:samples], kind)


def random_walk(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """Draw paths of independent Gaussian changes with mean zero and the covariance of all past changes."""
    change = moves(values, kind)
    covariance = change.T @ change / len(change)
    steps = rng.multivariate_normal(np.zeros(len(covariance)), covariance, (samples, horizon), method="eigh")
    return follow(values[-1], steps, kind)


def auto_theta(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """Draw paths with the forecasts of AutoTheta from ``statsforecast``, coupled by :func:`_coupled`.

    Reference: Fiorucci et al. (2016), Models for optimising the theta method, Int. J. Forecasting 32(4).
    """
    from statsforecast.models import AutoTheta

    return _coupled(AutoTheta, values, horizon, samples, rng, kind)


def auto_ets(
    values: Array, horizon: int, samples: int, rng: np.random.Generator, *, kind: Kind = "price"
) -> Array:
    """Draw paths with the forecasts of AutoETS from ``statsforecast``, coupled by :func:`_coupled`.

    Reference: Hyndman et al. (2002), A state space framework for automatic forecasting, Int. J. Forecasting
    18(3).
    """
    from statsforecast.models import AutoETS

    return _coupled(AutoETS, values, horizon, samples, rng, kind)


def _coupled(
    model: Any, values: Array, horizon: int, samples: int, rng: np.random.Generator, kind: Kind
) -> Array:
    """Draw joint paths from a model that forecasts one series at a time.

    The marginal distribution of each step is normal, with the mean and the 68 % interval that the model
    forecasts. To couple the series, past changes are drawn jointly for all of them and summed, and the
    standardised sums are used as the normal scores of the paths. The series thus keep their past dependence.
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
"""Peers that forecast joint paths, by their names in ``--peers``."""


@dataclass(frozen=True)
class PathLoss:
    """Quantile loss of one window, as GluonTS computes it.

    ``loss`` is the sum of mean_α 2·pinball_α over steps and series, and ``scale`` that of |y|. ``sum_loss``
    and ``sum_scale`` are the same for the sum of all series.
    """

    loss: float
    scale: float
    sum_loss: float
    sum_scale: float


def path_loss(paths: Array, observed: Array) -> PathLoss:
    """Compute quantile losses of ``paths`` ``(samples, horizon, series)`` for outcomes ``(horizon, series)``.

    CRPS ≈ Σ_{t,i} mean_α 2 (y − q_α)(α − 1{y < q_α}) / Σ|y| over the 19 ``SCORED_LEVELS``. CRPS_sum is the
    same for the sum of the series. Reference: Salinas et al. (2019), High-dimensional multivariate
    forecasting with low-rank Gaussian copula processes, NeurIPS.
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
    """Return ``crps`` and ``crps_sum`` over all windows: the sum of losses divided by the sum of scales."""
    return {
        "crps": sum(w.loss for w in losses) / sum(w.scale for w in losses),
        "crps_sum": sum(w.sum_loss for w in losses) / sum(w.sum_scale for w in losses),
    }


def paired_bootstrap(
    loss: Array, reference: Array, rng: np.random.Generator, *, block: int = 4, draws: int = 10_000
) -> dict[str, Any]:
    """Compute the gain 1 − Σloss / Σreference over windows in time order, with its uncertainty.

    Returns ``gain_pct`` in per cent, its 95 % ``interval`` and the two-sided p-value ``p``, from a circular
    block bootstrap of the pairs (Politis and Romano 1992).
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
