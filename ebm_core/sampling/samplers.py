"""Markov chain Monte Carlo samplers of exp(−E)/Z, as stateless functions that take a generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.base.arguments import (
    check_generator,
    check_points,
    check_positive,
    check_positives,
    check_whole,
)
from ebm_core.energies.gradients import Energy, NotFiniteError, checked, frozen_gradient
from ebm_core.sampling.metropolis import DualAveraging, metropolis, start

NO_PROPOSAL = "step_size: no proposal had a finite energy; try a smaller step size"


@dataclass(frozen=True)
class Moves:
    """Result of a sampler with a Metropolis test.

    ``x`` ``(B, *shape)`` are the chains after the last step, ``acceptance`` ``(B,)`` is the share of accepted
    proposals of each chain, and ``step_size`` is the step size for a next call.
    """

    x: Tensor
    acceptance: Tensor
    step_size: float


@torch.no_grad()
def langevin(energy: Energy, x: Tensor, steps: int, step_size: float, generator: torch.Generator) -> Tensor:
    """Run the unadjusted Langevin algorithm, x ← x − η ∇E(x) + √(2η) ξ with ξ ~ N(0, I), on all chains.

    The stationary distribution differs from exp(−E)/Z by O(η). In the convention x − (ε²/2) ∇E + ε ξ the step
    size is ε² = 2η. If the energy has a method ``frozen_gradient``, it is used instead of autograd.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        Chains to start from, in floating point.
    steps : int
        Number of steps.
    step_size : float
        Step size η, in the squared units of x.
    generator : torch.Generator
        Source of the noise ξ.

    Returns
    -------
    Tensor, shape (B, *shape)
        The chains after the last step, a new tensor.

    Raises
    ------
    ValueError
        If the energy has the wrong shape, if ``x`` or its energy is not finite, or if the chains become
        non-finite at this step size. The message names the argument.

    References
    ----------
    Roberts and Tweedie (1996), Exponential convergence of Langevin distributions and their discrete
    approximations, Bernoulli 2(4).

    Examples
    --------
    Chains that start far away converge to N(0, I).

    >>> import torch
    >>> from ebm_core import GaussianEnergy, langevin
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = langevin(energy, torch.full((1000, 2), 5.0), 100, 0.1, generator)
    >>> bool((x.mean(0).abs() < 0.15).all()), bool(((x.std(0) - 1).abs() < 0.15).all())
    (True, True)
    """
    check_chains(x, steps, step_size, generator)
    gradient = frozen_gradient(energy, x)
    noise_scale = math.sqrt(2 * step_size)
    now, noise = x.detach().clone(), torch.empty_like(x, memory_format=torch.contiguous_format)
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
    """Run :func:`langevin` on a sequence of energies, the last of which is the target.

    The energies may be one network at decreasing noise levels, with η proportional to the squared level, or
    ``[TemperedEnergy(energy, t) for t in (8, 4, 2, 1)]``.

    Parameters
    ----------
    energies : sequence of callables
        Energies, each ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        Chains to start from, in floating point.
    steps : int
        Number of steps at each energy.
    step_sizes : sequence of float
        Step size η of each energy, in the squared units of x.
    generator : torch.Generator
        Source of the noise.

    Returns
    -------
    Tensor, shape (B, *shape)
        The chains after the last step of the last energy.

    Raises
    ------
    ValueError
        If there is not one step size for each energy, or if :func:`langevin` raises it.

    References
    ----------
    Song and Ermon (2019), Generative modeling by estimating gradients of the data distribution, NeurIPS.

    Examples
    --------
    All chains start in the left of two wells. At high temperature about half of them move to the right one.

    >>> import torch
    >>> from ebm_core import DoubleWellEnergy, TemperedEnergy, annealed_langevin
    >>> well = DoubleWellEnergy(1, height=8.0)
    >>> energies = [TemperedEnergy(well, t) for t in (8, 4, 2, 1)]
    >>> x = torch.full((500, 1), -1.0)
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = annealed_langevin(energies, x, 100, [0.04, 0.02, 0.01, 0.005], generator)
    >>> 0.4 < float((x > 0).float().mean()) < 0.6
    True
    """
    if not energies or len(step_sizes) != len(energies):
        raise ValueError(f"step_sizes: {len(step_sizes)} for {len(energies)} energies; expected one for each")
    check_positives("step_sizes", step_sizes)
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
    """Run the Metropolis-adjusted Langevin algorithm, which accepts or rejects steps of :func:`langevin`.

    A proposal x* is accepted with probability min(1, p(x*) q(x | x*) / p(x) q(x* | x)), so exp(−E)/Z is the
    stationary distribution at any step size.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        Chains to start from, in floating point.
    steps : int
        Number of steps.
    step_size : float
        Step size η, in the squared units of x.
    generator : torch.Generator
        Source of all draws.
    adapt_to : float, optional
        Target acceptance, such as 0.574, to which the step size is adapted by dual averaging. Such a run is a
        warm-up. Use its ``x`` and ``step_size`` for the main run, and do not use its moves as samples.

    Returns
    -------
    Moves
        The chains ``x`` ``(B, *shape)``, the mean ``acceptance`` of each chain ``(B,)`` and the
        ``step_size`` for a next call.

    Raises
    ------
    ValueError
        If an argument is not valid or no proposal has a finite energy. The message names the argument.

    References
    ----------
    Roberts and Rosenthal (1998), Optimal scaling of discrete approximations to Langevin diffusions, JRSS B
    60(1).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, mala
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> warm = mala(energy, torch.zeros(100, 2), 100, 0.01, generator, adapt_to=0.574)
    >>> moves = mala(energy, warm.x, 100, warm.step_size, generator)
    >>> abs(float(moves.acceptance.mean()) - 0.574) < 0.1
    True
    """
    check_chains(x, steps, step_size, generator)
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
    """Run Hamiltonian Monte Carlo, whose proposals are the ends of trajectories of leapfrog steps.

    Momenta p ~ N(0, I) are drawn for each trajectory. Its end is accepted with probability
    min(1, exp(H(x, p) − H(x*, p*))), where H = E + ½ ‖p‖². A trajectory that becomes non-finite is rejected.
    With two leapfrogs or more, each trajectory has a step size drawn from (1 ± 0.2) ε. Trajectories of one
    length can return to their start for ever, as those of length 2π do for N(0, I).

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        Chains to start from, in floating point.
    steps : int
        Number of trajectories.
    step_size : float
        Leapfrog step ε, in the units of x.
    generator : torch.Generator
        Source of all draws.
    leapfrogs : int, default 10
        Leapfrog steps of a trajectory.
    adapt_to : float, optional
        Target acceptance, such as 0.8, of a warm-up run as in :func:`mala`.

    Returns
    -------
    Moves
        The chains ``x`` ``(B, *shape)``, the mean ``acceptance`` of each chain ``(B,)`` and the
        ``step_size``.

    Raises
    ------
    ValueError
        If an argument is not valid or no proposal has a finite energy. The message names the argument.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics, Handbook of Markov Chain Monte Carlo.

    Hoffman and Gelman (2014), The No-U-Turn sampler, JMLR 15, section 3.2, for dual averaging.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, hmc
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.zeros(2), torch.tensor([[1.0, 0.9], [0.9, 1.0]]))
    >>> moves = hmc(energy, torch.zeros(500, 2), 20, 0.3, generator)
    >>> bool(torch.corrcoef(moves.x.T)[0, 1] > 0.8)
    True
    >>> bool(moves.acceptance.mean() > 0.8)
    True
    """
    check_chains(x, steps, step_size, generator)
    check_whole("leapfrogs", leapfrogs, 1)
    if adapt_to is not None and not 0 < adapt_to < 1:
        raise ValueError(f"adapt_to: {adapt_to}; expected an acceptance between 0 and 1")
    at = start(energy, x)
    size = DualAveraging(step_size, adapt_to)
    accepted, finite = torch.zeros_like(at.energy), steps == 0
    for _ in range(steps):
        jittered = size.now * (1 + JITTER * _symmetric(at.x, generator)) if leapfrogs > 1 else size.now
        at, probability, taken = metropolis(energy, at, jittered, leapfrogs, generator)
        finite = finite or bool((probability > 0).any())
        accepted += taken
        size.learn(float(probability.mean()))
    if not finite:
        raise NotFiniteError(NO_PROPOSAL)
    return Moves(at.x, accepted / max(steps, 1), size.final)


JITTER = 0.2
"""Largest relative change of the step size of a trajectory (Neal 2011, section 3.2)."""


def _symmetric(like: Tensor, generator: torch.Generator) -> float:
    """Draw a number from U(−1, 1)."""
    return float(2 * torch.rand((), generator=generator, device=like.device, dtype=like.dtype) - 1)


def check_chains(x: Tensor, steps: int, step_size: float, generator: torch.Generator) -> None:
    check_points("x", x)
    if x.dim() < 2:
        raise ValueError(f"x: {x.dtype} of shape {tuple(x.shape)}; expected floating point (B, *shape)")
    if torch.finfo(x.dtype).bits < 32:
        raise ValueError(
            f"x: {x.dtype}, in which small steps are lost; expected float32 or float64, as of x.float(), "
            "with an energy of the same type, as of energy.float()"
        )
    if not x.numel():
        raise ValueError(f"x: shape {tuple(x.shape)} has no chains; expected one or more")
    check_whole("steps", steps, 0)
    check_positive("step_size", step_size)
    check_generator(generator, x.device)


def _diverged(energy: Energy, x: Tensor, step_size: float) -> NotFiniteError:
    """Return the error for chains that are not finite.

    Its message names the cause: the starting points, their energy or the step size.
    """
    if not torch.isfinite(x).all():
        return NotFiniteError("x: non-finite values among the starting points; start from finite points")
    if not torch.isfinite(checked(energy, x)).all():
        return NotFiniteError("energy: not finite at the starting points x; start where it is finite")
    return NotFiniteError(
        f"step_size: with {step_size} the chains became non-finite; try a smaller step size"
    )
