"""What an energy is trained on where its normaliser is out of reach: contrast, scores, neighbours, classes.

p(x) = exp(−E(x))/Z throughout. Each objective is a small object of hyper-parameters;
:func:`ebm_core.learning.fit.fit` takes any of them. The likelihood of tilts is in
:mod:`ebm_core.tilts.training`, ranking against draws of a base in :mod:`ebm_core.tilts.joint`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebm_core.checkpoints import Tree
from ebm_core.energies.gradients import checked, input_gradient
from ebm_core.learning.negatives import Negatives
from ebm_core.tilts.joint import ranking_loss

Batch = Tensor | tuple[Tensor, Tensor]
"""Data ``(B, *shape)``, or such data and their class labels ``(B,)``."""


class Objective:
    """A loss to minimise over the parameters of an energy ``(B, *shape)`` → ``(B,)``.

    One of your own needs ``loss``; ``state`` and ``restore`` where it keeps something between steps; and, to
    go on from checkpoints in another process, a ``repr`` of its hyper-parameters, as a dataclass has.
    """

    labelled = False
    """Whether a batch is ``(x, label)`` rather than ``x``."""
    remedy = "a smaller learning_rate, or a clip"
    """What to try when a fit diverges."""

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        """A scalar whose gradient trains ``energy`` on ``batch``; randomness comes from ``generator``."""
        raise NotImplementedError

    def state(self) -> Tree:
        """What a fit must keep to go on bit for bit: tensors and JSON values, nested."""
        return {}

    def restore(self, saved: Tree) -> None:
        """Put back what :meth:`state` gave."""


@dataclass(frozen=True)
class ContrastiveDivergence(Objective):
    """mean E(x) − mean E(x⁻) + α (mean E(x)² + mean E(x⁻)²), in nats; x⁻ are the ``negatives``.

    With x⁻ ~ exp(−E)/Z its gradient is that of −log p. CD-k, persistent CD and the EBM–GAN hybrid differ in
    their negatives only: :class:`~ebm_core.learning.negatives.DataChains`,
    :class:`~ebm_core.learning.negatives.PersistentChains`,
    :class:`~ebm_core.learning.amortised.AmortisedSampler`. The value says nothing about the quality of fit.
    α, ``energy_penalty``, keeps energies near 0, which holds the fit together and pulls the density towards
    flatness.

    References: Hinton (2002), Neural Computation 14(8); Du and Mordatch (2019), NeurIPS, for the penalty.
    """

    negatives: Negatives
    energy_penalty: float = 0.0
    remedy = "a smaller learning_rate or step_size of the chains, a larger energy_penalty, or a clip"

    def __post_init__(self) -> None:
        if not 0 <= self.energy_penalty < math.inf:
            raise ValueError(f"energy_penalty: {self.energy_penalty}; expected 0 or more")

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = _unlabelled(batch)
        both = torch.cat([x, self.negatives.draw(energy, x, generator)])
        of_data, of_negatives = checked(energy, both).split(len(x))
        contrast = of_data.mean() - of_negatives.mean()
        if not self.energy_penalty:
            return contrast
        return contrast + self.energy_penalty * (of_data.square().mean() + of_negatives.square().mean())

    def state(self) -> Tree:
        return self.negatives.state()

    def restore(self, saved: Tree) -> None:
        self.negatives.restore(saved)


@dataclass(frozen=True)
class DenoisingScoreMatching(Objective):
    """½ mean ‖σ ∇E(x + σ ε) − ε‖², ε ~ N(0, I): no sampler, one gradient of the energy.

    Its minimum over E is the density of the data blurred by N(0, σ² I), σ = ``noise_scale`` in the data's
    units. How much mass lies in modes that σ does not bridge is hardly learned.

    Reference: Vincent (2011), A connection between score matching and denoising autoencoders, Neural
    Computation 23(7).
    """

    noise_scale: float

    def __post_init__(self) -> None:
        _check_scale("noise_scale", self.noise_scale)

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = _unlabelled(batch)
        noise = _noise(x.shape, x, generator)
        pull = input_gradient(energy, torch.add(x, noise, alpha=self.noise_scale))
        wanted = noise / self.noise_scale
        return functional.mse_loss(pull, wanted, reduction="sum") * (self.noise_scale**2 / (2 * len(x)))


@dataclass(frozen=True)
class SlicedScoreMatching(Objective):
    """mean over data and directions v ~ N(0, I) of ½ ‖∇E(x)‖² − vᵀ ∇²E(x) v: no sampler, no blur.

    The variance-reduced form; up to a constant half the Fisher divergence to the data's density. Costs a
    Hessian-vector product for each of the ``projections``. Mass in separate modes is not learned.

    Reference: Song, Garg, Shi and Ermon (2019), Sliced score matching, UAI.
    """

    projections: int = 1

    def __post_init__(self) -> None:
        if self.projections < 1:
            raise ValueError(f"projections: {self.projections}; expected 1 or more")

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        at = _unlabelled(batch).detach().requires_grad_()
        with torch.enable_grad():
            pull = input_gradient(energy, at)
            curvature = pull.new_zeros(())
            for _ in range(self.projections):
                v = _noise(at.shape, at, generator)
                (hessian_v,) = torch.autograd.grad((pull * v).sum(), at, create_graph=True)
                curvature = curvature + (hessian_v * v).sum()
        return (pull.square().sum() / 2 - curvature / self.projections) / len(at)


@dataclass(frozen=True)
class EnergyDiscrepancy(Objective):
    """mean of log [1/(M+1) + Σ_j exp(E(x) − E(x_j))/(M+1)], x_j = x + σ ξ + σ ξ_j: no sampler.

    ξ and ξ_1 … ξ_M are standard normal, ξ shared by the M ``candidates``. Given y = x + σ ξ it is the cross
    entropy of picking the data point among M draws of N(y, σ² I), so its minimum is the data's density for
    *every* M and σ; as M grows it tends to the energy discrepancy (there with w = 1). Small σ see the shape
    within modes, large ones the mass between them: each row draws one of ``noise_scales``, in the data's
    units.

    Reference: Schröder, Ou, Lim, Li, Vollmer and Duncan (2023), Energy discrepancies: a score-independent
    loss for energy-based models, NeurIPS.
    """

    noise_scales: Sequence[float]
    candidates: int = 16

    def __post_init__(self) -> None:
        if not self.noise_scales:
            raise ValueError("noise_scales: none; expected one or more")
        for scale in self.noise_scales:
            _check_scale("noise_scales", scale)
        if self.candidates < 1:
            raise ValueError(f"candidates: {self.candidates}; expected 1 or more")

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = _unlabelled(batch)
        scales = torch.tensor(self.noise_scales, dtype=x.dtype, device=x.device)
        drawn = torch.randint(len(scales), (len(x),), generator=generator, device=x.device)
        scale = scales[drawn].reshape(-1, *(1,) * x.dim())
        noise = _noise((len(x), self.candidates + 1, *x.shape[1:]), x, generator)
        near = x[:, None] + scale * (noise[:, :1] + noise[:, 1:])
        candidates = torch.cat([x[:, None], near], 1)
        energies = checked(energy, candidates.flatten(0, 1))
        return ranking_loss(energies.view(len(x), -1)).mean()


@dataclass(frozen=True)
class JEM(Objective):
    """−mean log p(label | x) + λ · (generative loss of x): a classifier that is a density of x as well.

    ``energy`` is a :class:`~ebm_core.energies.networks.ClassEnergy`: p(y | x) is the softmax of its logits,
    E(x) their negative log-sum-exp. ``generative`` is any objective without labels; λ is ``weight``. In nats.

    Reference: Grathwohl et al. (2020), Your classifier is secretly an energy based model, ICLR.
    """

    generative: Objective
    weight: float = 1.0
    labelled = True
    remedy = "a smaller learning_rate or weight, a larger energy_penalty of the generative term, or a clip"

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"weight: {self.weight}; expected 0 or more")
        if self.generative.labelled:
            raise ValueError("generative: an objective with labels; expected one of x alone")

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        if isinstance(batch, Tensor):
            raise ValueError("batch: x alone; expected (x, label)")
        if not hasattr(energy, "logits"):
            raise ValueError(f"energy: {type(energy).__name__} has no logits; expected a ClassEnergy")
        x, label = batch
        logits = energy.logits(x)
        if label.min() < 0 or label.max() >= logits.shape[1]:
            found = f"{int(label.min())} to {int(label.max())}"
            raise ValueError(f"label: {found}; expected 0 to {logits.shape[1] - 1}, one a logit")
        classes = functional.cross_entropy(logits, label)
        return classes + self.weight * self.generative.loss(energy, x, generator)

    def state(self) -> Tree:
        return self.generative.state()

    def restore(self, saved: Tree) -> None:
        self.generative.restore(saved)


def _unlabelled(batch: Batch) -> Tensor:
    if not isinstance(batch, Tensor):
        raise ValueError("batch: (x, label); this objective takes x alone")
    return batch


def _noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def _check_scale(name: str, scale: float) -> None:
    if not 0 < scale < math.inf:
        raise ValueError(f"{name}: {scale}; expected a positive number in the data's units")
