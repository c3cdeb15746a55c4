"""Linear pools: several forecast distributions mixed by weights that past scores have earned."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm_core.tilts.quadrature import log_normal_density
from ebm_core.tilts.skewt import SkewT

TOLERANCE = 1e-11
"""Of the normal score when a quantile is solved for."""


class LinearPool(Distribution):
    """q(y) = Σₖ wₖ qₖ(y): the mixture of ``members``, each a :class:`SkewT` of batch shape ``(n,)``.

    ``weights`` has shape ``(members, n)`` and sums to one over the members; raises ``ValueError`` where it
    does not. The pool's log score is never below the weighted mean of its members' (Jensen).

    Reference: Geweke and Amisano (2011), Optimal prediction pools, J. Econometrics 164(1).
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real

    def __init__(self, members: Sequence[SkewT], weights: Tensor) -> None:
        if weights.shape != (len(members), *members[0].batch_shape):
            raise ValueError(f"weights of shape {tuple(weights.shape)}, expected (members, *batch)")
        if not torch.allclose(weights.sum(0), torch.ones(()).to(weights)) or (weights < 0).any():
            raise ValueError("the weights of a pool must be non-negative and sum to 1 over the members")
        super().__init__(members[0].batch_shape, validate_args=False)
        self.members = tuple(members)
        self.weights = weights

    def __getitem__(self, part: slice) -> "LinearPool":
        """The pool of some rows of the batch."""
        return LinearPool([m[part] for m in self.members], self.weights[:, part])

    @property
    def mean(self) -> Tensor:
        return (self.weights * torch.stack([m.mean for m in self.members])).sum(0)

    @property
    def variance(self) -> Tensor:
        second = torch.stack([m.variance + m.mean**2 for m in self.members])
        return (self.weights * second).sum(0) - self.mean**2

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at ``value`` (shape broadcastable to ``(*sample, n)``), in nats."""
        each = [w.log() + m.log_prob(value) for w, m in zip(self.weights, self.members, strict=True)]
        return torch.logsumexp(torch.stack(each), 0)

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """``(P(Y ≤ value), P(Y > value))``, the smaller one without cancellation."""
        each = [m.tails(value) for m in self.members]
        lower = sum(w * below for w, (below, _) in zip(self.weights, each, strict=True))
        upper = sum(w * above for w, (_, above) in zip(self.weights, each, strict=True))
        return torch.as_tensor(lower), torch.as_tensor(upper)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y ≤ value)."""
        return self.tails(value)[0]

    def normal_score(self, value: Tensor) -> Tensor:
        """s = Φ⁻¹(P(Y ≤ value)), accurate in both tails; standard normal under this distribution."""
        lower, upper = self.tails(value)
        left = lower < upper
        score = torch.as_tensor(special.ndtri(torch.where(left, lower, upper).clamp_min(1e-300).numpy()))
        return torch.where(left, score, -score)

    def from_normal_score(self, score: Tensor) -> Tensor:
        """The Φ(score) quantile: Newton in the score, between the members' own quantiles."""
        each = torch.stack([m.from_normal_score(score) for m in self.members])
        if len(self.members) == 1:
            return each[0]
        low, high = each.amin(0), each.amax(0)
        value = (self.weights.reshape(-1, *(1,) * (each.dim() - 2), *self.batch_shape) * each).sum(0)
        for _ in range(60):
            now = self.normal_score(value)
            excess = now - score
            if float(excess.abs().max()) < TOLERANCE:
                break
            low, high = torch.where(excess < 0, value, low), torch.where(excess < 0, high, value)
            newton = value - excess * torch.exp(log_normal_density(now) - self.log_prob(value))
            value = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        return value

    def icdf(self, value: Tensor) -> Tensor:
        """The ``value`` quantile, for probabilities in (0, 1)."""
        return self.from_normal_score(torch.as_tensor(special.ndtri(value.numpy())))


def fit_pool_weights(log_density: np.ndarray, prior: float = 20.0) -> np.ndarray:
    """Weights ``(members,)`` that maximise the pool's past log score, shrunk to equal ones.

    Maximises Σᵢ log Σₖ wₖ exp(ℓᵢₖ) + (prior / members) · Σₖ log wₖ over the simplex by expectation
    maximisation; ``prior`` is the number of past rows that equal weights count for. ``log_density`` ℓ has
    shape ``(n, members)``; without rows the weights are equal. Raises ``ValueError`` on NaN.
    """
    n, members = log_density.shape
    if np.isnan(log_density).any():
        raise ValueError("log_density has NaN; score the members before pooling them")
    weights = np.full(members, 1 / members)
    if n == 0:
        return weights
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    for _ in range(500):
        share = density * weights
        share /= share.sum(axis=1, keepdims=True)
        updated = (share.sum(axis=0) + prior / members) / (n + prior)
        done = np.abs(updated - weights).max() < 1e-9
        weights = updated
        if done:
            break
    return weights
