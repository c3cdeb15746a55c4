"""Markov chains that leave exp(−E) (nearly) invariant: functions without state that take a generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.energies.gradients import Energy, checked, frozen_gradient
from ebm_core.sampling.metropolis import DualAveraging, Point, metropolis, rowwise, start, uniform_like

NO_PROPOSAL = "step_size: no proposal had a finite energy; try a smaller one"


@dataclass(frozen=True)
class Moves:
    """Where chains with a Metropolis test ended: ``x`` ``(B, *shape)``, the mean ``acceptance`` of each chain
    ``(B,)``, and the ``step_size`` to go on with."""

    x: Tensor
    acceptance: Tensor
    step_size: float


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


def annealed_langevin(
    energies: Sequence[Energy],
    x: Tensor,
    steps: int,
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> Tensor:
    """:func:`langevin` through a sequence of energies, ``steps`` at each, the last being the target.

    Such as one network at falling noise levels with η in proportion to their squares, or
    ``[TemperedEnergy(energy, t) for t in (8, 4, 2, 1)]``. Raises ``ValueError`` as :func:`langevin` does, or
    unless there is one step size an energy. Reference: Song and Ermon (2019), Generative modeling by
    estimating gradients of the data distribution, NeurIPS.
    """
    if not energies or len(step_sizes) != len(energies):
        raise ValueError(f"step_sizes: {len(step_sizes)} for {len(energies)} energies; expected one each")
    for energy, step_size in zip(energies, step_sizes, strict=True):
        x = langevin(energy, x, steps, step_size, generator)
    return x


def mala(
    energy: Energy,
    x: Tensor,
    steps: int,
    step_size: float,
    generator: torch.Generator,
    adapt_to: float | None = None,
) -> Moves:
    """The Metropolis-adjusted Langevin algorithm: steps of :func:`langevin` that are accepted or not.

    A proposal x* is taken with probability min(1, p(x*) q(x | x*) / p(x) q(x* | x)), so that exp(−E)/Z is
    stationary at any step size. With ``adapt_to``, such as 0.574, the step size moves towards that acceptance
    by dual averaging: a warm-up, whose moves are to be thrown away, from which ``.x`` and
    ``.step_size`` go into the run proper. Raises ``ValueError`` naming the argument.

    Reference: Roberts and Rosenthal (1998), Optimal scaling of discrete approximations to Langevin
    diffusions, JRSS B 60(1).
    """
    _check(x, steps, step_size)
    moves = hmc(energy, x, steps, math.sqrt(2 * step_size), generator, 1, adapt_to)
    return Moves(moves.x, moves.acceptance, moves.step_size**2 / 2)


def hmc(
    energy: Energy,
    x: Tensor,
    steps: int,
    step_size: float,
    generator: torch.Generator,
    leapfrogs: int = 10,
    adapt_to: float | None = None,
) -> Moves:
    """Hamiltonian Monte Carlo: ``steps`` trajectories of ``leapfrogs`` steps of ``step_size`` ε.

    Momenta p ~ N(0, I) are drawn anew; the end of a trajectory is accepted with probability
    min(1, exp(H(x, p) − H(x*, p*))), H = E + ½ ‖p‖². With ``adapt_to``, such as 0.8, a warm-up as in
    :func:`mala`. Raises ``ValueError`` naming the argument; a trajectory that leaves the finite numbers is
    not accepted. References: Neal (2011), MCMC using Hamiltonian dynamics; Hoffman and Gelman (2014), The
    No-U-Turn sampler, JMLR 15, section 3.2, for dual averaging.
    """
    _check(x, steps, step_size)
    if leapfrogs < 1:
        raise ValueError(f"leapfrogs: {leapfrogs}; expected 1 or more")
    if adapt_to is not None and not 0 < adapt_to < 1:
        raise ValueError(f"adapt_to: {adapt_to}; expected an acceptance between 0 and 1")
    at = start(energy, x)
    size = DualAveraging(step_size, adapt_to)
    accepted, finite = torch.zeros_like(at.energy), steps == 0
    for _ in range(steps):
        at, probability, taken = metropolis(energy, at, size.now, leapfrogs, generator)
        finite = finite or bool((probability > 0).any())
        accepted += taken
        size.learn(float(probability.mean()))
    if not finite:
        raise ValueError(NO_PROPOSAL)
    return Moves(at.x, accepted / max(steps, 1), size.final)


@dataclass(frozen=True)
class Tempered:
    """Replicas ``x`` ``(temperatures, B, *shape)``, ``x[0]`` the target's; ``acceptance`` of moves at each
    temperature ``(temperatures,)`` and of ``swaps`` between neighbours ``(temperatures − 1,)``."""

    x: Tensor
    acceptance: Tensor
    swaps: Tensor


def parallel_tempering(
    energy: Energy,
    x: Tensor,
    steps: int,
    step_size: float,
    temperatures: Sequence[float],
    generator: torch.Generator,
) -> Tempered:
    """Chains at rising temperatures, the laws exp(−E/T), that exchange states: the hot ones cross barriers.

    ``x`` is ``(temperatures, B, *shape)``, and so is the result's ``x``, from which another call goes on;
    ``temperatures`` rise from 1. Each step is a :func:`mala` step of all replicas, at temperature T with step
    size T·η, then a proposal to swap every other pair of neighbours, taken with probability
    min(1, exp((1/T − 1/T')(E − E'))). Swaps should be accepted in a fifth of cases or more. Raises
    ``ValueError`` naming the argument.

    Reference: Geyer (1991), Markov chain Monte Carlo maximum likelihood.
    """
    if len(temperatures) < 2 or temperatures[0] != 1 or sorted(set(temperatures)) != list(temperatures):
        raise ValueError(f"temperatures: {list(temperatures)}; expected two or more that rise from 1")
    if x.dim() < 3 or len(x) != len(temperatures):
        raise ValueError(f"x: shape {tuple(x.shape)}; expected ({len(temperatures)}, B, *shape)")
    levels, chains = x.shape[:2]
    _check(x[0], steps, step_size)
    inverse = (1 / x.new_tensor(temperatures)).repeat_interleave(chains)
    size = (2 * step_size / inverse).sqrt()
    at = start(energy, x.flatten(0, 1), inverse)
    accepted, swapped = torch.zeros_like(at.energy), x.new_zeros(levels - 1, chains)
    finite = steps == 0
    for step in range(steps):
        at, probability, taken = metropolis(energy, at, size, 1, generator, inverse)
        finite = finite or bool((probability > 0).any())
        accepted += taken
        at, exchanged = _swap(at, levels, step % 2, inverse, generator)
        swapped += exchanged
    if not finite:
        raise ValueError(NO_PROPOSAL)
    rounds = x.new_tensor([max(len(range(pair % 2, steps, 2)), 1) for pair in range(levels - 1)])
    return Tempered(
        at.x.unflatten(0, (levels, chains)),
        accepted.view(levels, chains).mean(1) / max(steps, 1),
        swapped.mean(1) / rounds,
    )


def _swap(
    at: Point, levels: int, first: int, inverse: Tensor, generator: torch.Generator
) -> tuple[Point, Tensor]:
    """Exchange neighbours (first, first + 1), (first + 2, …) where accepted, ``(levels − 1, B)``."""
    cold = inverse.view(levels, -1)
    energy = at.energy.view(levels, -1) / cold
    log_ratio = (cold[:-1] - cold[1:]) * (energy[:-1] - energy[1:])
    exchanged = uniform_like(log_ratio, generator).log() < log_ratio
    exchanged[1 - first :: 2] = False
    order = torch.arange(len(inverse), device=inverse.device).view(levels, -1)
    low, high = order[:-1], order[1:]
    source = order.clone()
    source[:-1] = torch.where(exchanged, high, source[:-1])
    source[1:] = torch.where(exchanged, low, source[1:])
    source = source.flatten()
    ratio = inverse / inverse[source]
    return Point(
        at.x[source], at.energy[source] * ratio, rowwise(ratio, at.x) * at.gradient[source]
    ), exchanged


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
