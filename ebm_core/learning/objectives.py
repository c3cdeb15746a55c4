"""Training objectives for energies whose normaliser cannot be computed.

The density is p(x) = exp(−E(x))/Z. An objective holds its hyper-parameters and is passed to
:func:`ebm_core.learning.fit.fit`. Tilts of forecasts have other objectives: their likelihood is in
:mod:`ebm_core.tilts.likelihood`, and ranking against draws of a base is in :mod:`ebm_core.tilts.joint`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebm_core.base.arguments import (
    check_at_least,
    check_generator,
    check_points,
    check_positives,
    check_whole,
)
from ebm_core.base.files import Tree
from ebm_core.energies.gradients import energies_apart
from ebm_core.energies.networks import check_labels
from ebm_core.learning.negatives import Negatives
from ebm_core.tilts.joint import ranking_loss

Batch = Tensor | tuple[Tensor, Tensor]
"""Data ``(B, *shape)``, or a tuple of data and their class labels ``(B,)``."""


class Objective:
    """Base class of training objectives, which are losses of an energy ``(B, *shape)`` → ``(B,)``.

    A subclass defines ``loss``. If it keeps a state between steps, it also defines ``state`` and ``restore``.
    A fit is resumed from a checkpoint only if the objective's class and attributes are those with which the
    fit began.

    Examples
    --------
    Logistic noise-contrastive estimation against noise from N(0, 4 I) learns the log ratio of the two
    densities.

    >>> import torch
    >>> from torch.nn.functional import softplus
    >>> from ebm_core import MLPEnergy, Objective, fit
    >>> class NoiseContrast(Objective):
    ...     def loss(self, energy, batch, generator):
    ...         noise = 2 * torch.randn(batch.shape, generator=generator)
    ...         return softplus(energy(batch)).mean() + softplus(-energy(noise)).mean()
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(200, 2, generator=generator)
    >>> start = MLPEnergy(2, (16,), generator=generator)
    >>> options = {"steps": 100, "batch": 50, "learning_rate": 0.02}
    >>> learned = fit(start, x, NoiseContrast(), generator=generator, **options)
    >>> bool(learned.loss[-20:].mean() < learned.loss[:20].mean())
    True
    """

    labelled = False
    """Whether a batch is ``(x, label)`` rather than ``x``."""
    remedy = "a smaller learning_rate, or a clip"
    """What to try when a fit diverges."""
    contrastive = False
    """Whether the loss is a difference of energies in nats. Then growth beyond all bounds is divergence."""

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the scalar loss of ``energy`` on ``batch``. All random numbers come from ``generator``."""
        raise NotImplementedError

    def state(self) -> Tree:
        """Return the state that a checkpoint must hold, as nested dictionaries of tensors and JSON values."""
        return {}

    def restore(self, saved: Tree) -> None:
        """Restore a state that :meth:`state` returned."""


@dataclass(frozen=True)
class ContrastiveDivergence(Objective):
    """Contrastive divergence, mean E(x) − mean E(x⁻) + α (mean E(x)² + mean E(x⁻)²), in nats.

    x are data and x⁻ negative samples. With x⁻ ~ exp(−E)/Z and α = 0 the gradient is that of −log p(x). The
    source of negatives determines the method: :class:`~ebm_core.learning.negatives.DataChains` for CD-k,
    :class:`~ebm_core.learning.negatives.PersistentChains` for persistent CD, and
    :class:`~ebm_core.learning.amortised.AmortisedSampler` for an EBM–GAN hybrid. The value of the loss does
    not measure the quality of the fit.

    Parameters
    ----------
    negatives : Negatives
        Source of x⁻.
    energy_penalty : float, default 0.0
        Weight α of the penalty, which keeps energies near 0. It stabilises the fit and pulls the density
        towards flatness.

    Raises
    ------
    ValueError
        If the penalty is negative or not finite.

    References
    ----------
    Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural Computation
    14(8).

    Du and Mordatch (2019), Implicit generation and modeling with energy-based models, NeurIPS, for the
    penalty.

    Examples
    --------
    The loss is near zero if data and chains have the same distribution.

    >>> import torch
    >>> from ebm_core import ContrastiveDivergence, DataChains, GaussianEnergy
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> objective = ContrastiveDivergence(DataChains(steps=10, step_size=0.05))
    >>> x = energy.sample(2000, generator)
    >>> abs(float(objective.loss(energy, x, generator))) < 0.1
    True
    >>> abs(float(objective.loss(energy, x + 3, generator))) > 1
    True
    """

    negatives: Negatives
    energy_penalty: float = 0.0
    contrastive = True
    remedy = "a smaller learning_rate or step_size of the chains, a larger energy_penalty, or a clip"

    def __post_init__(self) -> None:
        check_at_least("energy_penalty", self.energy_penalty, 0)

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = unlabelled(batch, generator)
        of_data, of_negatives = energies_apart(energy, x, self.negatives.draw(energy, x, generator))
        contrast = of_data.mean() - of_negatives.mean()
        if not self.energy_penalty:
            return contrast
        return contrast + self.energy_penalty * (of_data.square().mean() + of_negatives.square().mean())

    def state(self) -> Tree:
        return self.negatives.state()

    def restore(self, saved: Tree) -> None:
        self.negatives.restore(saved)


@dataclass(frozen=True)
class EnergyDiscrepancy(Objective):
    """Energy discrepancy: a data point x is ranked against noisy neighbours x_j = x + σ ξ + σ ξ_j.

    The loss is the mean of log [1/(M+1) + Σ_j exp(E(x) − E(x_j))/(M+1)], in nats, and needs no sampler. ξ and
    ξ_1 … ξ_M are standard normal, and the M ``candidates`` share ξ. Given y = x + σ ξ, the loss is up to a
    constant the cross entropy of picking the data point among itself and M draws of N(y, σ² I). Its minimum
    is therefore the density of the data for *every* M and σ. As M grows, it tends to the energy discrepancy
    of Schröder et al. with w = 1. Each row of a batch uses one of ``noise_scales``, drawn at random.

    Parameters
    ----------
    noise_scales : sequence of float
        Standard deviations σ, in the data's units. Small values teach the shape within modes, large values
        the relative mass of the modes.
    candidates : int, default 16
        Number M of neighbours.

    Raises
    ------
    ValueError
        If there is no scale, if one is not positive and finite, or if ``candidates`` is below 1.

    References
    ----------
    Schröder, Ou, Lim, Li, Vollmer and Duncan (2023), Energy discrepancies: a score-independent loss for
    energy-based models, NeurIPS.

    Examples
    --------
    Of three Gaussian energies the one with the variance of the data has the lowest loss.

    >>> import torch
    >>> from ebm_core import EnergyDiscrepancy, GaussianEnergy
    >>> objective = EnergyDiscrepancy(noise_scales=(0.5, 2.0), candidates=8)
    >>> x = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0))
    >>> def loss(variance):
    ...     energy = GaussianEnergy(torch.zeros(1), variance * torch.eye(1))
    ...     return objective.loss(energy, x, torch.Generator().manual_seed(1)).item()
    >>> loss(1.0) < min(loss(0.5), loss(2.0))
    True
    """

    noise_scales: Sequence[float]
    candidates: int = 16

    def __post_init__(self) -> None:
        check_positives("noise_scales", self.noise_scales)
        check_whole("candidates", self.candidates, 1)

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x = unlabelled(batch, generator)
        scales = torch.tensor(self.noise_scales, dtype=x.dtype, device=x.device)
        drawn = torch.randint(len(scales), (len(x),), generator=generator, device=x.device)
        scale = scales[drawn].reshape(-1, *(1,) * x.dim())
        noise = draw_noise((len(x), self.candidates + 1, *x.shape[1:]), x, generator)
        near = x[:, None] + scale * (noise[:, :1] + noise[:, 1:])
        of_data, of_near = energies_apart(energy, x, near.flatten(0, 1))
        energies = torch.cat([of_data[:, None], of_near.view(len(x), -1)], 1)
        return ranking_loss(energies).mean()


@dataclass(frozen=True)
class JEM(Objective):
    """Joint loss of a classifier that is also a density, −mean log p(label | x) + λ · (generative loss of x).

    The energy is a :class:`~ebm_core.energies.networks.ClassEnergy`: p(y | x) is the softmax of its logits,
    and E(x) is their negative log-sum-exp. The first term is in nats.

    Parameters
    ----------
    generative : Objective
        Objective without labels for the density of x.
    weight : float, default 1.0
        Weight λ of the generative loss.

    Raises
    ------
    ValueError
        If the weight is negative or not finite, if ``generative`` takes labels, if the energy has no logits,
        or if a label is not one of its classes.

    References
    ----------
    Grathwohl et al. (2020), Your classifier is secretly an energy based model and you should treat it like
    one, ICLR.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import JEM, ClassEnergy, EnergyDiscrepancy, fit
    >>> from ebm_core.energies.networks import initialise
    >>> generator = torch.Generator().manual_seed(0)
    >>> label = torch.arange(200) % 2
    >>> x = torch.randn(200, 2, generator=generator) + 4 * label[:, None]
    >>> network = torch.nn.Linear(2, 2)
    >>> initialise(network, generator)
    >>> objective = JEM(EnergyDiscrepancy((0.5,), candidates=4), weight=0.1)
    >>> options = {"steps": 100, "batch": 50, "learning_rate": 0.05, "decay": 0.9}
    >>> joint = fit(ClassEnergy(network), (x, label), objective, generator=generator, **options).averaged
    >>> bool((joint.logits(x).argmax(1) == label).float().mean() > 0.9)
    True
    """

    generative: Objective
    weight: float = 1.0
    labelled = True
    remedy = "a smaller learning_rate or weight, a larger energy_penalty of the generative term, or a clip"

    def __post_init__(self) -> None:
        check_at_least("weight", self.weight, 0)
        if self.generative.labelled:
            raise ValueError("generative: the objective uses labels; expected one that uses x alone")

    @property
    def contrastive(self) -> bool:  # type: ignore[override]
        return self.generative.contrastive

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        if not isinstance(batch, tuple) or len(batch) != 2:
            raise ValueError("batch: found x without labels; expected (x, label)")
        x, label = batch
        check_batch(x, generator)
        if not hasattr(energy, "logits"):
            within = ", such as energy.module" if hasattr(getattr(energy, "module", None), "logits") else ""
            raise ValueError(f"energy: {type(energy).__name__} has no logits; expected a ClassEnergy{within}")
        logits = energy.logits(x)
        check_labels(label, *logits.shape)
        classes = functional.cross_entropy(logits, label)
        return classes + self.weight * self.generative.loss(energy, x, generator)

    def state(self) -> Tree:
        return self.generative.state()

    def restore(self, saved: Tree) -> None:
        self.generative.restore(saved)


def unlabelled(batch: Batch, generator: torch.Generator) -> Tensor:
    if isinstance(batch, tuple):
        raise ValueError("batch: found (x, label); expected x without labels")
    check_batch(batch, generator)
    return batch


def check_batch(x: Tensor, generator: torch.Generator) -> None:
    check_points("batch", x)
    check_generator(generator, x.device)
    if x.dim() < 1 or not len(x):
        raise ValueError(f"batch: shape {tuple(x.shape)} has no rows; expected one or more")


def draw_noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
