"""Regular vine copulas, of the package pyvinecopulib (extra ``[vines]``), as peers of joint models."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import special

from tasks.joint.correlation import fit_dcc
from tasks.joint.models import CopulaPath
from tasks.runtime.errors import BasinError

EDGE = 1e-10
"""Least distance of probabilities from 0 and 1, where pair copulas lose their digits."""


@dataclass(frozen=True)
class VinePath:
    """A vine along normal scores ``(rows, d)``, or along the whitened coordinates of a ``filter``."""

    scores: np.ndarray
    vine: Any
    filter: CopulaPath | None = None

    @classmethod
    def along(cls, scores: np.ndarray, learned: int, filtered: bool) -> "VinePath":
        """Fit a vine to the first ``learned`` rows, or to what a Gaussian DCC leaves of them."""
        if not filtered:
            return cls(scores, fit_vine(scores[:learned]))
        path = CopulaPath.along(scores, fit_dcc(scores[:learned], gaussian=True))
        return cls(scores, fit_vine(path.whitened()[:learned].numpy()), path)

    def after(self, row: int) -> "VinePath":
        """Return the rows from ``row`` on."""
        return replace(self, scores=self.scores[row:], filter=self.filter and self.filter.after(row))

    def log_density(self, rows: slice) -> np.ndarray:
        """Return the log density of the copula at rows of the scores, in nats."""
        points, before = self.scores[rows], np.zeros(1)
        if self.filter is not None:
            before = self.filter.log_density(rows)
            points = self.filter.copula(rows).whiten(torch.as_tensor(points)).numpy()
        density = self.vine.pdf(np.clip(special.ndtr(points), EDGE, 1 - EDGE))
        found: np.ndarray = before + np.log(np.maximum(density, 1e-300))
        return found

    def draws(self, row: int, count: int, generator: torch.Generator) -> np.ndarray:
        """Return draws ``(count, d)`` of the normal scores at a row."""
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        w: np.ndarray = special.ndtri(self.vine.sample(count, seeds=[seed]))
        if self.filter is None:
            return w
        return self.filter.copula(slice(row, row + 1)).scores(torch.as_tensor(w)[None])[0].numpy()


def fit_vine(scores: np.ndarray) -> Any:
    """Fit a regular vine of parametric pair copulas to normal scores ``(rows, d)``, chosen by BIC.

    Reference: Dissmann et al. (2013), Computational Statistics & Data Analysis 59.
    """
    try:
        import pyvinecopulib as pv
    except ImportError as error:
        raise BasinError("vines need the package pyvinecopulib; pip install 'basin[vines]'") from error
    family = pv.BicopFamily
    controls = pv.FitControlsVinecop(
        family_set=[
            family.indep, family.gaussian, family.student, family.clayton, family.gumbel, family.frank,
            family.joe,
        ],
        selection_criterion="bic",
        num_threads=1,
    )  # fmt: skip
    return pv.Vinecop.from_data(special.ndtr(scores), controls=controls)
