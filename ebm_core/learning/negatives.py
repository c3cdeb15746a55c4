"""Sources of negative samples for training: Langevin chains that start at the data, or persistent chains.

A third source, a trained generator network, is :class:`ebm_core.learning.amortised.AmortisedSampler`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.base.arguments import check_positive, check_whole
from ebm_core.base.files import Tree
from ebm_core.energies.gradients import Energy, evaluation_mode
from ebm_core.sampling.replay import ReplayBuffer
from ebm_core.sampling.samplers import langevin


class Negatives:
    """Source of negative samples, drawn approximately from exp(−E)/Z of the present energy.

    A subclass defines ``draw``. If it keeps a state between steps, it also defines ``state`` and ``restore``.

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
        """Draw detached samples of the shape of the data ``x`` ``(B, *shape)``."""
        raise NotImplementedError

    def state(self) -> Tree:
        """Return the state that a checkpoint must hold, as nested dictionaries of tensors and JSON values."""
        return {}

    def restore(self, saved: Tree) -> None:
        """Restore a state that :meth:`state` returned."""


@dataclass(frozen=True)
class DataChains(Negatives):
    """Negatives of contrastive divergence (CD-k): Langevin chains that start at the data of the batch.

    They train the energy only near the data. Far from the data the energy may be low by chance.

    Parameters
    ----------
    steps : int
        Number k of Langevin steps.
    step_size : float
        Step size η of :func:`~ebm_core.sampling.samplers.langevin`, in the squared units of x.

    Raises
    ------
    ValueError
        If ``steps`` is below 1 or the step size not positive. ``draw`` raises it if the energy is not valid.

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

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 1)
        check_positive("step_size", self.step_size)

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        with evaluation_mode(energy):
            return langevin(energy, x, self.steps, self.step_size, generator)


@dataclass(frozen=True)
class PersistentChains(Negatives):
    """Negatives of persistent contrastive divergence: Langevin chains kept in a buffer between steps.

    Parameters
    ----------
    buffer : ReplayBuffer
        Buffer of chains, with at least as many chains as a batch has rows.
    steps : int
        Number of Langevin steps at each draw.
    step_size : float
        Step size η of :func:`~ebm_core.sampling.samplers.langevin`, in the squared units of x.

    Raises
    ------
    ValueError
        If ``steps`` is below 1 or the step size not positive. ``draw`` raises it if the buffer has fewer
        chains than the batch has rows, or if the energy is not valid.

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

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 1)
        check_positive("step_size", self.step_size)

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        index, start = self.buffer.draw(len(x), generator)
        with evaluation_mode(energy):
            samples = langevin(energy, start.to(x), self.steps, self.step_size, generator)
        self.buffer.put(index, samples)
        return samples

    def state(self) -> Tree:
        return {"chains": self.buffer.chains}

    def restore(self, saved: Tree) -> None:
        self.buffer.chains = saved["chains"].to(self.buffer.chains, copy=True)
