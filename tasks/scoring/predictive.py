"""Forecast summary used for scoring: log density, CRPS, PIT, mean, quantiles and value at risk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from ebm_core.tilts.normalised import NormalisedTilt

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.forecasters.mixture_density import MixtureDensityNetwork

LEVELS = np.arange(1, 100) / 100
"""Levels of the quantile columns ``q0.01`` to ``q0.99``."""

TAIL_LEVELS = (0.01, 0.025, 0.05)
"""Levels of value at risk and expected shortfall."""


@dataclass(frozen=True)
class Predictive:
    """Summaries of n forecasts.

    ``quantiles`` is ``(n, 99)``, the value at risk ``var`` and the expected shortfall ``shortfall`` are
    ``(n, 3)``, one for each of ``TAIL_LEVELS``, and the other arrays are ``(n,)``. ``pit`` is P(Y ≤
    observed), and ``shortfall`` is E[Y | Y ≤ VaR]. Quantiles, CRPS, mean, VaR and shortfall are in the unit
    of the target.
    """

    log_density: np.ndarray
    crps: np.ndarray
    pit: np.ndarray
    mean: np.ndarray
    quantiles: np.ndarray
    var: np.ndarray
    shortfall: np.ndarray

    def table(self, rows: pd.DataFrame, model: str) -> pd.DataFrame:
        """Return the summaries of ``rows`` as a table with the columns of ``forecasts.parquet``."""
        keys = rows[["series", "origin", "lead", "time"]].reset_index(drop=True)
        scores = pd.DataFrame(
            {
                "observed": rows["target"].to_numpy(),
                "model": model,
                "log_density": self.log_density,
                "crps": self.crps,
                "pit": self.pit,
                "mean": self.mean,
            }
        )
        quantiles = pd.DataFrame(self.quantiles, columns=[f"q{level:.2f}" for level in LEVELS])
        tails = {f"var_{level:g}": self.var[:, i] for i, level in enumerate(TAIL_LEVELS)}
        tails |= {f"shortfall_{level:g}": self.shortfall[:, i] for i, level in enumerate(TAIL_LEVELS)}
        return pd.concat([keys, scores, quantiles, pd.DataFrame(tails)], axis=1)


def from_tilted(
    distribution: NormalisedTilt, observed: np.ndarray, tails: np.ndarray | None = None
) -> Predictive:
    """Summarise a tilted distribution of batch shape ``(n,)``, or an untilted one with zero energy.

    ``tails`` ``(n, 3)`` are the probability levels of value at risk and expected shortfall, by default
    ``TAIL_LEVELS``.

    The CRPS is that of the quadrature nodes as a weighted ensemble. They are at least 512 with the 128 panels
    of the forecasts, and more where the energy needs it. For a Student t the CRPS agrees with the closed form
    to 1e-4 of the scale.
    """
    import scoringrules

    values, weights = (np.asarray(each).T for each in distribution.weighted_nodes())
    if tails is None:
        tails = np.tile(np.array(TAIL_LEVELS), (len(observed), 1))
    levels = np.vstack([np.tile(LEVELS[:, None], (1, len(observed))), tails.T])
    quantiles = np.asarray(distribution.icdf(levels)).T
    return Predictive(
        np.asarray(distribution.log_prob(observed)),
        np.asarray(
            scoringrules.crps_ensemble(observed, values, ens_w=weights, estimator="qd", sorted_ensemble=True)
        ),
        np.asarray(distribution.cdf(observed)),
        (values * weights).sum(1),
        quantiles[:, : len(LEVELS)],
        quantiles[:, len(LEVELS) :],
        np.stack([_shortfall(values, weights, level[:, None]) for level in tails.T], 1),
    )


def from_sample(sample: np.ndarray, observed: np.ndarray) -> Predictive:
    """Summarise a sample ``(n, m)``, with a Gaussian kernel estimate of its density (Silverman 1986)."""
    import scoringrules

    sample = np.sort(sample, axis=1)
    n, m = sample.shape
    log_density, z = _kernel_estimate(sample, observed, _width(sample))
    weights = np.full((n, m), 1 / m)
    return Predictive(
        log_density,
        np.asarray(scoringrules.crps_ensemble(observed, sample, estimator="qd", sorted_ensemble=True)),
        special.ndtr(z).mean(1),
        sample.mean(1),
        np.quantile(sample, LEVELS, axis=1).T,
        np.quantile(sample, TAIL_LEVELS, axis=1).T,
        np.stack([_shortfall(sample, weights, level) for level in TAIL_LEVELS], 1),
    )


def monte_carlo_error(sample: np.ndarray, observed: np.ndarray, half: np.ndarray | None = None) -> np.ndarray:
    """Estimate the Monte Carlo errors ``(n,)`` of the log densities of :func:`from_sample`, with their signs.

    They are half the differences of the log densities of two independent halves of the sample ``(n, m)``.
    ``half`` ``(n, m)`` is 0 or 1 for each draw. The halves need not be of equal size, as after resampling,
    where all copies of a draw are in one half. By default they are every other draw and the rest. The draws
    must then be independent, or in pairs that are an even number of places apart. Models that share their
    draws and halves share the error, so that it cancels in the difference of their scores.
    """
    if half is None:
        half = np.broadcast_to(np.arange(sample.shape[1]) % 2, sample.shape)
    width = _width(np.sort(sample, axis=1))
    error = np.empty(len(sample))
    for row, (draws, of) in enumerate(zip(sample, half, strict=True)):
        first, second = (_half_density(draws, of == i, observed[row], width[row]) for i in range(2))
        error[row] = (first - second) / 2
    return error


def _half_density(draws: np.ndarray, chosen: np.ndarray, observed: float, width: float) -> float:
    """Return the log density of ``observed`` by the chosen draws, those of one half.

    If a few draws have most of the weight, one half may have hardly any. Its kernel is therefore not narrower
    than half the ``width`` of the kernel of all draws, and a half without draws is taken to be the draw that
    is farthest from the observation.
    """
    if not chosen.any():
        chosen = np.abs(draws - observed) == np.abs(draws - observed).max()
    part = np.sort(draws[chosen])[None]
    own = _width(part) if part.shape[1] > 1 else np.zeros(1)
    return float(_kernel_estimate(part, np.array([observed]), np.maximum(own, width / 2))[0][0])


def _width(sample: np.ndarray) -> np.ndarray:
    """Return the width ``(n,)`` of the Gaussian kernel of a sample ``(n, m)``, by the rule of Silverman."""
    deviation = sample.std(1, ddof=1)
    middle = np.subtract(*np.quantile(sample, [0.75, 0.25], axis=1)) / 1.34
    # The interquartile range is 0 if a series is mostly constant, and the deviation is 0 if it always is.
    spread = np.where(middle > 0, np.minimum(deviation, middle), deviation).clip(1e-9)
    width: np.ndarray = 0.9 * spread * sample.shape[1] ** -0.2
    return width


def _kernel_estimate(
    sample: np.ndarray, observed: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log density ``(n,)`` of observations by a Gaussian kernel, and their distances ``(n, m)``.

    The distances from the sorted sample are in units of the width of the kernel.
    """
    m = sample.shape[1]
    z = (observed[:, None] - sample) / width[:, None]
    return special.logsumexp(-0.5 * z**2, axis=1) - np.log(m * width * np.sqrt(2 * np.pi)), z


def from_mixture(
    network: "MixtureDensityNetwork", x: "Tensor", center: float, spread: float, observed: np.ndarray
) -> Predictive:
    """Summarise the equally weighted mixture of the seeds of a network, in the unit of the target."""
    import scoringrules
    import torch

    with torch.no_grad():
        log_pi, loc, scale = network(x)
    pi = (log_pi.exp() / network.seeds).permute(1, 0, 2).reshape(len(x), -1).double().numpy()
    mu = center + spread * loc.permute(1, 0, 2).reshape(len(x), -1).double().numpy()
    sigma = spread * scale.permute(1, 0, 2).reshape(len(x), -1).double().numpy()
    z = (observed[:, None] - mu) / sigma
    log_density = special.logsumexp(np.log(pi) - 0.5 * z**2 - np.log(sigma * np.sqrt(2 * np.pi)), axis=1)
    levels = np.concatenate([LEVELS, TAIL_LEVELS])
    quantiles = _mixture_quantiles(pi, mu, sigma, levels)
    var = quantiles[:, len(LEVELS) :]
    at = (var[:, :, None] - mu[:, None]) / sigma[:, None]
    density = np.exp(-0.5 * at**2) / np.sqrt(2 * np.pi)
    below = (pi[:, None] * (mu[:, None] * special.ndtr(at) - sigma[:, None] * density)).sum(2)
    return Predictive(
        log_density,
        np.asarray(scoringrules.crps_mixnorm(observed, mu, sigma, pi)),
        (pi * special.ndtr(z)).sum(1),
        (pi * mu).sum(1),
        quantiles[:, : len(LEVELS)],
        var,
        below / np.array(TAIL_LEVELS),
    )


def _mixture_quantiles(pi: np.ndarray, mu: np.ndarray, sigma: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Compute quantiles ``(n, levels)`` by 50 bisections of the interval μ ± 12σ."""
    low = np.broadcast_to((mu - 12 * sigma).min(1)[:, None], (len(mu), len(levels))).copy()
    high = np.broadcast_to((mu + 12 * sigma).max(1)[:, None], (len(mu), len(levels))).copy()
    for _ in range(50):
        middle = (low + high) / 2
        cdf = (pi[:, None] * special.ndtr((middle[:, :, None] - mu[:, None]) / sigma[:, None])).sum(2)
        low, high = np.where(cdf < levels, middle, low), np.where(cdf < levels, high, middle)
    return (low + high) / 2


def _shortfall(values: np.ndarray, weights: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Compute E[Y | Y ≤ quantile of ``level``] of sorted values with weights, both ``(n, m)``.

    The value at the quantile has the part of its weight that makes the sum equal ``level``. ``level`` is a
    number or ``(n, 1)``.
    """
    cumulative = np.cumsum(weights, axis=1)
    counted = np.clip(weights - np.maximum(cumulative - level, 0), 0, None)
    shortfall: np.ndarray = (counted * values).sum(1) / counted.sum(1)
    return shortfall
