"""Energy-based models: energies, samplers, normalisers, training objectives and tilts of forecasts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from ebm_core.tilts.copula import EllipticalCopula
    from ebm_core.tilts.cross_section import Conditions, CrossSectionTilt, fit_cross_section
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
    "Conditions",
    "ContrastiveDivergence",
    "ConvEnergy",
    "CrossSectionTilt",
    "DataChains",
    "DenoisingEnergy",
    "DenoisingScoreMatching",
    "DoubleWellEnergy",
    "EllipticalCopula",
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
    "fit_cross_section",
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

MODULES = {
    "DoubleWellEnergy": "energies.analytic",
    "FunnelEnergy": "energies.analytic",
    "GaussianEnergy": "energies.analytic",
    "GaussianMixtureEnergy": "energies.analytic",
    "RastriginEnergy": "energies.analytic",
    "RosenbrockEnergy": "energies.analytic",
    "ScaledEnergy": "energies.compositions",
    "SumEnergy": "energies.compositions",
    "TemperedEnergy": "energies.compositions",
    "frozen_gradient": "energies.gradients",
    "input_gradient": "energies.gradients",
    "ClassEnergy": "energies.networks",
    "ConvEnergy": "energies.networks",
    "DenoisingEnergy": "energies.networks",
    "FullPrecision": "energies.networks",
    "MLPEnergy": "energies.networks",
    "ManifoldParzen": "energies.parzen",
    "GaussianBernoulliRBM": "energies.rbm",
    "AmortisedSampler": "learning.amortised",
    "EnergyFit": "learning.fit",
    "fit": "learning.fit",
    "DenoisingScoreMatching": "learning.gradient_objectives",
    "SlicedScoreMatching": "learning.gradient_objectives",
    "DataChains": "learning.negatives",
    "Negatives": "learning.negatives",
    "PersistentChains": "learning.negatives",
    "JEM": "learning.objectives",
    "ContrastiveDivergence": "learning.objectives",
    "EnergyDiscrepancy": "learning.objectives",
    "Objective": "learning.objectives",
    "effective_sample_size": "sampling.convergence",
    "r_hat": "sampling.convergence",
    "trace": "sampling.convergence",
    "LogZ": "sampling.partition",
    "ais": "sampling.partition",
    "bracket": "sampling.partition",
    "importance_log_z": "sampling.partition",
    "reverse_ais": "sampling.partition",
    "ReplayBuffer": "sampling.replay",
    "annealed_langevin": "sampling.samplers",
    "hmc": "sampling.samplers",
    "langevin": "sampling.samplers",
    "mala": "sampling.samplers",
    "parallel_tempering": "sampling.tempering",
    "BilinearEnergy": "tilts.bilinear",
    "EllipticalCopula": "tilts.copula",
    "Conditions": "tilts.cross_section",
    "CrossSectionTilt": "tilts.cross_section",
    "fit_cross_section": "tilts.cross_section",
    "widened": "tilts.growth",
    "LinearPool": "tilts.pool",
    "fit_pool_weights": "tilts.pool",
    "Fit": "tilts.seeds",
    "fit_seeds": "tilts.seeds",
    "SkewT": "tilts.skewt",
    "TiltedDistribution": "tilts.tilted",
    "untilted": "tilts.tilted",
    "fit_tilt": "tilts.training",
    "fit_tilts": "tilts.training",
    "energy_calibration": "views.discrepancies",
    "energy_histogram": "views.discrepancies",
    "ksd": "views.discrepancies",
    "mmd": "views.discrepancies",
    "draw_surface": "views.surfaces",
    "log_to_tensorboard": "views.surfaces",
    "loss_surface": "views.surfaces",
    "plane_slice": "views.surfaces",
}
"""Modules of the public names, which are imported when they are used, because PyTorch takes a second."""

PACKAGES = {path.partition(".")[0] for path in MODULES.values()}


def __getattr__(name: str) -> Any:
    if name in PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *PACKAGES})
