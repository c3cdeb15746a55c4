"""Replay buffer of Markov chains, which persistent contrastive divergence continues from step to step."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebm_core.base.arguments import check_between, check_generator, check_points, check_whole
from ebm_core.energies.gradients import NotFiniteError

Start = Callable[[int, torch.Generator], Tensor]
"""Function ``(count, generator)`` → new starting points ``(count, *shape)``."""


class ReplayBuffer:
    """Buffer of persistent chains, in which each drawn chain is restarted with some probability.

    ``draw`` returns chains and their indices. After sampling, ``put`` stores the chains at these indices. The
    complete state is the tensor ``chains`` ``(size, *shape)``. To resume, save this tensor and assign it. All
    random numbers come from the generators passed in.

    Parameters
    ----------
    start : callable
        Map ``(count, generator)`` → new starting points ``(count, *shape)``.
    size : int
        Number of chains.
    reinitialise : float
        Probability that a drawn chain is replaced by a new starting point.
    generator : torch.Generator
        Source of the initial starting points.

    Raises
    ------
    ValueError
        If the probability is outside [0, 1], the size is below one, or ``start`` does not give ``size``
        finite rows.

    References
    ----------
    Du and Mordatch (2019), Implicit generation and modeling with energy-based models, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, ReplayBuffer, langevin
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> buffer = ReplayBuffer(lambda count, g: torch.randn(count, 2, generator=g), 100, 0.05, generator)
    >>> index, x = buffer.draw(16, generator)
    >>> x = langevin(energy, x, 10, 0.05, generator)
    >>> buffer.put(index, x)
    >>> bool((buffer.chains[index] == x).all())
    True
    """

    def __init__(self, start: Start, size: int, reinitialise: float, generator: torch.Generator) -> None:
        check_between("reinitialise", reinitialise, 0, 1)
        check_whole("size", size, 1)
        check_generator(generator)
        self.start, self.reinitialise = start, reinitialise
        self.chains = start(size, generator)
        check_points("start", self.chains, "(count, *shape)")
        if len(self.chains) != size or not torch.isfinite(self.chains).all():
            raise ValueError(f"start: gave shape {tuple(self.chains.shape)}; expected {size} finite rows")

    def __repr__(self) -> str:
        return f"ReplayBuffer(shape={tuple(self.chains.shape)}, reinitialise={self.reinitialise})"

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw ``count`` different chains: their indices ``(count,)`` and points ``(count, *shape)``."""
        check_whole("count", count, 1)
        if count > len(self.chains):
            raise ValueError(f"count: {count}; expected at most the buffer's {len(self.chains)} chains")
        device = generator.device
        index = torch.randperm(len(self.chains), generator=generator, device=device)[:count]
        index = index.to(self.chains.device)
        x = self.chains[index]
        fresh = torch.rand(count, generator=generator, device=device) < self.reinitialise
        fresh = fresh.to(self.chains.device)
        if fresh.any():
            x[fresh] = self.start(int(fresh.sum()), generator).to(x)
        return index, x

    def put(self, index: Tensor, x: Tensor) -> None:
        """Store the chains ``x`` ``(count, *shape)`` at the indices ``index`` that ``draw`` returned.

        Raises ``ValueError`` for another shape, or for non-finite values, which would stay in the buffer.
        """
        if x.shape != (len(index), *self.chains.shape[1:]):
            expected = (len(index), *self.chains.shape[1:])
            raise ValueError(f"x: shape {tuple(x.shape)}; expected {tuple(expected)}")
        if not torch.isfinite(x).all():
            raise NotFiniteError(
                "x: non-finite chains cannot be stored; use a smaller step size in the sampler"
            )
        self.chains[index] = x.detach().to(self.chains)
