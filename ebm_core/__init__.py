"""Energy-based models: tilts of classical forecasts, their normalisers and their training."""

from ebm_core.energies import BilinearEnergy
from ebm_core.skewt import SkewT
from ebm_core.tilted import TiltedDistribution, untilted
from ebm_core.training import TiltFit, fit_tilt

__all__ = ["BilinearEnergy", "SkewT", "TiltFit", "TiltedDistribution", "fit_tilt", "untilted"]
