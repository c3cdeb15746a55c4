"""Energy-based models: tilts of classical forecasts, their normalisers and their training."""

from ebm_core.compositions import ScaledEnergy, SumEnergy, TemperedEnergy
from ebm_core.energies import BilinearEnergy
from ebm_core.gradients import frozen_gradient, input_gradient
from ebm_core.growth import widened
from ebm_core.networks import ClassEnergy, ConvEnergy, DenoisingEnergy, GaussianBernoulliRBM, MLPEnergy
from ebm_core.pool import LinearPool, fit_pool_weights
from ebm_core.replay import ReplayBuffer
from ebm_core.samplers import langevin
from ebm_core.skewt import SkewT
from ebm_core.tilted import TiltedDistribution, untilted
from ebm_core.training import Fit, fit_seeds, fit_tilt

__all__ = [
    "BilinearEnergy",
    "ClassEnergy",
    "ConvEnergy",
    "DenoisingEnergy",
    "Fit",
    "GaussianBernoulliRBM",
    "LinearPool",
    "MLPEnergy",
    "ReplayBuffer",
    "ScaledEnergy",
    "SkewT",
    "SumEnergy",
    "TemperedEnergy",
    "TiltedDistribution",
    "fit_pool_weights",
    "fit_seeds",
    "fit_tilt",
    "frozen_gradient",
    "input_gradient",
    "langevin",
    "untilted",
    "widened",
]
