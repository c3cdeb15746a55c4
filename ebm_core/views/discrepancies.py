"""Comparison of samples with an energy or with data: Stein discrepancy, MMD, calibration and histograms."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from ebm_core.base.arguments import check_dense, check_generator, check_positive, check_whole
from ebm_core.energies.gradients import Energy, frozen_gradient

Array = NDArray[np.float64]

RESAMPLES = 500
"""Number of bootstrap or permutation resamples for a p-value."""


@dataclass(frozen=True)
class Discrepancy:
    """Test of whether two distributions agree.

    ``statistic`` has mean zero if they do, and ``p_value`` is the one-sided p-value of that hypothesis.
    """

    statistic: float
    p_value: float


@torch.no_grad()
def ksd(energy: Energy, x: Tensor, generator: torch.Generator, length: float | None = None) -> Discrepancy:
    """Test whether *independent* samples follow exp(−E)/Z by the squared kernel Stein discrepancy.

    Z is not needed. The statistic is the mean over i ≠ j of the Stein kernel s·s' k + s·∇'k + s'·∇k + tr
    ∇∇'k, with s = −∇E and the inverse multiquadric k = (ℓ² + ‖x − x'‖²)^(−½). The p-value is computed by a
    bootstrap of the degenerate U-statistic. The memory grows with n². The test cannot detect wrong weights of
    modes that are far apart.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, d)`` → ``(B,)``.
    x : Tensor, shape (n, d)
        Samples, two or more.
    generator : torch.Generator
        Source of the bootstrap.
    length : float, optional
        Length ℓ of the kernel, in the units of x. By default it is the median distance between different
        samples divided by √d, so that the test does not depend on the units of x. In 1 to 50
        dimensions, its power against wrong means, scales and tails of N(0, I) is about that of ℓ = 1.

    Returns
    -------
    Discrepancy
        The ``statistic``, which has mean zero if the samples follow exp(−E)/Z, and its one-sided ``p_value``.

    Raises
    ------
    ValueError
        If an argument is not valid or the gradient is not finite at the samples. The message names the
        argument.

    References
    ----------
    Liu, Lee and Jordan (2016), A kernelized Stein discrepancy, ICML.

    Gorham and Mackey (2017), Measuring sample quality with kernels, ICML, for the kernel.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, ksd
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = energy.sample(200, generator)
    >>> ksd(energy, x, generator).p_value > 0.05
    True
    >>> ksd(energy, x + 1, generator).p_value < 0.01
    True
    """
    _check("x", x, generator)
    if length is not None:
        check_positive("length", length)
    score = -frozen_gradient(energy, x)(x).double()
    if not torch.isfinite(score).all():
        raise ValueError("energy: its gradient is not finite at a sample of x; expected finite gradients")
    at = x.double()
    distance = _distances(at)
    length = _median("x", distance) / math.sqrt(x.shape[1]) if length is None else length
    squared = distance.square()
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
    """Test whether two samples have the same distribution by the squared maximum mean discrepancy.

    The statistic is the unbiased estimate of E k(x, x') + E k(y, y') − 2 E k(x, y), with
    k = exp(−‖x − y‖²/2ℓ²) and ℓ the median distance of different points. The
    p-value is computed by permutations.

    Parameters
    ----------
    x : Tensor, shape (n, d)
        First sample, of two rows or more.
    y : Tensor, shape (m, d)
        Second sample, of two rows or more, in the same units.
    generator : torch.Generator
        Source of the permutations.

    Returns
    -------
    Discrepancy
        The ``statistic``, which has mean zero if the distributions agree, and its one-sided ``p_value``.

    Raises
    ------
    ValueError
        If an argument is not valid. The message names the argument.

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test, JMLR 13.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import mmd
    >>> generator = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(2, 100, 2, generator=generator)
    >>> mmd(x, y, generator).p_value > 0.05
    True
    >>> mmd(x, y + 1, generator).p_value < 0.01
    True
    """
    _check("x", x, generator)
    _check("y", y, generator)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: {y.shape[1]} columns; expected {x.shape[1]}, the number of columns of x")
    both = torch.cat([x, y]).double()
    n, m = len(x), len(y)
    distance = _distances(both)
    scale = _median("x and y", distance)
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


def _distances(x: Tensor) -> Tensor:
    """Return the distances between rows ``(n, n)``. By products of x they would not be 0 for equal rows."""
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")


def _median(name: str, distance: Tensor) -> float:
    """Return the median of the distances ``(n, n)`` between points that differ."""
    apart = distance[distance > 0]
    if not len(apart):
        raise ValueError(f"{name}: all rows are the same; expected two or more different rows")
    return float(apart.median())


@dataclass(frozen=True)
class EnergyCalibration:
    """Result of :func:`energy_calibration`.

    ``coverage`` is the share of data in the region of lowest energy that holds the share ``level`` of the
    model's mass. ``p_value`` tests whether data and samples have the same distribution of energies
    (Kolmogorov–Smirnov).
    """

    level: Array
    coverage: Array
    p_value: float


def energy_calibration(data_energy: Tensor, sample_energy: Tensor) -> EnergyCalibration:
    """Compare the energies of held-out data with those of samples of the model, as a calibration test.

    At level α, coverage is the share of data with an energy below the α-quantile of the samples' energies. It
    is α if the model is right. A coverage above α means that the model is too spread out. A coverage below α
    means that data lie where the model has little mass.

    Parameters
    ----------
    data_energy : Tensor, shape (n,)
        Energies of held-out data, in nats.
    sample_energy : Tensor, shape (m,)
        Energies of samples of the model, in nats.

    Returns
    -------
    EnergyCalibration
        The levels ``level`` ``(19,)``, the ``coverage`` at each ``(19,)``, and the ``p_value`` of the
        Kolmogorov–Smirnov test that both sets of energies have the same distribution.

    Raises
    ------
    ValueError
        If there are no energies or one is not finite.

    References
    ----------
    Hyndman (1996), Computing and graphing highest density regions, American Statistician 50(2).

    Examples
    --------
    The model is narrower than the data, so its regions cover fewer of them than they should.

    >>> import torch
    >>> from ebm_core import GaussianEnergy, energy_calibration
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> data, samples = 2 * torch.randn(500, 2, generator=generator), energy.sample(500, generator)
    >>> calibration = energy_calibration(energy(data), energy(samples))
    >>> bool((calibration.coverage < calibration.level).all()), calibration.p_value < 0.01
    (True, True)
    """
    data, samples = _energies("data_energy", data_energy), _energies("sample_energy", sample_energy)
    level = np.linspace(0.05, 0.95, 19)
    coverage = (data[None] <= np.quantile(samples, level)[:, None]).mean(1)
    return EnergyCalibration(level, coverage, float(stats.ks_2samp(data, samples).pvalue))


@dataclass(frozen=True)
class EnergyHistogram:
    """Histograms of the energies of data and samples over common bins.

    ``data`` and ``samples`` are densities ``(bins,)``, and ``edges`` ``(bins + 1,)`` are in nats.
    """

    edges: Array
    data: Array
    samples: Array


def energy_histogram(data_energy: Tensor, sample_energy: Tensor, bins: int = 50) -> EnergyHistogram:
    """Compare the energies of data with those of samples by histograms over common bins.

    If the histograms differ, either the chains have not converged or the fit is poor.

    Parameters
    ----------
    data_energy : Tensor, shape (n,)
        Energies of data, in nats.
    sample_energy : Tensor, shape (m,)
        Energies of samples, in nats.
    bins : int, default 50
        Number of bins.

    Returns
    -------
    EnergyHistogram
        Densities of ``data`` and ``samples`` ``(bins,)`` over the ``edges`` ``(bins + 1,)``, in nats.

    Raises
    ------
    ValueError
        If there are no energies, if one is not finite, or if ``bins`` is below 1.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import energy_histogram
    >>> generator = torch.Generator().manual_seed(0)
    >>> data, samples = torch.rand(300, generator=generator), torch.rand(200, generator=generator)
    >>> histogram = energy_histogram(data, samples, bins=10)
    >>> histogram.edges.shape, histogram.data.shape, histogram.samples.shape
    ((11,), (10,), (10,))
    """
    check_whole("bins", bins, 1)
    data, samples = _energies("data_energy", data_energy), _energies("sample_energy", sample_energy)
    edges: Array = np.histogram_bin_edges(np.concatenate([data, samples]), bins)
    heights = [np.histogram(values, edges, density=True)[0] for values in (data, samples)]
    return EnergyHistogram(edges, *heights)


def _energies(name: str, values: Tensor) -> Array:
    check_dense(name, values, "(n,)")
    if values.dim() != 1 or not len(values) or not torch.isfinite(values).all():
        raise ValueError(f"{name}: shape {tuple(values.shape)}; expected finite energies (n,), one or more")
    array: Array = values.detach().double().cpu().numpy()
    return array


def _p_value(null: Tensor, statistic: float) -> float:
    """Return the share of null statistics at or above ``statistic``, which is counted among them."""
    return (1 + int((null >= statistic).sum())) / (1 + len(null))


def _check(name: str, x: Tensor, generator: torch.Generator) -> None:
    check_dense(name, x, "(n, d)")
    check_generator(generator, x.device)
    if x.dim() != 2 or len(x) < 2 or not torch.isfinite(x).all():
        raise ValueError(f"{name}: shape {tuple(x.shape)}; expected finite (n, d) with n of 2 or more")
