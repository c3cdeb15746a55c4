"""Energy of a brain slice: a network trained to distinguish healthy slices from slices under coarse noise.

The network's map ℓ(x) has the log odds that each pixel was altered. The energy is E(x) = log Σ exp ℓ over the
pixels, the log odds that the slice was altered if only one pixel could be. By noise-contrastive estimation
this is log p_noise(x) − log p(x) up to a constant. Only the map is trained: an additional loss on E(x) made
both the map and the scores of slices worse. The noise consists of random fields that are cut off at a level
and scaled by the local standard deviation of the slice. It does not use the synthetic lesions of the test
part.

References: Gutmann and Hyvärinen (2010), Noise-contrastive estimation, AISTATS; Kascenas et al. (2022),
Denoising autoencoders for unsupervised anomaly detection in brain MRI, MIDL (coarse noise).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.energies.networks import initialise
from tasks.runtime.parallel import Progress

SIDE = 64
"""Width and height of a slice in pixels."""
COARSE = (4, 14)
"""Range of the number of cells along each side of the noise's random field; the upper end is excluded."""
SHARE = (0.005, 0.08)
"""Range of the share of the slice above the level at which the field is cut off."""
EDGE = (0.05, 0.4)
"""Range of the width of the cut-off, in standard deviations of the field."""
ALTERED = 0.6
"""Share of the training slices that are altered."""
AMPLITUDE = (0.4, 2.0)
"""Range of the size of the alteration, in local standard deviations."""
WINDOWS = (3, 7, 15)
"""Sides in pixels, at half resolution, of the neighbourhoods by which a pixel is standardised."""
FINE = (3, 7)
"""The same at full resolution, because the edge of a lesion is one pixel wide."""
WIDTH, BATCH, LEARNING_RATE, WEIGHT_DECAY = 16, 32, 3e-3, 1e-2
REPORTED = 50
"""Number of steps between two calls of ``progress``."""


def local_moments(x: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation in a square around each pixel, both ``(B, 1, height, width)``."""

    def mean(values: Tensor) -> Tensor:
        for kernel, pad in (((window, 1), (window // 2, 0)), ((1, window), (0, window // 2))):
            values = functional.avg_pool2d(values, kernel, 1, pad, count_include_pad=False)
        return values

    centre = mean(x)
    return centre, (mean(x.square()) - centre.square()).clamp_min(0).sqrt()


def coarse_noise(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Add coarse noise to slices ``(B, 1, SIDE, SIDE)``; return them and a mask of the altered pixels."""
    count = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    cells = int(torch.randint(*COARSE, (1,), generator=generator))
    field = functional.interpolate(
        torch.randn(count, 1, cells, cells, generator=generator), size=x.shape[2:], mode="bicubic"
    )
    ranked = field.flatten(1).sort(1, descending=True).values
    place = (uniform(*SHARE).flatten() * ranked.shape[1]).long()
    level = ranked.gather(1, place[:, None])[:, :, None, None]
    mask = torch.sigmoid((field - level) / uniform(*EDGE))
    mask = mask * (x > 0.05 * x.amax((2, 3), keepdim=True)) * (uniform(0, 1) < ALTERED)
    sign = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    change = sign * uniform(*AMPLITUDE) * local_moments(x, 15)[1] * mask
    return (x + change).clamp_min(0), (mask > 0.5).float()


class LesionEnergy(nn.Module):
    """Energy E(x) = log Σ exp ℓ, ``(B,)``. ``heat(x)`` is the map ℓ of log odds, ``(B, 1, SIDE, SIDE)``.

    The network is a small U-net at half resolution. Its inputs at each position are the pixel standardised by
    the mean and standard deviation of neighbourhoods, the same for the mirrored slice, the four pixels at
    full resolution, and the position itself.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        w = WIDTH
        self.fine = _block(2 * len(WINDOWS) + 4 * len(FINE) + 3, w)
        self.middle = _block(w, 2 * w)
        self.coarse = _block(2 * w, 4 * w)
        self.up = _block(6 * w, 2 * w)
        self.out = _block(3 * w, w)
        self.last = nn.Conv2d(w, 1, 1)
        initialise(self, generator)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, -4.0)

    def heat(self, x: Tensor) -> Tensor:
        fine = self.fine(_views(x))
        middle = self.middle(functional.avg_pool2d(fine, 2))
        coarse = self.coarse(functional.avg_pool2d(middle, 2))
        up = self.up(torch.cat([functional.interpolate(coarse, scale_factor=2), middle], 1))
        out = self.out(torch.cat([functional.interpolate(up, scale_factor=2), fine], 1))
        return functional.interpolate(self.last(out), scale_factor=2, mode="bilinear")

    def forward(self, x: Tensor) -> Tensor:
        return self.heat(x).flatten(1).logsumexp(1)


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU()]
    return nn.Sequential(*layers)


def _views(x: Tensor) -> Tensor:
    """Return the network's inputs for slices, ``(B, views, height / 2, width / 2)``."""
    scaled = x / x.mean((2, 3), keepdim=True)
    half = functional.avg_pool2d(scaled, 2)
    views = [half]
    for window in WINDOWS:
        standard = _standard(half, window)
        views += [standard, standard.flip(3)]
    views += [functional.pixel_unshuffle(_standard(scaled, window), 2) for window in FINE]
    across = torch.linspace(-1, 1, half.shape[3]).expand_as(half)
    down = torch.linspace(-1, 1, half.shape[2])[:, None].expand_as(half)
    return torch.cat([*views, across, down], 1)


def _standard(x: Tensor, window: int) -> Tensor:
    """Standardise each pixel by the mean and standard deviation of its neighbourhood."""
    centre, spread = local_moments(x, window)
    return (x - centre) / (spread + 0.05)


def fit_lesion_energy(
    x: Tensor, steps: int, generator: torch.Generator, progress: Progress
) -> tuple[LesionEnergy, list[float]]:
    """Fit the energy on healthy slices ``(n, 1, SIDE, SIDE)``; return it and the loss at each step.

    ``progress`` is called every ``REPORTED`` steps.
    """
    # On a CPU, channels_last is a fifth faster than the default memory format.
    energy: LesionEnergy = LesionEnergy(generator).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
    optimiser = torch.optim.AdamW(energy.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    losses: list[float] = []
    for step in range(steps):
        if step % REPORTED == 0:
            progress("steps", step, steps)
        slices = x[torch.randint(len(x), (min(BATCH, len(x)),), generator=generator)]
        mirrored = torch.rand(len(slices), 1, 1, 1, generator=generator) < 0.5
        seen, where = coarse_noise(torch.where(mirrored, slices.flip(3), slices), generator)
        heat = energy.heat(seen.contiguous(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(heat, where)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(energy.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return energy.eval(), losses
