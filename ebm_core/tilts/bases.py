"""Normal scores of the bases of tilts: SkewT, LinearPool and the distributions of PyTorch."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from ebm_core.tilts.skewt import ScoredDistribution

SMALLEST, LARGEST = 1e-300, 1 - 2.0**-53
"""Probabilities at which the scores of a distribution that has only a cdf are cut off."""


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
