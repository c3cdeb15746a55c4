"""Tilts of a standard normal base in many dimensions: denoising score matching, sampling by transport.

Coordinates are those in which the base is z ~ N(0, I). Between z and noise ε lies, for an angle φ
from 0 to π/2, v = cos φ · z + sin φ · ε, which under the base is N(0, I) at every φ. The tilted law of v is
p(v) ∝ exp(−½|v|² − cos φ · F(v, φ)), with F the learned energy; F = 0 is the base.

Reference: Vincent (2011), A connection between score matching and denoising autoencoders, Neural Computation
23(7); Salimans and Ho (2022), Progressive distillation, ICLR, for the angle.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

WhiteEnergy = Callable[[Tensor, Tensor], Tensor]
"""F(v, φ): ``(n, d)`` and ``(n,)`` → ``(n,)``."""


def pull(energy: WhiteEnergy, v: Tensor, angle: Tensor, create_graph: bool = False) -> Tensor:
    """sin φ · ∇_v F(v, φ), shape ``(n, d)``: what the energy expects of cos φ · ε − sin φ · z given v."""
    with torch.enable_grad():
        at = v.detach().requires_grad_()
        total = energy(at, angle).sum()
        (gradient,) = torch.autograd.grad(total, at, create_graph=create_graph)
    return torch.sin(angle)[:, None] * gradient


def rotate(z: Tensor, noise: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """``(v, u)``: v = cos φ · z + sin φ · ε and what is to be learned of it, u = cos φ · ε − sin φ · z."""
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    return cos * z + sin * noise, cos * noise - sin * z


def denoising_loss(
    energy: WhiteEnergy, z: Tensor, noise: Tensor, angle: Tensor, colour: Callable[[Tensor], Tensor]
) -> Tensor:
    """Half the means of r² and of colour(r)², r = u − sin φ ∇F(v, φ).

    ``colour`` maps amplitudes to the field, where few large patterns hold most of the variance; among the
    amplitudes alone they would be few dimensions of many, and neglected. Any
    positive weighting has its minimum over F where the scores of the laws of v are. ``z`` and ``noise`` are
    ``(n, d)``, ``angle`` is ``(n,)`` in [0, π/2].
    """
    v, wanted = rotate(z, noise, angle)
    missed = wanted - pull(energy, v, angle, create_graph=True)
    return (missed.square().mean() + colour(missed).square().mean()) / 2


def transport(energy: WhiteEnergy, noise: Tensor, steps: int = 16) -> Tensor:
    """Samples of the tilted law from ``noise`` ~ N(0, I), shape ``(n, d)``: dv/dφ = sin φ ∇F from π/2 to 0.

    The probability flow of the process above, by Heun's rule; without a tilt it moves nothing, so a sample is
    the base's own with the same noise. Reference: Song et al. (2021), Score-based generative modeling, ICLR.
    """
    v, step = noise, -math.pi / 2 / steps
    for k in range(steps):
        now = torch.full((len(v),), math.pi / 2 + k * step)
        slope = pull(energy, v, now)
        ahead = v + step * slope
        v = v + step / 2 * (slope + pull(energy, ahead, now + step))
    return v
