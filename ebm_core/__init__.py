"""Energy-based models: tilts of classical forecasts, their normalisers and their training."""

from ebm_core.energies import BilinearEnergy
from ebm_core.growth import widened
from ebm_core.pool import LinearPool, fit_pool_weights
from ebm_core.skewt import SkewT
from ebm_core.tilted import TiltedDistribution, untilted
from ebm_core.training import Fit, fit_seeds, fit_tilt

__all__ = [
    "BilinearEnergy",
    "Fit",
    "LinearPool",
    "SkewT",
    "TiltedDistribution",
    "fit_pool_weights",
    "fit_seeds",
    "fit_tilt",
    "untilted",
    "widened",
]
