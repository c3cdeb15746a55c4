"""Training objectives that compare the gradients of an energy with those of the data's density.

They need no sampler, and do not learn the relative mass of modes that are far apart.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebm_core.base.arguments import check_positive, check_whole
from ebm_core.energies.gradients import differentiable, input_gradient, leaf
from ebm_core.learning.objectives import Batch, Objective, draw_noise, unlabelled


@dataclass(frozen=True)
class DenoisingScoreMatching(Objective):
    """Denoising score matching ½ mean ‖σ ∇E(x + σ ε) − ε‖² with ε ~ N(0, I), which needs no sampler.

    The loss takes one gradient of the energy. At its minimum over E, exp(−E) is up to a constant the density
    of the data with noise N(0, σ² I) added. The relative mass of modes that are many σ apart is hardly
    learned.

    Parameters
    ----------
    noise_scale : float
        Standard deviation σ of the noise, in the data's units.

    Raises
    ------
    ValueError
        If the scale is not positive and finite.

    References
    ----------
    Vincent (2011), A connection between score matching and denoising autoencoders, Neural Computation 23(7).

    Examples
    --------
    For data from N(0, 1) and σ = 1 the noisy data have variance 2, and the energy of that variance has the
    lowest loss.

    >>> import torch
    >>> from ebm_core import DenoisingScoreMatching, GaussianEnergy
    >>> objective = DenoisingScoreMatching(noise_scale=1.0)
    >>> x = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0))
    >>> def loss(variance):
    ...     energy = GaussianEnergy(torch.zeros(1), variance * torch.eye(1))
    ...     return objective.loss(energy, x, torch.Generator().manual_seed(1)).item()
    >>> loss(2.0) < min(loss(1.0), loss(4.0))
    True
    """

    noise_scale: float

    def __post_init__(self) -> None:
        check_positive("noise_scale", self.noise_scale, "a positive number in the data's units")

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = unlabelled(batch, generator)
        noise = draw_noise(x.shape, x, generator)
        pull = input_gradient(energy, torch.add(x, noise, alpha=self.noise_scale))
        wanted = noise / self.noise_scale
        return functional.mse_loss(pull, wanted, reduction="sum") * (self.noise_scale**2 / (2 * len(x)))


@dataclass(frozen=True)
class SlicedScoreMatching(Objective):
    """Sliced score matching, the mean over data and directions v ~ N(0, I) of ½ ‖∇E(x)‖² − vᵀ ∇²E(x) v.

    This is the variance-reduced form. It needs no sampler and adds no noise to the data. Up to a constant it
    is half the Fisher divergence to the density of the data. Each projection costs a Hessian-vector product.
    The relative mass of separate modes is not learned.

    Parameters
    ----------
    projections : int, default 1
        Number of directions v for each batch.

    Raises
    ------
    ValueError
        If ``projections`` is below 1.

    References
    ----------
    Song, Garg, Shi and Ermon (2019), Sliced score matching, UAI.

    Examples
    --------
    At the energy of standard normal data in d dimensions the loss is −d/2.

    >>> import torch
    >>> from ebm_core import GaussianEnergy, SlicedScoreMatching
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = energy.sample(5000, generator)
    >>> loss = SlicedScoreMatching(projections=4).loss(energy, x, generator)
    >>> abs(loss.item() + 1) < 0.1
    True
    """

    projections: int = 1

    def __post_init__(self) -> None:
        check_whole("projections", self.projections, 1)

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = unlabelled(batch, generator)
        with differentiable():
            at = leaf(x)
            pull = input_gradient(energy, at)
            curvature = pull.new_zeros(())
            for _ in range(self.projections):
                v = draw_noise(at.shape, at, generator)
                (hessian_v,) = torch.autograd.grad((pull * v).sum(), at, create_graph=True)
                curvature = curvature + (hessian_v * v).sum()
        return (pull.square().sum() / 2 - curvature / self.projections) / len(at)
