"""Regular vine copulas, of the package pyvinecopulib (extra ``[vines]``), as peers of joint models."""

from typing import Any

import numpy as np
import torch
from scipy import special

from tasks.joint.models import CopulaPath


def fit_vine(scores: np.ndarray) -> Any:
    """Fit a regular vine of parametric pair copulas to normal scores ``(rows, d)``, chosen by BIC.

    Reference: Dissmann et al. (2013), Computational Statistics & Data Analysis 59.
    """
    import pyvinecopulib as pv

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


def log_vine(vine: Any, scores: np.ndarray) -> np.ndarray:
    """Return the log densities of a vine at normal scores, in nats."""
    found: np.ndarray = np.log(np.maximum(vine.pdf(np.clip(special.ndtr(scores), 1e-10, 1 - 1e-10)), 1e-300))
    return found


def filtered_vine(path: CopulaPath, learned: int) -> np.ndarray:
    """Return the log densities after ``learned`` rows of a Gaussian copula path and a vine of what it leaves.

    The vine is fitted to the whitened coordinates of the rows before, which a correct path makes
    independent.
    """
    copula = path.copula(slice(0, len(path.scores)))
    w = copula.whiten(torch.as_tensor(path.scores)).numpy()
    vine = fit_vine(w[:learned])
    return path.log_density(slice(learned, len(w))) + log_vine(vine, w[learned:])
