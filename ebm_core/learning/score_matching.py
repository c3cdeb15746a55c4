"""Tilts of a standard normal base in many dimensions, by denoising score matching and a probability flow.

The coordinates z are such that the base is N(0, I). With noise ε ~ N(0, I) and an angle φ from 0 to π/2,
v = cos φ · z + sin φ · ε interpolates between z and ε. Under the base v is N(0, I) for every φ. The tilted
density of v is p(v) ∝ exp(−½|v|² − cos φ · F(v, φ)), where F is the learned energy. F = 0 gives the base.

References: Vincent (2011), A connection between score matching and denoising autoencoders, Neural Computation
23(7); Salimans and Ho (2022), Progressive distillation, ICLR, for the parametrisation by an angle.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

WhiteEnergy = Callable[[Tensor, Tensor], Tensor]
"""Energy F(v, φ) that maps v ``(n, d)`` and φ ``(n,)`` to ``(n,)``, in nats."""


def pull(energy: WhiteEnergy, v: Tensor, angle: Tensor, create_graph: bool = False) -> Tensor:
    """Compute sin φ · ∇_v F(v, φ), shape ``(n, d)``, the model's mean of cos φ · ε − sin φ · z given v."""
    with torch.enable_grad():
        at = v.detach().requires_grad_()
        total = energy(at, angle).sum()
        (gradient,) = torch.autograd.grad(total, at, create_graph=create_graph)
    return torch.sin(angle)[:, None] * gradient


def rotate(z: Tensor, noise: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Return v = cos φ · z + sin φ · ε and its regression target u = cos φ · ε − sin φ · z."""
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    return cos * z + sin * noise, cos * noise - sin * z


def denoising_loss(
    energy: WhiteEnergy, z: Tensor, noise: Tensor, angle: Tensor, colour: Callable[[Tensor], Tensor]
) -> Tensor:
    """Compute the denoising score matching loss (mean r² + mean colour(r)²)/2 with r = u − sin φ ∇F(v, φ).

    ``z`` and ``noise`` are ``(n, d)``, and ``angle`` is ``(n,)`` in [0, π/2]. ``colour`` maps amplitudes to
    the field, in which a few large patterns hold most of the variance. Without its term these patterns would
    be a few coordinates among many and be neglected. The minimum over F is the same for any positive
    weighting.
    """
    v, wanted = rotate(z, noise, angle)
    missed = wanted - pull(energy, v, angle, create_graph=True)
    return (missed.square().mean() + colour(missed).square().mean()) / 2


def transport(energy: WhiteEnergy, noise: Tensor, steps: int = 16) -> Tensor:
    """Turn ``noise`` ~ N(0, I), shape ``(n, d)``, into samples of the tilted distribution.

    The probability flow dv/dφ = sin φ ∇F(v, φ) is integrated from φ = π/2 to 0 by Heun's method. Without a
    tilt the noise does not move, so tilted and untilted samples with the same noise can be compared.
    Reference: Song et al. (2021), Score-based generative modeling, ICLR.
    """
    v, step = noise, -math.pi / 2 / steps
    for k in range(steps):
        now = torch.full((len(v),), math.pi / 2 + k * step)
        slope = pull(energy, v, now)
        ahead = v + step * slope
        v = v + step / 2 * (slope + pull(energy, ahead, now + step))
    return v
