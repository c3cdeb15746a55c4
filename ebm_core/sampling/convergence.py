"""Have the chains converged, and how many independent draws are they worth: R-hat and ESS, by ArviZ."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


def trace(sampler: Callable[[Tensor], Tensor], x: Tensor, draws: int) -> Tensor:
    """The chains after each of ``draws`` calls of ``sampler``, ``(draws, B, *shape)``.

    ``sampler`` maps chains to later ones, as ``lambda x: langevin(energy, x, 10, 0.01, generator)`` does;
    10 is then the thinning.
    """
    kept = x.new_empty(draws, *x.shape)
    for i in range(draws):
        x = kept[i] = sampler(x)
    return kept


def r_hat(draws: Tensor) -> Array:
    """Rank-normalised split R-hat of each coordinate of ``draws`` ``(draws, B, *shape)``, ``(*shape,)``.

    Below 1.01 the chains agree with each other; that they saw every mode it cannot tell. NaN where a
    coordinate never changed. Raises ``ValueError`` as :func:`effective_sample_size` does, and for a single
    chain. Reference: Vehtari et al. (2021),
    Rank-normalization, folding, and localization: an improved R-hat, Bayesian Analysis 16(2).
    """
    return _by_coordinate("rhat", draws, 2)


def effective_sample_size(draws: Tensor) -> Array:
    """Independent draws that ``draws`` ``(draws, B, *shape)`` are worth, over all chains, ``(*shape,)``.

    Raises ``ValueError`` with fewer than 4 draws, without chains or for non-finite values. Reference as for
    :func:`r_hat`.
    """
    return _by_coordinate("ess", draws, 1)


def _by_coordinate(name: str, draws: Tensor, chains: int) -> Array:
    if draws.dim() < 3 or len(draws) < 4 or draws.shape[1] < chains:
        wanted = f"(4 draws or more, {chains} chains or more, *shape)"
        raise ValueError(f"draws: shape {tuple(draws.shape)}; expected {wanted}")
    if not torch.isfinite(draws).all():
        raise ValueError("draws: non-finite values")
    try:
        from arviz_stats.base.array import array_stats
    except ImportError as error:
        raise ImportError("R-hat and ESS are ArviZ's: pip install arviz-stats") from error
    statistic: Any = getattr(array_stats, name)
    values: Array = np.asarray(statistic(draws.double().cpu().numpy(), chain_axis=1, draw_axis=0))
    return values
