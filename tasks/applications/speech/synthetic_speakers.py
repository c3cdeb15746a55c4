"""Synthetic speakers: an energy-based model trained with a generator that has a latent speaker."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.base.files import Tree, optimiser_state, restore_optimiser
from ebm_core.energies.networks import ClassEnergy, initialise
from ebm_core.learning.objectives import Batch, Objective

LATENT = (
    "vocal tract", "vowels", "early or late", "slow or fast middle", "beginning", "end",
    "tilt", "timbre", "noise",
)  # fmt: skip
"""Names of the components of a latent speaker."""
SPREAD = (0.03, 0.02, 0.3, 0.2, 0.1, 0.1, 0.3, 0.3, 0.03)
"""Standard deviation of each component at the start of training."""
HEARD = 32
"""Number of latent speakers that a test recording is averaged over."""
NEPERS = 2.9
"""Log power of one standard deviation of a spectrogram, 12.6 dB on average."""


class SyntheticSpeakers(nn.Module):
    """Generator x⁻ = G(x, s·z), z ~ N(0, I), of a recording x ``(B, bands, frames)`` by a latent speaker z.

    G stretches the frequency axis (length of the vocal tract) and bends it (vowels), warps time smoothly in
    two ways, cuts off or lengthens beginning and end, adds a tilt and a wave over frequency, and adds noise
    relative to the loudest cell. The latent speaker is normal, so its entropy is Σ log s up to a constant.
    Each ``draw`` takes one Adam step of the spreads s to decrease E[E(x⁻) + log p(label | x⁻)] − w Σ log s.
    The speakers thus become as varied as possible, while the energy of their speech stays low and the
    classifier finds them difficult.

    References: Jaitly and Hinton (2013), Vocal tract length perturbation improves speech recognition, ICML
    workshop; Kumar et al. (2019), Maximum entropy generators for energy-based models; Zhang et al. (2020),
    Adversarial AutoAugment, ICLR.
    """

    def __init__(self, learning_rate: float, entropy_weight: float) -> None:
        super().__init__()
        self.log_spread = nn.Parameter(torch.tensor(SPREAD).log())
        self.entropy_weight = entropy_weight
        self.optimiser = torch.optim.Adam([self.log_spread], lr=learning_rate)

    def draw(self, energy: ClassEnergy, x: Tensor, label: Tensor, generator: torch.Generator) -> Tensor:
        """Return one detached variation x⁻ of each recording ``x`` with its ``label`` ``(B,)``.

        The call also makes one training step of the spreads s.
        """
        z = torch.randn(len(x), len(LATENT), generator=generator)
        with torch.enable_grad():
            spoken = spoken_by(x, z * self.log_spread.exp())
            logits = energy.logits(spoken)
            goal = -logits.logsumexp(1).mean() - functional.cross_entropy(logits, label)
            goal = goal - self.entropy_weight * self.log_spread.sum()
            (self.log_spread.grad,) = torch.autograd.grad(goal, [self.log_spread])
        self.optimiser.step()
        return spoken.detach()

    def state(self) -> Tree:
        return {"speakers": self.state_dict(), "optimiser": optimiser_state(self.optimiser)}

    def restore(self, saved: Tree) -> None:
        self.load_state_dict(saved["speakers"])
        restore_optimiser(self.optimiser, saved["optimiser"])


def spoken_by(x: Tensor, speaker: Tensor) -> Tensor:
    """Apply G to spectrograms ``(B, bands, frames)`` with ``speaker`` ``(B, 9)``; standardise the result."""
    bands, frames = (torch.linspace(0, 1, n) for n in x.shape[1:])
    tract, vowels, late, middle, first, last, tilt, timbre, noise = speaker[..., None].unbind(1)
    frequency = bands * tract.exp() + vowels * torch.sin(math.pi * bands)
    time = first + (1 - first - last) * frames
    time = time + late * torch.sin(math.pi * frames) + middle * torch.sin(2 * math.pi * frames) / 2
    place = torch.stack(torch.broadcast_tensors(time[:, None], frequency[:, :, None]), -1)
    moved = functional.grid_sample(x[:, None], 2 * place - 1, padding_mode="border", align_corners=True)[:, 0]
    moved = moved + (tilt * (2 * bands - 1) + timbre * torch.cos(3 * math.pi * bands))[..., None]
    power = NEPERS * moved
    moved = torch.logaddexp(power, power.amax((1, 2), True) + (noise.square() + 1e-30).log()[..., None])
    moved = moved - moved.mean((1, 2), keepdim=True)
    return moved / moved.std((1, 2), keepdim=True)


def by_chance(x: Tensor, generator: torch.Generator) -> Tensor:
    """Vary each recording by a latent speaker with the initial, untrained spreads."""
    return spoken_by(x, torch.randn(len(x), len(LATENT), generator=generator) * torch.tensor(SPREAD))


def scrambled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Make recordings that are not speech by permuting the frames or the bands at random."""
    axis = 1 + int(torch.randint(2, (1,), generator=generator))
    return x.index_select(axis, torch.randperm(x.shape[axis], generator=generator))


def heard_as(
    energy: ClassEnergy, x: Tensor, spread: Tensor, trust: float, generator: torch.Generator
) -> Tensor:
    """Return p(y | x) = Σ_z w_z p(y | G(x, z)), ``(B, classes)``.

    The sum is over ``HEARD`` latent speakers z and the recording x itself. The weights are w_z ∝
    exp(−``trust`` · E(G(x, z))), so that variations of low energy, which resemble speech most, count most.
    With ``trust`` = 0 all weights are equal.
    """
    with torch.no_grad():
        logits = [energy.logits(x)]
        for _ in range(HEARD):
            z = torch.randn(len(x), len(LATENT), generator=generator)
            logits.append(energy.logits(spoken_by(x, z * spread)))
        found = torch.stack(logits).double()  # in single precision the sum may exceed 1
        weight = (trust * found.logsumexp(2, keepdim=True)).softmax(0)
        return (weight * found.softmax(2)).sum(0)


def spec_augment(x: Tensor, generator: torch.Generator, masks: int = 2, widest: int = 6) -> Tensor:
    """Apply SpecAugment: set ``masks`` random ranges of bands and frames, up to ``widest`` wide, to 0.

    Reference: Park et al. (2019), SpecAugment, Interspeech.
    """
    kept = torch.ones_like(x, dtype=torch.bool)
    for axis in (1, 2):
        size = x.shape[axis]
        place = torch.arange(size)
        for _ in range(masks):
            width = torch.randint(widest + 1, (len(x), 1), generator=generator)
            start = (torch.rand(len(x), 1, generator=generator) * (size - width)).long()
            kept &= ((place < start) | (place >= start + width)).unsqueeze(3 - axis)
    return x * kept


@dataclass(frozen=True)
class Recognition(Objective):
    """Loss −mean log p(label | change(x)) of a classifier, where ``change`` is an augmentation or nothing."""

    change: Callable[[Tensor, torch.Generator], Tensor]
    labelled = True

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x, label = batch
        return functional.cross_entropy(energy.logits(self.change(x, generator)), label)


@dataclass(frozen=True)
class JointSpeech(Objective):
    """Loss −mean log p(label | x⁻) + λ [½ E(x) + ½ E(x⁻) − E(x°) + α Σ E²] in nats, a JEM with a generator.

    x⁻ are variations of the recordings x by latent speakers and keep the label of x. They train the
    classifier and, like x, count as speech. x° are the negatives, recordings scrambled over time or
    frequency. The penalty Σ E² bounds the energies of all three.
    """

    speakers: SyntheticSpeakers
    weight: float
    energy_penalty: float = 0.01
    labelled = True
    remedy = "a smaller learning_rate or weight, or a larger energy_penalty"

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x, label = batch
        spoken = self.speakers.draw(energy, x, label, generator)
        logits = energy.logits(torch.cat([spoken, x, scrambled(x, generator)]))
        synthetic, real, negative = (-logits.logsumexp(1)).split(len(x))
        contrast = (real.mean() + synthetic.mean()) / 2 - negative.mean()
        penalty = self.energy_penalty * sum(part.square().mean() for part in (synthetic, real, negative))
        return functional.cross_entropy(logits[: len(x)], label) + self.weight * (contrast + penalty)

    def state(self) -> Tree:
        return self.speakers.state()

    def restore(self, saved: Tree) -> None:
        self.speakers.restore(saved)


class DigitNetwork(nn.Module):
    """Network from spectrograms ``(B, bands, frames)`` to logits ``(B, classes)``: three convolutions."""

    def __init__(self, classes: int, size: tuple[int, int], generator: torch.Generator) -> None:
        super().__init__()
        widths = (1, 8, 16, 32)
        maps: list[nn.Module] = []
        for before, after, kernel in zip(widths[:-1], widths[1:], (5, 3, 3), strict=True):
            maps += [nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2), nn.SiLU()]
        places = math.prod(-(-n // 8) for n in size)
        self.layers = nn.Sequential(*maps, nn.Flatten(), nn.Linear(widths[-1] * places, classes))
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x[:, None])
        return logits
