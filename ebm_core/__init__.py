"""Energy-based models: tilts of classical forecasts, their normalisers and their training."""

from ebm_core.compositions import ScaledEnergy, SumEnergy, TemperedEnergy
from ebm_core.energies import BilinearEnergy
from ebm_core.fit import EnergyFit, fit
from ebm_core.gradients import frozen_gradient, input_gradient
from ebm_core.growth import widened
from ebm_core.negatives import DataChains, Negatives, PersistentChains
from ebm_core.networks import ClassEnergy, ConvEnergy, DenoisingEnergy, GaussianBernoulliRBM, MLPEnergy
from ebm_core.objectives import (
    JEM,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    Objective,
    SlicedScoreMatching,
)
from ebm_core.pool import LinearPool, fit_pool_weights
from ebm_core.replay import ReplayBuffer
from ebm_core.samplers import langevin
from ebm_core.skewt import SkewT
from ebm_core.tilted import TiltedDistribution, untilted
from ebm_core.training import Fit, fit_seeds, fit_tilt

__all__ = [
    "JEM",
    "BilinearEnergy",
    "ClassEnergy",
    "ContrastiveDivergence",
    "ConvEnergy",
    "DataChains",
    "DenoisingEnergy",
    "DenoisingScoreMatching",
    "EnergyDiscrepancy",
    "EnergyFit",
    "Fit",
    "GaussianBernoulliRBM",
    "LinearPool",
    "MLPEnergy",
    "Negatives",
    "Objective",
    "PersistentChains",
    "ReplayBuffer",
    "ScaledEnergy",
    "SkewT",
    "SlicedScoreMatching",
    "SumEnergy",
    "TemperedEnergy",
    "TiltedDistribution",
    "fit",
    "fit_pool_weights",
    "fit_seeds",
    "fit_tilt",
    "frozen_gradient",
    "input_gradient",
    "langevin",
    "untilted",
    "widened",
]
