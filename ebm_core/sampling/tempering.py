"""Parallel tempering, in which chains at several temperatures swap states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ebm_core.base.arguments import check_points
from ebm_core.energies.gradients import Energy, NotFiniteError
from ebm_core.energies.noise import uniform_like
from ebm_core.sampling.metropolis import Point, metropolis, rowwise, start
from ebm_core.sampling.samplers import NO_PROPOSAL, check_chains


@dataclass(frozen=True)
class Tempered:
    """Result of :func:`parallel_tempering`.

    ``x`` ``(temperatures, B, *shape)`` are the replicas, of which ``x[0]`` follow the target. ``acceptance``
    ``(temperatures,)`` is the share of accepted moves at each temperature, and ``swaps``
    ``(temperatures − 1,)`` the share of accepted swaps between neighbouring temperatures.
    """

    x: Tensor
    acceptance: Tensor
    swaps: Tensor


def parallel_tempering(
    energy: Energy,
    x: Tensor,
    steps: int,
    step_size: float,
    temperatures: Sequence[float],
    generator: torch.Generator,
) -> Tempered:
    """Run chains at several temperatures that swap states, so that hot chains cross barriers for cold ones.

    The replicas at temperature T sample exp(−E/T). Each step is a
    :func:`~ebm_core.sampling.samplers.mala` step of all replicas, with step size T·η. Then swaps are proposed
    between every other pair of neighbouring temperatures and accepted with probability
    min(1, exp((1/T − 1/T')(E − E'))). At least a fifth of the swaps should be accepted.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (temperatures, B, *shape)
        Replicas to start from, in floating point.
    steps : int
        Number of steps.
    step_size : float
        Step size η of the coldest chains, in the squared units of x.
    temperatures : sequence of float
        Two or more temperatures in increasing order, of which the first is 1.
    generator : torch.Generator
        Source of all draws.

    Returns
    -------
    Tempered
        The replicas ``x`` ``(temperatures, B, *shape)``, of which ``x[0]`` follow the target. They can be
        passed to another call. ``acceptance`` ``(temperatures,)`` is the share of accepted moves at each
        temperature, and ``swaps`` ``(temperatures − 1,)`` that of swaps between neighbouring temperatures.

    Raises
    ------
    ValueError
        If an argument is not valid or no proposal has a finite energy. The message names the argument.

    References
    ----------
    Geyer (1991), Markov chain Monte Carlo maximum likelihood, Computing Science and Statistics 23.

    Examples
    --------
    All chains start in the left of two separate modes. After tempering about half are in each mode.

    >>> import torch
    >>> from ebm_core import GaussianMixtureEnergy, parallel_tempering
    >>> means = torch.tensor([[-4.0, 0.0], [4.0, 0.0]])
    >>> energy = GaussianMixtureEnergy(means, torch.ones(2), torch.tensor([0.5, 0.5]))
    >>> x = torch.tensor([-4.0, 0.0]).expand(4, 200, 2)
    >>> generator = torch.Generator().manual_seed(0)
    >>> tempered = parallel_tempering(energy, x, 100, 0.5, [1, 2, 5, 12], generator)
    >>> 0.35 < float((tempered.x[0, :, 0] > 0).float().mean()) < 0.65
    True
    >>> bool(tempered.swaps.min() > 0.2)
    True
    """
    rising = all(low < high < math.inf for low, high in pairwise(temperatures))
    if len(temperatures) < 2 or temperatures[0] != 1 or not rising:
        raise ValueError(f"temperatures: {list(temperatures)}; expected increasing values from 1 on")
    check_points("x", x, "(temperatures, B, *shape)")
    if x.dim() < 3 or len(x) != len(temperatures):
        raise ValueError(f"x: shape {tuple(x.shape)}; expected ({len(temperatures)}, B, *shape)")
    levels, chains = x.shape[:2]
    check_chains(x[0], steps, step_size, generator)
    inverse = (1 / x.new_tensor(temperatures)).repeat_interleave(chains)
    size = (2 * step_size / inverse).sqrt()
    at = start(energy, x.flatten(0, 1), inverse)
    accepted, swapped = torch.zeros_like(at.energy), x.new_zeros(levels - 1, chains)
    finite = steps == 0
    for step in range(steps):
        at, probability, taken = metropolis(energy, at, size, 1, generator, inverse)
        finite = finite or bool((probability > 0).any())
        accepted += taken
        at, exchanged = _swap(at, levels, step % 2, inverse, generator)
        swapped += exchanged
    if not finite:
        raise NotFiniteError(NO_PROPOSAL)
    rounds = x.new_tensor([max(len(range(pair % 2, steps, 2)), 1) for pair in range(levels - 1)])
    return Tempered(
        at.x.unflatten(0, (levels, chains)),
        accepted.view(levels, chains).mean(1) / max(steps, 1),
        swapped.mean(1) / rounds,
    )


def _swap(
    at: Point, levels: int, first: int, inverse: Tensor, generator: torch.Generator
) -> tuple[Point, Tensor]:
    """Swap the states of the pairs (first, first + 1), (first + 2, first + 3), … where accepted.

    Returns the points and whether each pair was swapped ``(levels − 1, B)``.
    """
    cold = inverse.view(levels, -1)
    energy = at.energy.view(levels, -1) / cold
    log_ratio = (cold[:-1] - cold[1:]) * (energy[:-1] - energy[1:])
    exchanged = uniform_like(log_ratio, generator).log() < log_ratio
    exchanged[1 - first :: 2] = False
    order = torch.arange(len(inverse), device=inverse.device).view(levels, -1)
    low, high = order[:-1], order[1:]
    source = order.clone()
    source[:-1] = torch.where(exchanged, high, source[:-1])
    source[1:] = torch.where(exchanged, low, source[1:])
    source = source.flatten()
    ratio = inverse / inverse[source]
    return Point(
        at.x[source], at.energy[source] * ratio, rowwise(ratio, at.x) * at.gradient[source]
    ), exchanged
