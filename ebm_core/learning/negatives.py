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
    """A source of samples near exp(−E)/Z for the energy as it is now, with whatever state that takes."""

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
    """CD-k's negatives: ``steps`` Langevin steps of ``step_size`` that start at the data of the batch.

    They tell the energy about the neighbourhood of the data only: far from them nothing holds it up.
    Reference: Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural
    Computation 14(8).
    """

    steps: int
    step_size: float

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        return langevin(energy, x, self.steps, self.step_size, generator)


@dataclass(frozen=True)
class PersistentChains(Negatives):
    """Persistent CD's negatives: ``steps`` Langevin steps on from where chains of ``buffer`` were left.

    Reference: Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood
    gradient, ICML; Du and Mordatch (2019), Implicit generation and modeling with energy-based models.
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
