"""Numerical integration against the standard normal density, for normalisers, moments and cdfs."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ebm_core.tilts.hansen import log_normal_density

REACH = 9.0
"""The panels cover scores within ±REACH at first. The probability outside is 2·Φ(−9) ≈ 2e−19."""

MOST_REACH = 144.0
"""Largest reach of the panels."""

MOST_PANELS = 4096
"""Largest number of panels of a refined rule."""

RESOLVED = 1e-8
"""Change of log Z if the panels are halved, in nats, below which the rule is not refined further."""

ROUNDING = 1e-6
"""Such a change that is accepted if it no longer falls, as with an energy in single precision or a jump."""

TOLERATED = 1e-4
"""Largest such change that is accepted with ``MOST_PANELS`` panels, as for an energy with a jump."""

ROUGH, FEW = 0.01, 0.25
"""A panel is rough if its log mass changes by more than ``ROUGH`` if it is halved. ``FEW`` are a share."""

OUTSIDE = 1e-12
"""Share of the mass beyond the panels, or in the outermost two, above which the reach is doubled."""

NODES = 4
"""Gauss–Legendre nodes in each panel."""


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre rule for ∫ f(s) φ(s) ds = ∫₀¹ f(Φ⁻¹(u)) du on panels of s.

    The panels lie between the ``edges`` ``(count + 1,)``, from −``reach`` to ``reach``. ``score`` and
    ``log_weight`` are the nodes and log weights ``(count · NODES,)``. The weights sum to 1.
    """

    edges: np.ndarray
    score: np.ndarray
    log_weight: np.ndarray

    @classmethod
    def between(cls, edges: np.ndarray) -> "Panels":
        """Return the rule with panels between the given edges."""
        score, log_weight = _rule(edges)
        return cls(edges, score, log_weight - log_sum(log_weight))

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @property
    def reach(self) -> float:
        return float(self.edges[-1])

    @property
    def width(self) -> float:
        """Width of the first and last panel."""
        return float(self.edges[1] - self.edges[0])

    def finer(self, divided: np.ndarray | None = None) -> "Panels":
        """Return the rule with all panels halved, or those that are ``divided`` ``(count,)``."""
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        added = middle if divided is None else middle[divided]
        return Panels.between(np.sort(np.concatenate([self.edges, added])))

    def wider(self) -> "Panels":
        """Return the rule with twice the reach, and new panels of the width of the outermost."""
        outer = self.reach + self.width * np.arange(1, round(self.reach / self.width) + 1)
        return Panels.between(np.concatenate([-outer[::-1], self.edges, outer]))

    def end_mass(self, log_mass: np.ndarray) -> float:
        """Return the largest share of the mass, over the batch, in the first or the last panel."""
        share = np.exp(log_mass - log_sum(log_mass)).reshape(self.count, NODES, -1)
        return float(share[[0, -1]].sum(1).max(initial=0.0))

    def unresolved(self, log_mass: np.ndarray, halved: np.ndarray) -> np.ndarray:
        """Return which panels to halve ``(count,)``, so that log Z changes less next time.

        ``log_mass`` are normalised log masses at the nodes, and ``halved`` those of the finer rule. Panels
        with hardly any change are kept if few are rough, as at a jump or in a well. Otherwise the energy is
        rough everywhere, and masses that are missed may be in any panel.
        """
        before, after = (
            log_sum(m.reshape(self.count, -1, m[0].size).swapaxes(0, 1)) for m in (log_mass, halved)
        )
        with np.errstate(invalid="ignore"):  # no mass in a panel, whether it is halved or not
            rough = (np.abs(before - after) > ROUGH).any(1)
        if rough.mean() > FEW:
            return np.ones_like(rough)
        changed: np.ndarray = (
            np.abs(np.exp(before) - np.exp(after)).max(1, initial=0.0) > RESOLVED / self.count
        )
        return changed


def log_sum(values: np.ndarray) -> np.ndarray:
    """Return log Σ exp(values) over the first axis, which is −∞ without terms."""
    largest = values.max(0, initial=-np.inf)
    largest = np.where(np.isinf(largest), 0.0, largest)
    with np.errstate(divide="ignore"):
        found: np.ndarray = largest + np.log(np.exp(values - largest).sum(0))
    return found


@cache
def legendre() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the Gauss–Legendre rule on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return (x + 1) / 2, w / 2


@cache
def panels(count: int, reach: float = REACH) -> Panels:
    """Return the rule with ``count`` panels of equal width in ±``reach``."""
    width = 2 * reach / count
    return Panels.between(-reach + width * np.arange(count + 1))


@cache
def far_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and log weights from ±REACH to ±MOST_REACH.

    Out to ±38, beyond which the base has no mass in float64, the panels are as wide as 64 panels in ±REACH.
    """
    near = np.linspace(REACH, 38, 104)
    score, log_weight = _rule(np.concatenate([near, np.geomspace(38, MOST_REACH, 17)[1:]]))
    return np.concatenate([-score, score]), np.concatenate([log_weight, log_weight])


def _rule(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and log weights, with the normal density, of the panels between edges."""
    x, w = legendre()
    width = np.diff(edges)[:, None]
    score = (edges[:-1, None] + width * x).reshape(-1)
    return score, np.log(w * width).reshape(-1) + log_normal_density(score)
