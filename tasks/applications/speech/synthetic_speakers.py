"""Speech by speakers who do not exist: an EBM–GAN whose generator has a latent speaker."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.checkpoints import Tree, optimiser_state, restore_optimiser
from ebm_core.energies.networks import ClassEnergy, initialise
from ebm_core.learning.objectives import Batch, Objective

LATENT = (
    "vocal tract", "vowels", "early or late", "slow or fast middle", "beginning", "end",
    "tilt", "timbre", "noise",
)  # fmt: skip
"""What one number of a latent speaker moves; the spreads below are those at the start of training."""
SPREAD = (0.03, 0.02, 0.3, 0.2, 0.1, 0.1, 0.3, 0.3, 0.03)
HEARD = 32
"""Latent speakers as whom a test recording is heard."""
NEPERS = 2.9
"""Log power of one standard deviation of a spectrogram, 12.6 dB on average."""


class SyntheticSpeakers(nn.Module):
    """x⁻ = G(x, s·z), z ~ N(0, I): a recording x ``(B, bands, frames)`` as latent speaker z would say it.

    G stretches the frequency axis (the length of the vocal tract), bends it (vowels), moves time smoothly
    (two ways), cuts off or lengthens beginning and end, adds a tilt and a wave over frequency, and noise of
    an amplitude as a share of the loudest cell's. The law of the latent speaker is normal, so its entropy is
    Σ log s up to a constant, and each ``draw`` takes one Adam step of the spreads s down
    E[E(x⁻) + log p(label | x⁻)] − w Σ log s: speakers as different as the energy still takes for speech
    (a sampler of it) and the classifier mishears (its adversary).

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
        """x⁻ of recordings ``x`` with their ``label`` ``(B,)``, detached."""
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
    """G: spectrograms ``(B, bands, frames)`` moved by ``speaker`` ``(B, 9)``; mean 0 and s.d. 1 again."""
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
    """Each recording said again by a latent speaker with the spreads of the start: no training."""
    return spoken_by(x, torch.randn(len(x), len(LATENT), generator=generator) * torch.tensor(SPREAD))


def scrambled(x: Tensor, generator: torch.Generator) -> Tensor:
    """What is no speech: the frames of all recordings in another order, or the bands, by chance."""
    axis = 1 + int(torch.randint(2, (1,), generator=generator))
    return x.index_select(axis, torch.randperm(x.shape[axis], generator=generator))


def heard_as(
    energy: ClassEnergy, x: Tensor, spread: Tensor, trust: float, generator: torch.Generator
) -> Tensor:
    """p(y | x) = Σ_z w_z p(y | G(x, z)) ``(B, classes)`` over ``HEARD`` latent speakers z and x itself.

    w_z ∝ exp(−``trust`` E(G(x, z))): as whom a recording sounds most like speech counts most; 0 is the mean.
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
    """SpecAugment: ``masks`` bands and as many stretches of time, up to ``widest`` wide, set to the mean, 0.

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
    """−mean log p(label | change(x)): a classifier alone, or with an augmentation."""

    change: Callable[[Tensor, torch.Generator], Tensor]
    labelled = True

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        x, label = batch
        return functional.cross_entropy(energy.logits(self.change(x, generator)), label)


@dataclass(frozen=True)
class JointSpeech(Objective):
    """JEM with a generator: −mean log p(label | x⁻) + λ [½ E(x) + ½ E(x⁻) − E(x°) + α Σ E²], in nats.

    x⁻ keep the label of the recording x that a latent speaker of ``speakers`` says again: they teach the
    classes, and count as speech like x itself. x°, recordings scrambled over time or frequency, are the
    negatives; Σ E² bounds the energies of all three.
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
    """Logits ``(B, classes)`` of spectrograms ``(B, bands, frames)``: three strided convolutions, SiLU."""

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
