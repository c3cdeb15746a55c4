"""Where the negatives of an energy's training come from: chains from the data, or chains that persist.

A third source, a trained generator, is :class:`ebm_core.learning.amortised.AmortisedSampler`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.checkpoints import Tree
from ebm_core.energies.gradients import Energy
from ebm_core.sampling.replay import ReplayBuffer
from ebm_core.sampling.samplers import langevin


class Negatives:
    """Source of samples near exp(−E)/Z for the energy as it is now, with its state, if any.

    A subclass defines ``draw``. It defines ``state`` and ``restore`` as well if it keeps something between
    steps.

    Examples
    --------
    A source of plain noise, without state:

    >>> import torch
    >>> from ebm_core import ContrastiveDivergence, MLPEnergy, Negatives
    >>> class Noise(Negatives):
    ...     def draw(self, energy, x, generator):
    ...         return 2 * torch.randn(x.shape, generator=generator)
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = MLPEnergy(2, (16,), generator=generator)
    >>> objective = ContrastiveDivergence(Noise())
    >>> loss = objective.loss(energy, torch.randn(10, 2, generator=generator), generator)
    >>> loss.dim(), loss.requires_grad
    (0, True)
    """

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        """As many detached samples as there are data ``x`` ``(B, *shape)``, of the same shape."""
        raise NotImplementedError

    def state(self) -> Tree:
        """What a fit must keep to go on bit for bit: tensors and JSON values, nested."""
        return {}

    def restore(self, saved: Tree) -> None:
        """Put back what :meth:`state` gave."""


@dataclass(frozen=True)
class DataChains(Negatives):
    """Negatives of CD-k, which are Langevin chains that start at the data of the batch.

    They inform the energy about the neighbourhood of the data only. Far from the data nothing keeps the
    energy high.

    Parameters
    ----------
    steps : int
        Number k of Langevin steps.
    step_size : float
        Step size η of :func:`~ebm_core.sampling.samplers.langevin`, in the squared units of x.

    Raises
    ------
    ValueError
        If the energy or the step size is not valid, when ``draw`` is called.

    References
    ----------
    Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural Computation
    14(8).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DataChains, MLPEnergy
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = MLPEnergy(2, (16,), generator=generator)
    >>> x = torch.randn(10, 2, generator=generator)
    >>> negatives = DataChains(steps=5, step_size=0.01).draw(energy, x, generator)
    >>> tuple(negatives.shape), negatives.requires_grad
    ((10, 2), False)
    """

    steps: int
    step_size: float

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        return langevin(energy, x, self.steps, self.step_size, generator)


@dataclass(frozen=True)
class PersistentChains(Negatives):
    """Negatives of persistent CD, which are Langevin chains that go on from where those of a buffer ended.

    Parameters
    ----------
    buffer : ReplayBuffer
        Chains, as many as the rows of a batch or more.
    steps : int
        Number of Langevin steps at each draw.
    step_size : float
        Step size η of :func:`~ebm_core.sampling.samplers.langevin`, in the squared units of x.

    Raises
    ------
    ValueError
        If the buffer has fewer chains than the batch has rows, or if the energy or the step size is not
        valid, when ``draw`` is called.

    References
    ----------
    Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient,
    ICML.

    Du and Mordatch (2019), Implicit generation and modeling with energy-based models, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import MLPEnergy, PersistentChains, ReplayBuffer
    >>> generator = torch.Generator().manual_seed(0)
    >>> buffer = ReplayBuffer(lambda count, g: torch.randn(count, 2, generator=g), 100, 0.05, generator)
    >>> negatives = PersistentChains(buffer, steps=5, step_size=0.01)
    >>> energy = MLPEnergy(2, (16,), generator=generator)
    >>> before = buffer.chains.clone()
    >>> x = negatives.draw(energy, torch.randn(10, 2, generator=generator), generator)
    >>> int((buffer.chains != before).any(1).sum())  # chains that moved
    10
    """

    buffer: ReplayBuffer
    steps: int
    step_size: float

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        index, start = self.buffer.draw(len(x), generator)
        samples = langevin(energy, start.to(x), self.steps, self.step_size, generator)
        self.buffer.put(index, samples)
        return samples

    def state(self) -> Tree:
        return {"chains": self.buffer.chains}

    def restore(self, saved: Tree) -> None:
        self.buffer.chains = saved["chains"].to(self.buffer.chains, copy=True)
