"""Joint energy of pictures and classes: class densities, tilted by a convolutional network.

    p(x, c) ∝ q(x) · exp(f_c(x)),   E(x, c) = −log q(x) − f_c(x),   E(x) = −log q(x) − log Σ_c exp f_c(x)

q is a manifold Parzen density. As in JEM, f is fitted to both p(c | x) and p(x): to the first by
cross-entropy, to the second by noise-contrastive estimation against samples of q, which needs no Markov
chain. p(c | x) is calibrated on pictures that f was not fitted on. The calibration does not change E(x).

References: Grathwohl et al. (2020), Your classifier is secretly an energy based model, ICLR; Gutmann and
Hyvärinen (2010), Noise-contrastive estimation, AISTATS.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.energies.networks import initialise
from ebm_core.energies.parzen import ManifoldParzen

# Chosen by cross-validation within the training part of one fold: the window by the likelihood of held-out
# pictures, all others by their accuracy.
WINDOW: dict[str, Any] = {"neighbours": 30, "rank": 20, "noise": 1 / 256, "spread": 0.7}
LEVEL = 1 / 16
"""Width of the uniform noise that is added to pixels, because a density needs continuous values."""
PARTS = 3
"""Number of networks. Each is calibrated on the training pictures that it was not fitted on."""
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 25, 64, 3e-3, 1e-2
WARP = 0.1
"""Standard deviation of the random shift of a training picture, as a share of half its width.

The entries of its random linear map have 0.7 times this standard deviation.
"""
GENERATIVE = 0.3
"""Weight of the loss of p(x) relative to that of p(c | x)."""


def network(height: int, width: int, classes: int, generator: torch.Generator) -> nn.Module:
    """Return a network from pictures ``(B, height · width)`` in [−1, 1] to logits ``(B, classes)``."""
    wide = ((height + 1) // 2) * ((width + 1) // 2)
    module = nn.Sequential(
        nn.Unflatten(1, (1, height, width)),
        nn.Conv2d(1, 32, 3, padding=1), nn.SiLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.SiLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.SiLU(),
        nn.Flatten(), nn.Linear(64 * wide, classes),
    )  # fmt: skip
    initialise(module, generator)
    return module


def warped(x: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Apply a small random affine map to each picture ``(B, height · width)``, as augmentation."""
    count = len(x)
    linear = torch.eye(2) + 0.7 * WARP * torch.randn(count, 2, 2, generator=generator)
    move = WARP * torch.randn(count, 2, 1, generator=generator)
    grid = functional.affine_grid(
        torch.cat([linear, move], 2), [count, 1, height, width], align_corners=False
    )
    picture = x.view(count, 1, height, width)
    return functional.grid_sample(picture, grid, align_corners=False).flatten(1)


def continuous(x: Tensor, generator: torch.Generator) -> Tensor:
    """Add uniform noise of width ``LEVEL`` to the pixels."""
    return x + LEVEL * (torch.rand(x.shape, generator=generator) - 0.5)


def fit_network(
    x: Tensor, label: Tensor, size: tuple[int, int], base: ManifoldParzen | None, generator: torch.Generator
) -> nn.Module:
    """Fit f by cross-entropy and, if ``base`` is given, also by noise-contrastive estimation against it."""
    classes, count = int(label.max()) + 1, len(x)
    module = network(*size, classes, generator)
    optimiser = torch.optim.AdamW(module.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = max(1, count // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.randperm(count, generator=generator)[: batches * BATCH].chunk(batches):
            seen = [continuous(warped(x[rows], *size, generator), generator)]
            if base is not None:
                seen += [continuous(x[rows], generator), base.sample(len(rows), generator)]
            logits = module(2 * torch.cat(seen) - 1).split(len(rows))
            loss = functional.cross_entropy(logits[0], label[rows])
            if base is not None:
                data, noise = (part.logsumexp(1) for part in logits[1:])
                contrast = functional.softplus(-data).mean() + functional.softplus(noise).mean()
                loss = loss + GENERATIVE * contrast
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return module.eval()


@dataclass(frozen=True)
class JointEnergy:
    """Fitted joint energy: the base q, the networks whose mean f tilts it, and two calibration weights.

    p(c | x) is the softmax over c of ``sharpness`` · f_c(x) + ``evidence`` · log q(x | c).
    """

    base: ManifoldParzen
    networks: tuple[nn.Module, ...]
    sharpness: float
    evidence: float

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits f(x), ``(B, classes)``."""
        return torch.stack([f(2 * x - 1) for f in self.networks]).mean(0)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the energy E(x) in nats, ``(B,)``, for x ``(B, height · width)`` in [0, 1]."""
        return self.base(x) - self.logits(x).logsumexp(1)

    def classify(self, x: Tensor) -> Tensor:
        """Return the class probabilities p(c | x), ``(B, classes)``."""
        with torch.no_grad():
            logits = self.sharpness * self.logits(x) + self.evidence * self.base.class_log_prob(x)
            return logits.softmax(1)


def fit_joint_energy(x: Tensor, label: Tensor, size: tuple[int, int], seed: int) -> JointEnergy:
    """Fit the joint energy on pictures ``(n, height · width)`` in [0, 1] with classes ``(n,)`` 0, 1, …"""
    generator = torch.Generator().manual_seed(seed)
    networks, logits, evidence, truth = [], [], [], []
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=seed)
    for fitted, held_out in parts.split(x.numpy(), label.numpy()):
        base = ManifoldParzen(x[fitted], label[fitted], **WINDOW)
        module = fit_network(x[fitted], label[fitted], size, base, generator)
        with torch.no_grad():
            logits.append(module(2 * x[held_out] - 1))
            evidence.append(base.class_log_prob(x[held_out]))
        networks.append(module)
        truth.append(label[held_out])
    calibrated = calibrate(torch.cat(logits), torch.cat(evidence), torch.cat(truth))
    return JointEnergy(ManifoldParzen(x, label, **WINDOW), tuple(networks), *calibrated)


def calibrate(logits: Tensor, evidence: Tensor, truth: Tensor) -> tuple[float, float]:
    """Return (a, b) ≥ 0 that minimise the mean of −log softmax(a · logits + b · evidence)[truth].

    ``logits`` and ``evidence`` have shape ``(n, classes)``, ``truth`` has shape ``(n,)``.

    Reference: Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    logits, evidence = logits.double(), evidence.double()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.tensor(weights, requires_grad=True)
        value = functional.cross_entropy(at[0] * logits + at[1] * evidence, truth)
        value.backward()
        assert at.grad is not None
        return value.item(), at.grad.numpy()

    found = minimize(loss, np.array([1.0, 0.01]), jac=True, bounds=[(0, None), (0, None)])
    return float(found.x[0]), float(found.x[1])


def held_out_energies(energy: JointEnergy, x: Tensor, label: Tensor, seed: int) -> Tensor:
    """Return E of each training picture ``(n,)`` from the network and density fitted without it."""
    found = torch.empty(len(x))
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=seed).split(x.numpy(), label.numpy())
    for (fitted, held_out), module in zip(parts, energy.networks, strict=True):
        base = ManifoldParzen(x[fitted], label[fitted], **WINDOW)
        with torch.no_grad():
            found[held_out] = replace(energy, base=base, networks=(module,))(x[held_out])
    return found


def restored(tensors: dict[str, Tensor], numbers: dict[str, float], size: tuple[int, int]) -> JointEnergy:
    """Restore the energy from tensors ``base.NAME`` and ``networkK.NAME`` and its scalars by name."""
    base = ManifoldParzen.restored(
        {k.removeprefix("base."): t for k, t in tensors.items() if k.startswith("base.")}, numbers["noise"]
    )
    networks = []
    for k in range(PARTS):
        module = network(*size, base.classes, torch.Generator())
        part = f"network{k}."
        module.load_state_dict({n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)})
        networks.append(module.eval())
    scalars = {f.name: numbers[f.name] for f in fields(JointEnergy) if f.type is float}
    return JointEnergy(base=base, networks=tuple(networks), **scalars)
