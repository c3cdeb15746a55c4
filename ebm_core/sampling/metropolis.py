"""Hamiltonian trajectory with a Metropolis test, the common step of MALA, HMC, tempering and AIS."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.energies.gradients import Energy, NotFiniteError, energy_and_gradient
from ebm_core.energies.noise import normal_like, uniform_like

Weight = Tensor | float
"""Factor of the energy: one number, or one for each row ``(B,)``."""


@dataclass(frozen=True)
class Point:
    """Chains ``x`` ``(B, *shape)``, with their weighted energy ``(B,)`` and its gradient ``(B, *shape)``."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


def start(energy: Energy, x: Tensor, weight: Weight = 1.0) -> Point:
    """Evaluate the chains at ``x``, or raise ``ValueError`` if x or the energy is not finite."""
    if not torch.isfinite(x).all():
        raise NotFiniteError("x: non-finite values among the starting points; start from finite points")
    at = evaluated(energy, x.detach().clone(), weight)
    if not torch.isfinite(at.energy).all():
        raise NotFiniteError("energy: not finite at the starting points x; start where it is finite")
    return at


def metropolis(
    energy: Energy,
    at: Point,
    size: Weight,
    leapfrogs: int,
    generator: torch.Generator,
    weight: Weight = 1.0,
) -> tuple[Point, Tensor, Tensor]:
    """Run one trajectory of each chain under ``weight`` · E, with step size ε = ``size``.

    Returns the next points, the acceptance probabilities ``(B,)`` and whether each was accepted ``(B,)``. A
    trajectory of one leapfrog step is a Langevin proposal of step size ε²/2. Proposals that are not finite
    are rejected.
    """
    momentum = normal_like(at.x, generator)
    kinetic = _half_square(momentum)
    epsilon, end = rowwise(size, at.x), at
    for _ in range(leapfrogs):
        momentum = momentum - epsilon / 2 * end.gradient
        end = evaluated(energy, end.x + epsilon * momentum, weight)
        momentum = momentum - epsilon / 2 * end.gradient
    log_ratio = at.energy + kinetic - end.energy - _half_square(momentum)
    probability = log_ratio.nan_to_num(nan=-math.inf).clamp(max=0).exp()
    taken = uniform_like(probability, generator) < probability
    pick = rowwise(taken, at.x)
    moved = Point(
        torch.where(pick, end.x, at.x),
        torch.where(taken, end.energy, at.energy),
        torch.where(pick, end.gradient, at.gradient),
    )
    return moved, probability, taken


def rowwise(value: Weight, x: Tensor) -> Tensor:
    """Reshape a number, or one for each row ``(B,)``, so that it multiplies ``x`` ``(B, *shape)``."""
    return value.view(-1, *[1] * (x.dim() - 1)) if isinstance(value, Tensor) else x.new_tensor(value)


def _half_square(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1) / 2


def evaluated(energy: Energy, x: Tensor, weight: Weight = 1.0) -> Point:
    """Evaluate the weighted energy and its gradient at ``x``, without a check that they are finite."""
    value, gradient = energy_and_gradient(energy, x)
    return Point(x, weight * value, rowwise(weight, x) * gradient)


class DualAveraging:
    """Dual averaging, which adapts the step size until the acceptance is ``target``.

    ``now`` is the step size to use during the adaptation and ``final`` the one to use after it, an average
    that favours late steps. The update is log ε ← μ − (√t/γ) H̄ₜ, where H̄ₜ is the mean of target minus
    acceptance and μ = log 10 ε₀. Without a target the step size is constant. Hoffman and Gelman (2014),
    equation 6, with γ = 0.05, t₀ = 10 and κ = 0.75.
    """

    def __init__(self, size: float, target: float | None) -> None:
        self.now = self.final = size
        self._target, self._centre, self._steps, self._shortfall = target, math.log(10 * size), 0, 0.0

    def learn(self, acceptance: float) -> None:
        if self._target is None:
            return
        self._steps += 1
        share = 1 / (self._steps + 10)
        self._shortfall += share * (self._target - acceptance - self._shortfall)
        log_now = self._centre - math.sqrt(self._steps) / 0.05 * self._shortfall
        log_mean = math.log(self.final) if self._steps > 1 else log_now
        rate = self._steps**-0.75
        self.now, self.final = math.exp(log_now), math.exp(rate * log_now + (1 - rate) * log_mean)
