"""Do samples follow the energy, do they look like data: Stein discrepancy, MMD, calibration, histograms."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from ebm_core.energies.gradients import Energy, frozen_gradient

Array = NDArray[np.float64]

RESAMPLES = 500
"""Resamples behind a p-value."""


@dataclass(frozen=True)
class Discrepancy:
    """A ``statistic`` that is zero on average where the laws agree, and its one-sided ``p_value``."""

    statistic: float
    p_value: float


@torch.no_grad()
def ksd(energy: Energy, x: Tensor, generator: torch.Generator, length: float = 1.0) -> Discrepancy:
    """Kernel Stein discrepancy² of *independent* samples x ``(n, d)`` from exp(−E)/Z, needing no Z.

    The mean over i ≠ j of the Stein kernel s·s' k + s·∇'k + s'·∇k + tr ∇∇'k with s = −∇E and the inverse
    multiquadric k = (ℓ² + ‖x − x'‖²)^(−½), ``length`` ℓ in the units of x; the p-value by a bootstrap of the
    degenerate U-statistic. Memory is n². It is blind to wrong weights of modes far apart. Raises
    ``ValueError`` naming the argument.

    References: Liu, Lee and Jordan (2016), A kernelized Stein discrepancy, ICML; Gorham and Mackey (2017),
    Measuring sample quality with kernels, ICML, for the kernel.
    """
    _check("x", x)
    if not 0 < length < math.inf:
        raise ValueError(f"length: {length}; expected a positive number")
    score = -frozen_gradient(energy, x)(x).double()
    if not torch.isfinite(score).all():
        raise ValueError("energy: its gradient is not finite at the samples x")
    at = x.double()
    squared = torch.cdist(at, at).square()
    inverse = 1 / (length**2 + squared)
    root = inverse.sqrt()
    along = (score * at).sum(1)
    cross = score @ at.T
    # s(x)·∇'k + s(x')·∇k with ∇'k = (x − x') k³, ∇k = −∇'k
    drift = (along[:, None] - cross) + (along[None] - cross.T)
    kernel = (score @ score.T) * root + drift * inverse * root
    kernel += inverse * root * (x.shape[1] - 3 * squared * inverse)
    kernel.fill_diagonal_(0)
    n = len(x)
    statistic = float(kernel.sum()) / (n * (n - 1))
    counts = torch.multinomial(kernel.new_ones(n), n * RESAMPLES, replacement=True, generator=generator)
    weights = torch.stack([torch.bincount(row, minlength=n) for row in counts.view(RESAMPLES, n)])
    centred = weights.to(kernel) / n - 1 / n
    null = ((centred @ kernel) * centred).sum(1)
    return Discrepancy(statistic, _p_value(null, statistic))


def mmd(x: Tensor, y: Tensor, generator: torch.Generator) -> Discrepancy:
    """Maximum mean discrepancy² between samples x ``(n, d)`` and y ``(m, d)``, unbiased, and its p-value.

    E k(x, x') + E k(y, y') − 2 E k(x, y), k = exp(−‖x − y‖²/2ℓ²) with ℓ the median distance; the p-value by
    permutations. Raises ``ValueError`` naming the argument. Reference: Gretton et al. (2012), A kernel
    two-sample test, JMLR 13.
    """
    _check("x", x)
    _check("y", y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: {y.shape[1]} columns, x has {x.shape[1]}")
    both = torch.cat([x, y]).double()
    n, m = len(x), len(y)
    distance = torch.cdist(both, both)
    scale = distance[~torch.eye(n + m, dtype=torch.bool, device=x.device)].median().clamp(min=1e-12)
    kernel = torch.exp(-(distance / scale).square() / 2)
    kernel.fill_diagonal_(0)
    total = kernel.sum(1)
    first = torch.zeros(RESAMPLES + 1, n + m, dtype=kernel.dtype, device=x.device)
    for i, row in enumerate(first):
        order = torch.randperm(n + m, generator=generator, device=generator.device) if i else torch.arange(n)
        row[order[:n]] = 1
    within = ((first @ kernel) * first).sum(1)
    to_all = first @ total
    across = to_all - within
    rest = total.sum() - to_all - across
    values = within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)
    statistic = float(values[0])
    return Discrepancy(statistic, _p_value(values[1:], statistic))


@dataclass(frozen=True)
class EnergyCalibration:
    """``coverage`` of data by the regions of lowest energy that hold each ``level`` of the model's mass, and
    the ``p_value`` of the two energies having one law (Kolmogorov–Smirnov)."""

    level: Array
    coverage: Array
    p_value: float


def energy_calibration(data_energy: Tensor, sample_energy: Tensor) -> EnergyCalibration:
    """Whether data ``(n,)`` are as surprising to an energy as its own samples ``(m,)`` are.

    At level α, coverage is the share of data with an energy below the α-quantile of the samples'; it is α
    where the model is right. Above: the model spreads too far; below: data lie where the model has little
    mass. Data must be held out. Raises ``ValueError`` without energies or on non-finite ones. Reference:
    Hyndman (1996), Computing and graphing highest density regions, American Statistician 50(2).
    """
    data, samples = _energies("data_energy", data_energy), _energies("sample_energy", sample_energy)
    level = np.linspace(0.05, 0.95, 19)
    coverage = (data[None] <= np.quantile(samples, level)[:, None]).mean(1)
    return EnergyCalibration(level, coverage, float(stats.ks_2samp(data, samples).pvalue))


@dataclass(frozen=True)
class EnergyHistogram:
    """Densities of ``data`` and ``samples`` ``(bins,)`` over common ``edges`` ``(bins + 1,)`` in nats."""

    edges: Array
    data: Array
    samples: Array


def energy_histogram(data_energy: Tensor, sample_energy: Tensor, bins: int = 50) -> EnergyHistogram:
    """Energies of data ``(n,)`` against those of samples ``(m,)``: apart, the chains or the fit have failed.

    Raises ``ValueError`` without energies or on non-finite ones.
    """
    data, samples = _energies("data_energy", data_energy), _energies("sample_energy", sample_energy)
    edges: Array = np.histogram_bin_edges(np.concatenate([data, samples]), bins)
    heights = [np.histogram(values, edges, density=True)[0] for values in (data, samples)]
    return EnergyHistogram(edges, *heights)


def _energies(name: str, values: Tensor) -> Array:
    if values.dim() != 1 or not len(values) or not torch.isfinite(values).all():
        raise ValueError(f"{name}: shape {tuple(values.shape)}; expected finite energies (n,), one or more")
    array: Array = values.detach().double().cpu().numpy()
    return array


def _p_value(null: Tensor, statistic: float) -> float:
    """The share of the null at or above the statistic, which counts as one of them."""
    return (1 + int((null >= statistic).sum())) / (1 + len(null))


def _check(name: str, x: Tensor) -> None:
    if x.dim() != 2 or len(x) < 2 or not torch.isfinite(x).all():
        raise ValueError(f"{name}: shape {tuple(x.shape)}; expected finite (n, d) with n of 2 or more")
