"""Energy-based models: tilts of classical forecasts, their normalisers and their training."""

from ebm_core.analytic import (
    DoubleWellEnergy,
    FunnelEnergy,
    GaussianEnergy,
    GaussianMixtureEnergy,
    RastriginEnergy,
    RosenbrockEnergy,
)
from ebm_core.compositions import ScaledEnergy, SumEnergy, TemperedEnergy
from ebm_core.convergence import effective_sample_size, r_hat, trace
from ebm_core.diagnostics import energy_calibration, energy_histogram, ksd, mmd
from ebm_core.energies import BilinearEnergy
from ebm_core.fit import EnergyFit, fit
from ebm_core.gradients import frozen_gradient, input_gradient
from ebm_core.growth import widened
from ebm_core.hybrid import AmortisedSampler
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
from ebm_core.partition import LogZ, ais, bracket, importance_log_z, reverse_ais
from ebm_core.parzen import ManifoldParzen
from ebm_core.pool import LinearPool, fit_pool_weights
from ebm_core.replay import ReplayBuffer
from ebm_core.samplers import annealed_langevin, hmc, langevin, mala, parallel_tempering
from ebm_core.skewt import SkewT
from ebm_core.surfaces import draw_surface, log_to_tensorboard, loss_surface, plane_slice
from ebm_core.tilted import TiltedDistribution, untilted
from ebm_core.training import Fit, fit_seeds, fit_tilt

__all__ = [
    "JEM",
    "AmortisedSampler",
    "BilinearEnergy",
    "ClassEnergy",
    "ContrastiveDivergence",
    "ConvEnergy",
    "DataChains",
    "DenoisingEnergy",
    "DenoisingScoreMatching",
    "DoubleWellEnergy",
    "EnergyDiscrepancy",
    "EnergyFit",
    "Fit",
    "FunnelEnergy",
    "GaussianBernoulliRBM",
    "GaussianEnergy",
    "GaussianMixtureEnergy",
    "LinearPool",
    "LogZ",
    "MLPEnergy",
    "ManifoldParzen",
    "Negatives",
    "Objective",
    "PersistentChains",
    "RastriginEnergy",
    "ReplayBuffer",
    "RosenbrockEnergy",
    "ScaledEnergy",
    "SkewT",
    "SlicedScoreMatching",
    "SumEnergy",
    "TemperedEnergy",
    "TiltedDistribution",
    "ais",
    "annealed_langevin",
    "bracket",
    "draw_surface",
    "effective_sample_size",
    "energy_calibration",
    "energy_histogram",
    "fit",
    "fit_pool_weights",
    "fit_seeds",
    "fit_tilt",
    "frozen_gradient",
    "hmc",
    "importance_log_z",
    "input_gradient",
    "ksd",
    "langevin",
    "log_to_tensorboard",
    "loss_surface",
    "mala",
    "mmd",
    "parallel_tempering",
    "plane_slice",
    "r_hat",
    "reverse_ais",
    "trace",
    "untilted",
    "widened",
]
