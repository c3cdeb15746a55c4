"""Mixtures of skewed t distributions in NumPy, the bases of stored tilts."""

from dataclasses import dataclass

import numpy as np

from ebm_core.tilts import hansen
from ebm_core.tilts.quadrature import log_sum

TOLERANCE = 1e-11
"""Tolerance of the normal score when a quantile is computed by Newton's method."""


@dataclass(frozen=True)
class SkewTMixture:
    """Mixture Σₖ wₖ qₖ(y) of skewed t distributions qₖ, as :class:`~ebm_core.tilts.pool.LinearPool` is.

    The parameters of the members are those of :class:`~ebm_core.tilts.skewt.SkewT`, and the weights sum to
    one over the members. All are of shape ``(members, *batch)`` and in float64.
    """

    loc: np.ndarray
    scale: np.ndarray
    eta: np.ndarray
    lam: np.ndarray
    weights: np.ndarray

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.weights.shape[1:]

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the log density in nats at ``value``, which must broadcast to ``(*sample, *batch)``."""
        each = [
            hansen.log_density(np, (value - loc) / scale, eta, lam) - np.log(scale)
            for loc, scale, eta, lam in self._members()
        ]
        with np.errstate(divide="ignore"):  # of a weight of 0
            return log_sum(np.stack([w + q for w, q in zip(np.log(self.weights), each, strict=True)]))

    def normal_score(self, value: np.ndarray) -> np.ndarray:
        """Return Φ⁻¹(P(Y ≤ value)), accurate in both tails."""
        each = [hansen.tails((value - loc) / scale, eta, lam) for loc, scale, eta, lam in self._members()]
        below, above = (
            np.stack([w * p for w, p in zip(self.weights, tails, strict=True)]).sum(0)
            for tails in zip(*each, strict=True)
        )
        return hansen.score_of_tail(value, below < above, np.minimum(below, above))

    def from_normal_score(self, score: np.ndarray) -> np.ndarray:
        """Return the Φ(score) quantile, by Newton's method between the quantiles of the members."""
        endless = np.isinf(score)
        finite = np.where(endless, 0.0, score)
        each = np.stack(
            [loc + scale * hansen.quantile(finite, *shape) for loc, scale, *shape in self._members()]
        )
        low, high = each.min(0), each.max(0)
        samples = (1,) * (low.ndim - len(self.batch_shape))
        value = (self.weights.reshape(-1, *samples, *self.batch_shape) * each).sum(0)
        for _ in range(60 if len(each) > 1 else 0):
            now = self.normal_score(value)
            excess = now - finite
            if np.abs(excess).max(initial=0.0) < TOLERANCE:
                break
            low, high = np.where(excess < 0, value, low), np.where(excess < 0, high, value)
            newton = value - excess * np.exp(hansen.log_normal_density(now) - self.log_prob(value))
            value = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        return np.where(endless, score, value)

    def _members(self) -> "zip[tuple[np.ndarray, ...]]":
        return zip(self.loc, self.scale, self.eta, self.lam, strict=True)
