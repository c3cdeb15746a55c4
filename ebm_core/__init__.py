"""Energy-based models: energies, samplers, normalisers, training objectives and tilts of forecasts."""

from ebm_core.energies.analytic import (
    DoubleWellEnergy,
    FunnelEnergy,
    GaussianEnergy,
    GaussianMixtureEnergy,
    RastriginEnergy,
    RosenbrockEnergy,
)
from ebm_core.energies.compositions import ScaledEnergy, SumEnergy, TemperedEnergy
from ebm_core.energies.gradients import frozen_gradient, input_gradient
from ebm_core.energies.networks import (
    ClassEnergy,
    ConvEnergy,
    DenoisingEnergy,
    FullPrecision,
    MLPEnergy,
)
from ebm_core.energies.parzen import ManifoldParzen
from ebm_core.energies.rbm import GaussianBernoulliRBM
from ebm_core.learning.amortised import AmortisedSampler
from ebm_core.learning.fit import EnergyFit, fit
from ebm_core.learning.gradient_objectives import DenoisingScoreMatching, SlicedScoreMatching
from ebm_core.learning.negatives import DataChains, Negatives, PersistentChains
from ebm_core.learning.objectives import JEM, ContrastiveDivergence, EnergyDiscrepancy, Objective
from ebm_core.sampling.convergence import effective_sample_size, r_hat, trace
from ebm_core.sampling.partition import LogZ, ais, bracket, importance_log_z, reverse_ais
from ebm_core.sampling.replay import ReplayBuffer
from ebm_core.sampling.samplers import annealed_langevin, hmc, langevin, mala
from ebm_core.sampling.tempering import parallel_tempering
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.growth import widened
from ebm_core.tilts.pool import LinearPool, fit_pool_weights
from ebm_core.tilts.seeds import Fit, fit_seeds
from ebm_core.tilts.skewt import SkewT
from ebm_core.tilts.tilted import TiltedDistribution, untilted
from ebm_core.tilts.training import fit_tilt, fit_tilts
from ebm_core.views.discrepancies import energy_calibration, energy_histogram, ksd, mmd
from ebm_core.views.surfaces import draw_surface, log_to_tensorboard, loss_surface, plane_slice

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
    "FullPrecision",
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
    "fit_tilts",
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
