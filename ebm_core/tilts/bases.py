"""Normal scores of the bases of tilts: SkewT, LinearPool and the distributions of PyTorch."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from ebm_core.tilts.normalised import SMALLEST
from ebm_core.tilts.skewt import ScoredDistribution

LARGEST = 1 - 2.0**-53
"""Largest probability of a quantile."""


class Scores:
    """Normal scores, quantiles and densities of a real distribution, also outside of its support.

    For a distribution of PyTorch's, scores end where its ``cdf`` and ``icdf`` are no longer inverse to each
    other because of rounding, which for many is at a probability of about 1e−16.

    Raises ``ValueError`` if the base is a distribution of vectors.
    """

    def __init__(self, base: Distribution) -> None:
        if base.event_shape:
            raise ValueError(
                f"base: {type(base).__name__} is a distribution of values of shape "
                f"{tuple(base.event_shape)}; expected one of single numbers"
            )
        self.base = base
        self.exact = isinstance(base, ScoredDistribution | Normal)

    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), which is −∞ or ∞ outside of the support."""
        if isinstance(self.base, ScoredDistribution):
            return self.base.normal_score(value)
        value = torch.as_tensor(value, dtype=torch.float64)
        if isinstance(self.base, Normal):
            return (value - self.base.loc) / self.base.scale
        inside, within = self._inside(value)
        probability = self._of("cdf", inside.clamp(*self._last)).double().clamp(*self.limits)
        side = torch.where(value < inside, -torch.inf, torch.inf).double()
        return torch.where(within, torch.special.ndtri(probability), side)

    def from_normal_score(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantiles."""
        if isinstance(self.base, ScoredDistribution):
            return self.base.from_normal_score(score)
        if isinstance(self.base, Normal):
            return self.base.loc + self.base.scale * score
        value = self._of("icdf", torch.special.ndtr(score).clamp(*self.limits)).double()
        lower, upper = self._bounds
        return torch.where(torch.isneginf(score), lower, torch.where(torch.isposinf(score), upper, value))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density, in nats."""
        if self.exact:
            return self.base.log_prob(value)
        inside, within = self._inside(value)
        return torch.where(within, self.base.log_prob(inside), -torch.inf)

    def at_an_end(self, score: Tensor, margin: float) -> Tensor:
        """Tell which scores are less than ``margin`` within the last quantile, where outcomes are unbounded.

        The quantiles of larger scores are not those of the base but its last.
        """
        if self.exact:
            return torch.zeros_like(score, dtype=torch.bool)
        low, high = (torch.special.ndtri(limit) for limit in self.limits)
        lower, upper = self._bounds
        return ((score < low + margin) & (lower == -torch.inf)) | (
            (score > high - margin) & (upper == torch.inf)
        )

    @cached_property
    def limits(self) -> tuple[Tensor, Tensor]:
        """Probabilities between which ``cdf`` and ``icdf`` are inverse to each other, of the batch shape."""
        ends = torch.tensor(SMALLEST, dtype=torch.float64), torch.tensor(LARGEST, dtype=torch.float64)
        if self.exact:
            return ends
        try:
            self.base.icdf(ends[1])
        except NotImplementedError:
            return ends
        powers = torch.cat(
            [torch.tensor([300.0, 200, 100, 75, 50, 40, 30, 25, 20]), torch.arange(18, 0.5, -0.25)]
        )
        low = self._invertible(10.0 ** -powers.double(), upper=False)
        return low, 1 - self._invertible(2.0 ** -torch.arange(53.0, 0, -1).double(), upper=True)

    @cached_property
    def _last(self) -> tuple[Tensor, Tensor]:
        """First and last quantile, beyond which a ``cdf`` may refuse values that its support has."""
        try:
            low, high = (self.base.icdf(limit).detach().double() for limit in self.limits)
        except NotImplementedError:
            low, high = self._bounds
        return low, high

    @torch.no_grad()
    def _invertible(self, tail: Tensor, upper: bool) -> Tensor:
        """Return the smallest of ascending tail probabilities from which on quantiles are invertible."""
        probability = tail.reshape(-1, *(1,) * len(self.base.batch_shape))
        probability = probability.expand(-1, *self.base.batch_shape)
        value, within = self._inside(self._of("icdf", 1 - probability if upper else probability).double())
        back = self._of("cdf", value).double()
        error = ((1 - back if upper else back) - probability).abs()
        good = (within & (error <= probability / 2)).long().flip(0).cumprod(0).sum(0)
        return tail[(len(tail) - good).clamp_max(len(tail) - 1)]

    def _inside(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return values with those outside of the support replaced by an inner one, and which were inside."""
        within = torch.isnan(value) | (torch.isfinite(value) & self._support.check(value))
        if bool(within.all()):
            return value, within
        return torch.where(within, value, self._inner), within

    @cached_property
    def _inner(self) -> Tensor:
        try:
            return self.base.icdf(torch.tensor(0.5, dtype=torch.float64)).detach().double()
        except NotImplementedError:
            return self.base.mean.detach().double()

    @property
    def _support(self) -> Any:
        return self.base.support

    @property
    def _bounds(self) -> tuple[Tensor, Tensor]:
        lower = getattr(self._support, "lower_bound", -torch.inf)
        upper = getattr(self._support, "upper_bound", torch.inf)
        return torch.as_tensor(lower).double(), torch.as_tensor(upper).double()

    def _of(self, method: str, value: Tensor) -> Tensor:
        try:
            found: Tensor = getattr(self.base, method)(value)
        except NotImplementedError:
            raise ValueError(
                f"base: {type(self.base).__name__} has no {method}; expected SkewT, LinearPool, or a "
                "distribution of PyTorch's with cdf and icdf"
            ) from None
        return found
