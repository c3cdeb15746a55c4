"""Distributions that are given by the normal scores of their outcomes, and normal scores of any other."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from scipy import special
from torch import Tensor
from torch.distributions import Distribution, Normal, constraints

SMALLEST, LARGEST = 1e-300, 1 - 2.0**-53
"""Probabilities at which the scores of a distribution that has only a cdf are cut off."""


class ScoredDistribution(Distribution):
    """Real distribution with the normal score s(y) = Φ⁻¹(P(Y ≤ y)), which is accurate in both tails.

    A subclass defines ``log_prob``, ``normal_score`` and ``_quantile``.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real

    @abstractmethod
    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), differentiable in the value and the parameters."""

    @abstractmethod
    def _quantile(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile for finite scores, without a graph."""

    def from_normal_score(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile, the inverse of :meth:`normal_score`."""
        with torch.no_grad():
            endless = torch.isinf(score)
            value = self._quantile(torch.where(endless, 0.0, score) if bool(endless.any()) else score)
            value = torch.where(endless, score, value)
        if not torch.is_grad_enabled():
            return value
        error = self.normal_score(value) - score
        if not error.requires_grad:
            return value
        # The derivative of the inverse: dy = −d(s(y) − score) / s'(y), where s'(y) = q(y) / φ(s).
        slope = torch.exp(self.log_prob(value) - log_normal_density(score)).detach()
        return value - (error - error.detach()) / slope

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(P(Y ≤ value), P(Y > value))``, of which the smaller is computed without cancellation."""
        score = self.normal_score(value)
        return torch.special.ndtr(score), torch.special.ndtr(-score)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(Y ≤ value)."""
        return self.tails(value)[0]

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of the probabilities ``value``. Those of 0 and 1 are −∞ and ∞."""
        return self.from_normal_score(score_of(value))

    def sample(self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None) -> Tensor:
        """Draw independent samples of shape ``(*sample_shape, *batch)`` by the inverse cdf."""
        shape = (*sample_shape, *self.batch_shape)
        with torch.no_grad():
            return self.from_normal_score(torch.randn(shape, dtype=torch.float64, generator=generator))


def log_normal_density(score: Tensor) -> Tensor:
    """Return log φ(s) of the standard normal."""
    return -0.5 * score**2 - 0.5 * LOG_2PI


LOG_2PI = float(torch.log(2 * torch.tensor(torch.pi, dtype=torch.float64)))


def score_of(probability: Tensor) -> Tensor:
    """Return Φ⁻¹ of probabilities; raises ``ValueError`` for numbers outside [0, 1] and NaN."""
    probability = torch.as_tensor(probability, dtype=torch.float64)
    wrong = ~((probability >= 0) & (probability <= 1))
    if bool(wrong.any()):
        raise ValueError(f"value: {float(probability[wrong][0]):g}; expected probabilities in [0, 1]")
    if probability.requires_grad:
        return torch.special.ndtri(probability)
    return torch.as_tensor(special.ndtri(probability.numpy()))


def normal_score(base: Distribution, value: Tensor) -> Tensor:
    """Return the normal scores of values under any real distribution of PyTorch's with a cdf."""
    if isinstance(base, ScoredDistribution):
        return base.normal_score(value)
    value = torch.as_tensor(value, dtype=torch.float64)
    if isinstance(base, Normal):
        return (value - base.loc) / base.scale
    endless = torch.isinf(value)
    if bool(endless.any()):  # some of PyTorch's distributions refuse infinite values
        median = _of(base, "icdf", torch.tensor(0.5, dtype=torch.float64)).double()
        score = normal_score(base, torch.where(endless, median, value))
        return torch.where(endless, value, score)
    return torch.special.ndtri(_of(base, "cdf", value).double().clamp(SMALLEST, LARGEST))


def from_normal_score(base: Distribution, score: Tensor) -> Tensor:
    """Return the Φ(score) quantiles of any real distribution of PyTorch's with an icdf."""
    if isinstance(base, ScoredDistribution):
        return base.from_normal_score(score)
    if isinstance(base, Normal):
        return base.loc + base.scale * score
    value = _of(base, "icdf", torch.special.ndtr(score).clamp(SMALLEST, LARGEST)).double()
    lower = getattr(base.support, "lower_bound", -torch.inf)
    upper = getattr(base.support, "upper_bound", torch.inf)
    return torch.where(torch.isneginf(score), lower, torch.where(torch.isposinf(score), upper, value))


def _of(base: Distribution, method: str, value: Tensor) -> Tensor:
    try:
        found: Tensor = getattr(base, method)(value)
    except NotImplementedError:
        raise ValueError(
            f"base: {type(base).__name__} has no {method}; expected SkewT, LinearPool, or a distribution of "
            "PyTorch's with cdf and icdf"
        ) from None
    return found
