"""Integration against the standard normal on panels: nodes for normalisers, moments and cdfs."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

REACH = 9.0
"""Panels cover scores in ±REACH: the mass outside is 2·Φ(−9) ≈ 2e−19."""

NODES = 4
"""Gauss–Legendre nodes a panel."""


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre for ∫ f(s) φ(s) ds = ∫₀¹ f(Φ⁻¹(u)) du over ``count`` equal panels.

    ``score`` and ``log_weight`` have shape ``(count · NODES,)``; weights sum to 1.
    """

    count: int
    score: Tensor
    log_weight: Tensor

    @property
    def width(self) -> float:
        return 2 * REACH / self.count


def legendre() -> tuple[Tensor, Tensor]:
    """Nodes and weights of the Gauss–Legendre rule on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return torch.as_tensor((x + 1) / 2), torch.as_tensor(w / 2)


def log_normal_density(score: Tensor) -> Tensor:
    """log φ(s) of the standard normal."""
    return -0.5 * score**2 - 0.5 * float(np.log(2 * np.pi))


@cache
def panels(count: int) -> Panels:
    """The rule with ``count`` panels, in float64."""
    x, w = legendre()
    width = 2 * REACH / count
    edges = -REACH + width * torch.arange(count, dtype=torch.float64)
    score = (edges[:, None] + width * x).reshape(-1)
    log_weight = (torch.log(w * width).expand(count, NODES)).reshape(-1) + log_normal_density(score)
    return Panels(count, score, log_weight - torch.logsumexp(log_weight, 0))
