"""Joint models of normal scores: copulas whose correlation moves, and the tilt of one of them."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ebm_core.tilts.copula import EllipticalCopula
from ebm_core.tilts.cross_section import (
    Conditions,
    CrossSectionTilt,
    Normaliser,
    fit_cross_section,
    normalise,
    statistics,
)
from ebm_core.tilts.joint import JointTilt
from tasks.joint.conditions import Scaling, conditions, raw_states, scaling_of
from tasks.joint.correlation import Dynamics, log_copula, standardised

DRAWS = 50_000
"""Draws of the base for a normaliser, and for the scenarios of a tilt."""

CHUNK = 32
"""Dates whose energies are computed at once."""


@dataclass(frozen=True)
class CopulaPath:
    """A copula along normal scores ``(rows, d)``, with correlations ``(rows + 1, d, d)`` before each row."""

    scores: np.ndarray
    dynamics: Dynamics
    correlation: np.ndarray

    @classmethod
    def along(cls, scores: np.ndarray, dynamics: Dynamics) -> "CopulaPath":
        return cls(scores, dynamics, dynamics.correlations(scores))

    def after(self, row: int) -> "CopulaPath":
        """Return the rows from ``row`` on."""
        return replace(self, scores=self.scores[row:], correlation=self.correlation[row:])

    def copula(self, rows: slice) -> EllipticalCopula:
        """Return the copula of some rows."""
        # A copy, because arrays from Ray are read-only, of which PyTorch warns.
        return EllipticalCopula(torch.tensor(self.correlation[rows]), self.dynamics.nu)

    def whitened(self) -> torch.Tensor:
        """Return the whitened coordinates ``(rows, d)`` of the scores."""
        return self.copula(slice(0, len(self.scores))).whiten(torch.tensor(self.scores))

    def log_density(self, rows: slice) -> np.ndarray:
        """Return the log density of the copula at rows of the scores, in nats."""
        return log_copula(self.scores[rows], self.correlation[rows], self.dynamics.nu)

    def draws(self, row: int, count: int, generator: torch.Generator) -> np.ndarray:
        """Return draws ``(count, d)`` of the normal scores at a row."""
        copula = self.copula(slice(row, row + 1))
        return copula.scores(copula.draw(count, generator)[None])[0].numpy()


@dataclass(frozen=True)
class TiltedPath:
    """The tilt of a copula along its scores, with what is known before each row and the row to come.

    At a row at which the normaliser would be infinite, the energy is 0 and the forecast is that of the base.
    """

    base: CopulaPath
    tilt: CrossSectionTilt
    conditions: Conditions
    scaling: Scaling

    def after(self, row: int) -> "TiltedPath":
        """Return the rows from ``row`` on."""
        return replace(self, base=self.base.after(row), conditions=self.conditions[row:])

    def weighted(self, weight: float) -> "TiltedPath":
        """Return the same with another weight of the energy."""
        return replace(self, tilt=replace(self.tilt, weight=weight))

    def energy(self, rows: slice) -> np.ndarray:
        """Return the energies of the rows of the scores, in nats."""
        points = self.base.copula(rows).whiten(torch.tensor(self.base.scores[rows]))[:, None]
        return self._energies(points, rows)[:, 0].numpy()

    def _energies(self, points: torch.Tensor, rows: slice) -> torch.Tensor:
        known = self.conditions[rows]
        finite = self.tilt.tail_index(known) > 0
        return torch.where(finite[:, None], self.tilt.energy(points, known), 0.0)

    def normaliser(self, rows: slice, generator: torch.Generator, draws: int | None = None) -> Normaliser:
        """Estimate log Z of rows from common draws of the base."""
        pool = self.base.copula(slice(0, 1)).draw(draws or DRAWS, generator)
        found = [
            normalise(self._energies(pool, slice(start, min(start + CHUNK, rows.stop))))
            for start in range(rows.start, rows.stop, CHUNK)
        ]
        parts = zip(*((part.log_z, part.error, part.effective_size) for part in found), strict=True)
        return Normaliser(*map(torch.cat, parts))

    def draws(self, row: int, count: int, generator: torch.Generator, draws: int | None = None) -> np.ndarray:
        """Return equally weighted draws ``(count, d)`` of the normal scores at a row, by resampling."""
        copula = self.base.copula(slice(row, row + 1))
        pool = copula.draw(draws or DRAWS, generator)
        energy = self._energies(pool, slice(row, row + 1))[0]
        chosen = JointTilt(energy).resample(count, generator)
        return copula.scores(pool[chosen][None])[0].numpy()


def fit_tilted(
    base: CopulaPath, scale: np.ndarray, market: np.ndarray, learn: slice, generator: torch.Generator
) -> TiltedPath:
    """Fit the tilt of a copula to the rows ``learn``.

    ``scale`` ``(rows + 1, d)`` are the scales of the marginals, and ``market`` ``(rows + 1,)`` is that of
    their mean.
    """
    nu = base.dynamics.nu
    w = base.whitened()
    pool = statistics(base.copula(slice(0, 1)).draw(DRAWS, generator), nu)
    standard = ((statistics(w, nu) - pool.mean(0)) / pool.std(0)).numpy()
    states = raw_states(standard, standardised(base.scores, nu), base.correlation, scale, market)
    scaling = scaling_of(states[learn])
    known = conditions(states, w.numpy(), scaling)
    tilt = fit_cross_section(w[learn], known[learn], nu, generator=generator)
    return TiltedPath(base, tilt, known, scaling)
