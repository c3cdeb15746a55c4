"""Numerical integration against the standard normal density, for normalisers, moments and cdfs."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ebm_core.tilts.normal_scores import log_normal_density

REACH = 9.0
"""The panels cover scores within ±REACH at first. The probability outside is 2·Φ(−9) ≈ 2e−19."""

MOST_REACH = 36.0
"""Largest reach of the panels. Φ(−38) underflows, so scores beyond have no quantile in float64."""

MOST_PANELS = 4096
"""Largest number of panels of a refined rule."""

RESOLVED = 1e-8
"""Change of log Z with twice as many panels, in nats, below which the rule is not refined further."""

TOLERATED = 1e-3
"""Largest such change that is accepted with ``MOST_PANELS`` panels, as for an energy with a jump."""

OUTSIDE = 1e-12
"""Share of the mass in the first or last panel above which the reach is doubled."""

ROUGH = 5e-3
"""``Panels.roughness`` above which log Z is compared with that of a finer rule."""

NODES = 4
"""Gauss–Legendre nodes in each panel."""


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre rule for ∫ f(s) φ(s) ds = ∫₀¹ f(Φ⁻¹(u)) du on ``count`` equal panels of s.

    The panels cover ±``reach``.

    ``score`` and ``log_weight`` are the nodes and log weights ``(count · NODES,)``. The weights sum to 1.
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

    def in_panels(self, log_mass: Tensor) -> Tensor:
        """Return the shares of the mass at the nodes, ``(count, NODES, n)``, of log masses ``(nodes, n)``."""
        return torch.softmax(log_mass, 0).reshape(self.count, NODES, -1)

    def end_mass(self, log_mass: Tensor) -> float:
        """Return the largest share of the mass, over the batch, in the first or the last panel."""
        ends = self.in_panels(log_mass)[[0, -1]].sum(1)
        return float(ends.max()) if ends.numel() else 0.0

    def roughness(self, log_mass: Tensor) -> float:
        """Return how poorly four nodes per panel resolve the integrand, as a share of its mass.

        It is the sum over panels of the third Legendre coefficient and of the difference between the values
        that two neighbours extrapolate to their common edge, the largest of the batch.
        """
        x, _ = legendre()
        terms = torch.from_numpy(np.polynomial.legendre.legvander(2 * x.numpy() - 1, NODES - 1))
        order = torch.arange(NODES)
        # The weights are in the mass already: coefficients c_k = (2k + 1) Σ_j w_j f_j P_k(x_j).
        coefficient = torch.einsum("jk,ijn->kin", (2 * order + 1) * terms, self.in_panels(log_mass))
        left, right = (((-1.0) ** order)[:, None, None] * coefficient).sum(0), coefficient.sum(0)
        share = coefficient[-1].abs().sum(0) + (right[:-1] - left[1:]).abs().sum(0)
        return float(share.max()) if share.numel() else 0.0


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
