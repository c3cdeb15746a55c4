"""Convergence diagnostics of Markov chains: R-hat and effective sample size, computed by ArviZ."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm_core.base.arguments import check_points, check_whole

Array = NDArray[np.float64]


def trace(sampler: Callable[[Tensor], Tensor], x: Tensor, draws: int) -> Tensor:
    """Run a sampler repeatedly and keep the chains after each call.

    Parameters
    ----------
    sampler : callable
        Map from chains ``(B, *shape)`` to later ones, such as
        ``lambda x: langevin(energy, x, 10, 0.01, generator)``, where 10 is the thinning.
    x : Tensor, shape (B, *shape)
        Chains to start from.
    draws : int
        Number of calls.

    Returns
    -------
    Tensor, shape (draws, B, *shape)
        The chains after each call, in the units of x.

    Raises
    ------
    ValueError
        If ``draws`` is below 1, or if ``x`` is not a floating-point tensor.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, mala, trace
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = energy.sample(8, generator)
    >>> draws = trace(lambda x: mala(energy, x, 5, 0.5, generator).x, x, draws=20)
    >>> tuple(draws.shape)
    (20, 8, 2)
    """
    check_points("x", x)
    check_whole("draws", draws, 1)
    kept = x.new_empty(draws, *x.shape)
    for i in range(draws):
        x = kept[i] = sampler(x)
    return kept


def r_hat(draws: Tensor) -> Array:
    """Compute the rank-normalised split R-hat of each coordinate with ArviZ.

    Values below 1.01 mean that the chains agree with each other. R-hat cannot show that they missed a mode.

    Parameters
    ----------
    draws : Tensor, shape (draws, B, *shape)
        Four draws or more of two chains or more, as :func:`trace` gives them.

    Returns
    -------
    ndarray, shape (*shape,)
        R-hat of each coordinate, NaN where a coordinate never changed.

    Raises
    ------
    ValueError
        If there are fewer than four draws, fewer than two chains or non-finite values.
    ImportError
        If ArviZ is not installed.

    References
    ----------
    Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R-hat, Bayesian
    Analysis 16(2).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import r_hat
    >>> draws = torch.randn(500, 4, 2, generator=torch.Generator().manual_seed(0))
    >>> bool((r_hat(draws) < 1.02).all())
    True

    A chain that samples another region raises R-hat.

    >>> draws[:, 0] += 3
    >>> bool((r_hat(draws) > 1.2).all())
    True
    """
    return _by_coordinate("rhat", draws, 2)


def effective_sample_size(draws: Tensor) -> Array:
    """Compute the effective sample size of all chains together, for each coordinate, with ArviZ.

    Parameters
    ----------
    draws : Tensor, shape (draws, B, *shape)
        Four draws or more of one chain or more, as :func:`trace` gives them.

    Returns
    -------
    ndarray, shape (*shape,)
        Number of independent draws that would give the same error of the mean, for each coordinate.

    Raises
    ------
    ValueError
        If there are fewer than four draws, no chains or non-finite values.
    ImportError
        If ArviZ is not installed.

    References
    ----------
    Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R-hat, Bayesian
    Analysis 16(2).

    Examples
    --------
    Draws that repeat each value ten times have a much smaller effective sample size.

    >>> import torch
    >>> from ebm_core import effective_sample_size
    >>> draws = torch.randn(500, 4, 1, generator=torch.Generator().manual_seed(0))
    >>> independent = effective_sample_size(draws)
    >>> repeated = effective_sample_size(draws[:50].repeat_interleave(10, 0))
    >>> bool(independent[0] > 1500), bool(repeated[0] < 400)
    (True, True)
    """
    return _by_coordinate("ess", draws, 1)


def _by_coordinate(name: str, draws: Tensor, chains: int) -> Array:
    check_points("draws", draws, "(draws, B, *shape)")
    if draws.dim() < 3 or len(draws) < 4 or draws.shape[1] < chains:
        wanted = f"(4 draws or more, {chains} chains or more, *shape)"
        raise ValueError(f"draws: shape {tuple(draws.shape)}; expected {wanted}")
    if not torch.isfinite(draws).all():
        raise ValueError("draws: non-finite values; expected finite draws")
    try:
        from arviz_stats.base.array import array_stats
    except ImportError as error:
        raise ImportError("R-hat and ESS need ArviZ; install it with `pip install arviz-stats`") from error
    statistic: Any = getattr(array_stats, name)
    values: Array = np.asarray(statistic(draws.double().cpu().numpy(), chain_axis=1, draw_axis=0))
    return values
