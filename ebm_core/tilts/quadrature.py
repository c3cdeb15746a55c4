"""Numerical integration against the standard normal density, for normalisers, moments and cdfs."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

REACH = 9.0
"""The panels cover scores within ±REACH. The probability outside is 2·Φ(−9) ≈ 2e−19."""

NODES = 4
"""Gauss–Legendre nodes in each panel."""


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre rule for ∫ f(s) φ(s) ds = ∫₀¹ f(Φ⁻¹(u)) du on ``count`` equal panels of s.

    ``score`` and ``log_weight`` are the nodes and log weights ``(count · NODES,)``. The weights sum to 1.
    """

    count: int
    score: Tensor
    log_weight: Tensor

    @property
    def width(self) -> float:
        return 2 * REACH / self.count


def legendre() -> tuple[Tensor, Tensor]:
    """Return nodes and weights of the Gauss–Legendre rule on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return torch.as_tensor((x + 1) / 2), torch.as_tensor(w / 2)


def log_normal_density(score: Tensor) -> Tensor:
    """Return log φ(s), the log density of the standard normal."""
    return -0.5 * score**2 - 0.5 * float(np.log(2 * np.pi))


@cache
def panels(count: int) -> Panels:
    """Return the rule with ``count`` panels, in float64."""
    x, w = legendre()
    width = 2 * REACH / count
    edges = -REACH + width * torch.arange(count, dtype=torch.float64)
    score = (edges[:, None] + width * x).reshape(-1)
    log_weight = (torch.log(w * width).expand(count, NODES)).reshape(-1) + log_normal_density(score)
    return Panels(count, score, log_weight - torch.logsumexp(log_weight, 0))
