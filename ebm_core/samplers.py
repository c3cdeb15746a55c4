"""Markov chains that leave exp(−E) (nearly) invariant: functions without state that take a generator."""

import math

import torch
from torch import Tensor

from ebm_core.gradients import Energy, checked, frozen_gradient


@torch.no_grad()
def langevin(energy: Energy, x: Tensor, steps: int, step_size: float, generator: torch.Generator) -> Tensor:
    """``steps`` of x ← x − η ∇E(x) + √(2η) ξ, ξ ~ N(0, I), for all rows of ``x`` ``(B, *shape)`` at once.

    The unadjusted Langevin algorithm: its stationary law tends to exp(−E)/Z as the step size η → 0 and is off
    by O(η). Twice this η is the step size of the convention x − (ε²/2) ∇E + ε ξ. Returns a new tensor like
    ``x``. Where the energy has a method ``frozen_gradient`` it is used instead of autograd.

    Raises ``ValueError`` naming the argument: an energy of wrong shape, a non-finite ``x`` or energy to start
    with, a step size at which the chains leave the finite numbers.

    Reference: Roberts and Tweedie (1996), Exponential convergence of Langevin distributions, Bernoulli 2(4).
    """
    _check(x, steps, step_size)
    gradient = frozen_gradient(energy, x)
    noise_scale = math.sqrt(2 * step_size)
    now, noise = x.detach().clone(), torch.empty_like(x)
    for _ in range(steps):
        now.sub_(gradient(now), alpha=step_size)
        now.add_(noise.normal_(generator=generator), alpha=noise_scale)
    if not torch.isfinite(now).all():
        raise _diverged(energy, x, step_size)
    return now


def _check(x: Tensor, steps: int, step_size: float) -> None:
    if x.dim() < 2 or not x.is_floating_point():
        raise ValueError(f"x: {x.dtype} of shape {tuple(x.shape)}; expected floating point (B, *shape)")
    if steps < 0:
        raise ValueError(f"steps: {steps}; expected 0 or more")
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size: {step_size}; expected a positive number")


def _diverged(energy: Energy, x: Tensor, step_size: float) -> ValueError:
    """Who is to blame for chains that became non-finite: the start, the energy there, or the step size."""
    if not torch.isfinite(x).all():
        return ValueError("x: non-finite values among the starting points")
    if not torch.isfinite(checked(energy, x)).all():
        return ValueError("energy: not finite at the starting points x")
    return ValueError(f"step_size: at {step_size} chains left the finite numbers; try a smaller one")
