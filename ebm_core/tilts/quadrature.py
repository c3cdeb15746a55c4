"""Numerical integration against the standard normal density, for normalisers, moments and cdfs."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ebm_core.tilts.skewt import log_normal_density

REACH = 9.0
"""The panels cover scores within ±REACH at first. The probability outside is 2·Φ(−9) ≈ 2e−19."""

MOST_REACH = 144.0
"""Largest reach of the panels."""

MOST_PANELS = 4096
"""Largest number of panels of a refined rule."""

RESOLVED = 1e-8
"""Change of log Z with twice as many panels, in nats, below which the rule is not refined further."""

TOLERATED = 1e-4
"""Largest such change that is accepted with ``MOST_PANELS`` panels, as for an energy with a jump."""

OUTSIDE = 1e-12
"""Share of the mass beyond the panels, or in the outermost two, above which the reach is doubled."""

NODES = 4
"""Gauss–Legendre nodes in each panel."""


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre rule for ∫ f(s) φ(s) ds = ∫₀¹ f(Φ⁻¹(u)) du on ``count`` equal panels of s.

    The panels cover ±``reach``. ``score`` and ``log_weight`` are the nodes and log weights
    ``(count · NODES,)``. The weights sum to 1.
    """

    count: int
    score: Tensor
    log_weight: Tensor
    reach: float = REACH

    @property
    def width(self) -> float:
        return 2 * self.reach / self.count

    def finer(self) -> "Panels":
        """Return the rule with the same reach and panels of half the width."""
        return panels(2 * self.count, self.reach)

    def wider(self) -> "Panels":
        """Return the rule with twice the reach and panels of the same width."""
        return panels(2 * self.count, 2 * self.reach)

    def end_mass(self, log_mass: Tensor) -> float:
        """Return the largest share of the mass, over the batch, in the first or the last panel."""
        ends = torch.softmax(log_mass, 0).reshape(self.count, NODES, -1)[[0, -1]].sum(1)
        return float(ends.max()) if ends.numel() else 0.0


def legendre() -> tuple[Tensor, Tensor]:
    """Return nodes and weights of the Gauss–Legendre rule on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return torch.as_tensor((x + 1) / 2), torch.as_tensor(w / 2)


@cache
def panels(count: int, reach: float = REACH) -> Panels:
    """Return the rule with ``count`` panels in ±``reach``, in float64."""
    x, w = legendre()
    width = 2 * reach / count
    edges = -reach + width * torch.arange(count, dtype=torch.float64)
    score = (edges[:, None] + width * x).reshape(-1)
    log_weight = (torch.log(w * width).expand(count, NODES)).reshape(-1) + log_normal_density(score)
    return Panels(count, score, log_weight - torch.logsumexp(log_weight, 0), reach)


@cache
def far_nodes() -> tuple[Tensor, Tensor]:
    """Return nodes and log weights from ±REACH to ±MOST_REACH, on panels that grow with the distance."""
    x, w = legendre()
    edges = torch.from_numpy(np.geomspace(REACH, MOST_REACH, 33))
    width = edges.diff()[:, None]
    score = (edges[:-1, None] + width * x).reshape(-1)
    log_weight = torch.log(w * width).reshape(-1) + log_normal_density(score)
    return torch.cat([-score, score]), torch.cat([log_weight, log_weight])
