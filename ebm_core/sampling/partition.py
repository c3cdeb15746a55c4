"""Estimates of log Z = log ∫ exp(−E(x)) dx by importance sampling and annealed importance sampling (AIS).

Importance sampling and forward AIS estimate Z without bias. Their log Z is therefore a stochastic lower
bound: it is too low on average (Jensen's inequality), and it is too high by b nats with probability at most
e^(−b) (Markov's inequality). Reverse AIS from *exact* samples of the target estimates 1/Z without bias and
gives a stochastic upper bound. From samples of a Markov chain that has not converged it gives no bound.

Standard errors are computed from the weights that were drawn, so a mode that no chain reached is missing from
both the estimate and its error. Report the :func:`bracket` of a forward and a reverse estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.base.arguments import (
    check_at_least,
    check_generator,
    check_points,
    check_positives,
    check_whole,
)
from ebm_core.energies.gradients import Energy, checked
from ebm_core.sampling.annealing import Base, anneal, schedule


@dataclass(frozen=True)
class LogZ:
    """Estimate of log Z from log weights, with its standard error.

    Attributes
    ----------
    value : float
        Estimate of log Z, in nats.
    error : float
        Standard error of the estimate by the delta method, in nats.
    effective : float
        Effective number of weights, (Σw)²/Σw². If it is near 1, neither the value nor the error is reliable.
    log_weights : Tensor, shape (chains,)
        Log weights, in nats.
    acceptance : float, optional
        Share of accepted moves of annealed chains.

    Examples
    --------
    Equal weights have no error, and their effective number is their number.

    >>> import torch
    >>> from ebm_core import LogZ
    >>> estimate = LogZ.of(torch.full((100,), 0.5, dtype=torch.float64), base_log_z=1.0)
    >>> round(estimate.value, 6), round(estimate.error, 6), round(estimate.effective)
    (1.5, 0.0, 100)
    """

    value: float
    error: float
    effective: float
    log_weights: Tensor
    acceptance: float | None = None

    @classmethod
    def of(
        cls,
        log_weights: Tensor,
        base_log_z: float,
        reverse: bool = False,
        acceptance: float | None = None,
    ) -> "LogZ":
        """Estimate log Z from ``log_weights`` ``(chains,)``, or from log weights of 1/Z if ``reverse``.

        Raises ``ValueError`` if there are fewer than two weights, or if none is finite.
        """
        check_points("log_weights", log_weights, "(chains,)")
        if log_weights.dim() != 1 or len(log_weights) < 2:
            raise ValueError(
                f"log_weights: shape {tuple(log_weights.shape)}; expected (chains,), two or more"
            )
        if not math.isfinite(base_log_z):
            raise ValueError(f"base_log_z: {base_log_z}; expected a finite number of nats")
        if not torch.isfinite(log_weights.logsumexp(0)):
            raise ValueError("energy: not finite where the chains are; check the energy and the base")
        count = len(log_weights)
        share = log_weights.softmax(0)
        log_mean = float(log_weights.logsumexp(0)) - math.log(count)
        error = float((share * count).std()) / math.sqrt(count)
        value = base_log_z - log_mean if reverse else base_log_z + log_mean
        return cls(value, error, float(1 / share.square().sum()), log_weights, acceptance)


@torch.no_grad()
def importance_log_z(energy: Energy, proposal: Base, count: int, generator: torch.Generator) -> LogZ:
    """Estimate log Z by importance sampling, which gives a stochastic lower bound.

    The estimate is the log of the mean of exp(−E(x))/q(x) over draws of the proposal q. It is reliable only
    if q has enough mass wherever the target has mass.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    proposal : energy with ``log_z`` and ``sample``
        Proposal q, such as a :class:`~ebm_core.energies.analytic.GaussianEnergy`.
    count : int
        Number of draws, at least two, because the standard error needs two.
    generator : torch.Generator
        Source of the draws.

    Returns
    -------
    LogZ
        Estimate of log Z and its standard error, in nats.

    Raises
    ------
    ValueError
        If an argument is not valid or no weight is finite. The message names the argument.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DoubleWellEnergy, GaussianEnergy, importance_log_z
    >>> energy = DoubleWellEnergy(2, height=2.0)
    >>> proposal = GaussianEnergy(torch.zeros(2), 2 * torch.eye(2))
    >>> estimate = importance_log_z(energy, proposal, 10_000, torch.Generator().manual_seed(0))
    >>> abs(estimate.value - energy.log_z) < 0.05
    True
    """
    check_whole("count", count, 2)
    check_generator(generator)
    x = proposal.sample(count, generator)
    return LogZ.of((proposal(x) - checked(energy, x)).double(), proposal.log_z)


def ais(
    energy: Energy,
    base: Base,
    chains: int,
    levels: int,
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> LogZ:
    """Estimate log Z by annealed importance sampling, which gives a stochastic lower bound.

    The chains start at exact draws of ``base`` and make one step of :func:`~ebm_core.sampling.samplers.mala`
    at each of the energies (1 − β) E_base + β E. β rises from 0 to 1 in ``levels`` steps, which are smallest
    at both ends.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    base : energy with ``log_z`` and ``sample``
        Base distribution, such as a :class:`~ebm_core.energies.analytic.GaussianEnergy`.
    chains : int
        Number of chains, at least two, because the standard error needs two.
    levels : int
        Number of steps of β.
    step_sizes : sequence of float
        Step sizes of MALA, in the squared units of x, used in turn. Give several, from small to large, if the
        target has several length scales.
    generator : torch.Generator
        Source of all draws.

    Returns
    -------
    LogZ
        Estimate of log Z and its standard error, in nats.

    Raises
    ------
    ValueError
        If an argument is not valid, no weight is finite, one chain has nearly all the weight, or near the
        target hardly any move is accepted. The message names the argument.

    References
    ----------
    Neal (2001), Annealed importance sampling, Statistics and Computing 11.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DoubleWellEnergy, GaussianEnergy, ais
    >>> energy = DoubleWellEnergy(2, height=4.0)
    >>> base = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> estimate = ais(energy, base, 500, 30, [0.05, 0.2], torch.Generator().manual_seed(0))
    >>> abs(estimate.value - energy.log_z) < 0.2
    True
    """
    check_whole("chains", chains, 2)
    _check_path(levels, step_sizes, generator)
    x = base.sample(chains, generator)
    weights, acceptance = anneal(energy, base, x, schedule(levels), step_sizes, generator)
    return LogZ.of(weights, base.log_z, acceptance=acceptance)


def reverse_ais(
    energy: Energy,
    base: Base,
    x: Tensor,
    levels: int,
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> LogZ:
    """Estimate log Z by annealed importance sampling in reverse, from samples of the target to ``base``.

    The estimate is a stochastic upper bound if ``x`` are exact draws of the target. If they come from a
    Markov chain, this holds only if the chain has converged.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    base : energy with ``log_z`` and ``sample``
        Base distribution, such as a :class:`~ebm_core.energies.analytic.GaussianEnergy`.
    x : Tensor, shape (chains, *shape)
        Samples of the target, two or more.
    levels : int
        Number of steps of β.
    step_sizes : sequence of float
        Step sizes as in :func:`ais`.
    generator : torch.Generator
        Source of all draws.

    Returns
    -------
    LogZ
        Estimate of log Z and its standard error, in nats.

    Raises
    ------
    ValueError
        If an argument is not valid, no weight is finite, one chain has nearly all the weight, or near the
        target hardly any move is accepted. The message names the argument.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2015), Accurate and conservative estimates of MRF log-likelihood using
    reverse annealing, AISTATS.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, GaussianMixtureEnergy, reverse_ais
    >>> generator = torch.Generator().manual_seed(0)
    >>> means = torch.tensor([[-1.0, 0.0], [1.0, 1.0]])
    >>> energy = GaussianMixtureEnergy(means, torch.ones(2), torch.tensor([0.4, 0.6]))
    >>> base = GaussianEnergy(torch.zeros(2), 4 * torch.eye(2))
    >>> x = energy.sample(500, generator)
    >>> estimate = reverse_ais(energy, base, x, 30, [0.1, 0.5], generator)
    >>> abs(estimate.value - energy.log_z) < 0.2
    True
    """
    check_points("x", x, "(chains, *shape)")
    if x.dim() < 2 or len(x) < 2:
        raise ValueError(f"x: shape {tuple(x.shape)}; expected (chains, *shape) with two chains or more")
    _check_path(levels, step_sizes, generator)
    weights, acceptance = anneal(energy, base, x, schedule(levels)[::-1], step_sizes, generator)
    return LogZ.of(weights, base.log_z, reverse=True, acceptance=acceptance)


def bracket(forward: LogZ, reverse: LogZ, errors: float = 3.0) -> tuple[float, float]:
    """Bracket log Z between a forward and a reverse estimate, each widened by a number of standard errors.

    The lower end is the forward estimate minus its errors, and the upper end the reverse estimate plus its
    errors. With two standard errors about one bracket in twenty would miss log Z by chance, if the errors
    were exact and the bounds tight.

    Parameters
    ----------
    forward : LogZ
        Estimate by :func:`ais` or :func:`importance_log_z`.
    reverse : LogZ
        Estimate by :func:`reverse_ais`.
    errors : float, default 3.0
        Number of standard errors.

    Returns
    -------
    tuple of float
        ``(low, high)``, in nats.

    Raises
    ------
    ValueError
        If ``errors`` is negative or not finite.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, ais, bracket, reverse_ais
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = GaussianEnergy(torch.ones(2), torch.eye(2))
    >>> base = GaussianEnergy(torch.zeros(2), 4 * torch.eye(2))
    >>> forward = ais(energy, base, 200, 20, [0.3], generator)
    >>> reverse = reverse_ais(energy, base, energy.sample(200, generator), 20, [0.3], generator)
    >>> low, high = bracket(forward, reverse)
    >>> low < energy.log_z < high
    True
    """
    check_at_least("errors", errors, 0)
    return forward.value - errors * forward.error, reverse.value + errors * reverse.error


def _check_path(levels: int, step_sizes: Sequence[float], generator: torch.Generator) -> None:
    check_whole("levels", levels, 1)
    check_positives("step_sizes", step_sizes)
    check_generator(generator)
